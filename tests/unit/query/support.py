"""A context for query tests: a real mapping, and small analysers and date parsing written here."""

from __future__ import annotations

import datetime
import re
from typing import Any

from quidditch.mapping import parse
from quidditch.model.errors import ApiError
from quidditch.query.context import QueryContext, QuerySettings, Token

NOW = 1_700_000_000_000
MAPPING: dict[str, Any] = {
    "properties": {
        "title": {"type": "text", "fields": {"raw": {"type": "keyword"}}},
        "body": {"type": "text"},
        "tag": {"type": "keyword"},
        "n": {"type": "long"},
        "i": {"type": "integer"},
        "price": {"type": "double"},
        "on": {"type": "boolean"},
        "at": {"type": "date"},
        "addr": {"type": "ip"},
        "blob": {"type": "binary"},
        "short_name": {"type": "alias", "path": "tag"},
        "user": {"properties": {"name": {"type": "text"}, "age": {"type": "integer"}}},
        "comments": {
            "type": "nested",
            "properties": {
                "text": {"type": "text"},
                "stars": {"type": "integer"},
                "replies": {"type": "nested", "properties": {"by": {"type": "keyword"}}},
            },
        },
    }
}
SYNONYMS = {"quick": ["quick", "fast"]}


def tokens(analyzer: str, text: str) -> list[Token]:
    """Words in lower case; `quick` has a synonym, `ny` reads as two words too."""
    if analyzer == "keyword":
        return [(text, 0, 1, 0, len(text))]
    found: list[Token] = []
    position = 0
    for word in re.finditer(r"\w+", text):
        term = word.group().lower()
        if term == "the" and analyzer == "stop":
            position += 1
            continue
        if term == "ny" and analyzer == "graph":
            found.append(("ny", position, 2, *word.span()))
            found.append(("new", position, 1, *word.span()))
            found.append(("york", position + 1, 1, *word.span()))
            position += 2
            continue
        for variant in SYNONYMS.get(term, [term]) if analyzer == "synonym" else [term]:
            found.append((variant, position, 1, *word.span()))
        position += 1
    return found


def normalize(analyzer: str, text: str) -> str:
    return text if analyzer == "keyword" else text.lower()


def parse_date(text: str, format: str, now_ms: int, round_up: bool, time_zone: str | None, nanos: bool) -> int:
    del time_zone
    if text == "now":
        return now_ms
    if text.lstrip("-").isdigit() and len(text) > 4:
        return int(text)
    try:
        day = datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC)
    except ValueError:
        raise ApiError(400, "parse_exception", f"failed to parse date field [{text}] with format [{format}]") from None
    value = int(day.timestamp() * 1000)
    if round_up and len(text) == 10:
        value += 86_400_000 - 1
    return value * 1_000_000 if nanos else value


def context(mapping: dict[str, Any] | None = None, **settings: Any) -> QueryContext:
    return QueryContext(
        mapping=parse(MAPPING if mapping is None else mapping),
        tokens=tokens,
        normalize=normalize,
        parse_date=parse_date,
        now_ms=NOW,
        has_analyzer=lambda name: name in ("standard", "keyword", "synonym", "graph", "stop"),
        index="books",
        uuid="u1",
        settings=QuerySettings(**settings),
    )
