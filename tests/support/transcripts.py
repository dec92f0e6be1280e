"""Transcripts: requests and the answers that a real OpenSearch gave, in a file that a person can read.

A block is `> METHOD path`, body lines behind `> `, then the answer on one line behind `< `: status and JSON. What differs from run to run
(took, uuids, times) is starred out on both sides. `>~` instead of the first `>` keeps only status and error type: for texts of the JSON
parser, which are its own. `#` begins a comment. Recorded by tools/record_transcripts.py.
"""

from __future__ import annotations

import http.client
import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

VOLATILE = frozenset(
    ("took", "index_uuid", "uuid", "creation_date", "scroll_id", "_scroll_id", "pit_id", "creation_time", "node")
)
DROPPED = frozenset(("line", "col", "stack_trace"))
UUID = re.compile(r"(?<=/)[A-Za-z0-9_-]{22}(?=\])")
PLACE = re.compile(r"\[\d+:\d+\] ?")
MADE_ID = re.compile(r"[A-Za-z0-9_-]{20}")


@dataclass
class Exchange:
    method: str
    path: str
    loose: bool
    body: list[str] = field(default_factory=list)
    answer: str | None = None

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"


def parse(text: str) -> tuple[list[str], list[Exchange]]:
    """Leading comment lines, and the exchanges."""
    comments, exchanges = [], []
    for line in text.splitlines():
        if line.startswith("#") and not exchanges:
            comments.append(line)
        elif re.match(r">~? (GET|PUT|POST|DELETE|HEAD|PATCH|OPTIONS) /", line):
            mark, method, path = line.split(" ", 2)
            exchanges.append(Exchange(method, path, mark == ">~"))
        elif line.startswith("> "):
            exchanges[-1].body.append(line[2:])
        elif line.startswith("< "):
            exchanges[-1].answer = line[2:]
    return comments, exchanges


def render(comments: list[str], exchanges: list[Exchange]) -> str:
    blocks = ["\n".join(comments)] if comments else []
    for exchange in exchanges:
        lines = [f"{'>~' if exchange.loose else '>'} {exchange.name}", *(f"> {line}" for line in exchange.body)]
        blocks.append("\n".join([*lines, f"< {exchange.answer}"]))
    return "\n\n".join(blocks) + "\n"


def perform(connection: http.client.HTTPConnection, exchange: Exchange) -> str:
    """Sends one request; the starred-out answer as it is recorded."""
    body = "\n".join(exchange.body)
    lines = "_bulk" in exchange.path or "_msearch" in exchange.path
    kind = "application/x-ndjson" if lines else "application/json"
    headers = {"Content-Type": kind} if body else {}
    data = (body + "\n" if lines else body).encode() if body else None
    connection.request(exchange.method, quote(exchange.path, safe="/?&=*,<>+:%-_.~"), data, headers)
    response = connection.getresponse()
    text = response.read().decode(errors="replace")
    answer: Any = text
    if text and "json" in (response.headers.get("Content-Type") or ""):
        answer = star(json.loads(text))
    if exchange.loose and isinstance(answer, dict):
        error = answer.get("error")
        answer = {"type": error.get("type")} if isinstance(error, dict) else {}
    return f"{response.status} {json.dumps(answer, ensure_ascii=False)}"


def star(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: star(item, name) for name, item in value.items() if name not in DROPPED}
    if isinstance(value, list):
        return [star(item, key) for item in value]
    if key in VOLATILE or (key == "created" and isinstance(value, str | int)):
        return "*"
    if isinstance(value, str):
        if key == "_id" and MADE_ID.fullmatch(value):
            return "*"
        return PLACE.sub("", UUID.sub("*", value)).split("\n at [Source")[0]
    return value
