"""Terms lookups: values of `terms` queries that stand in documents, fetched before the search is compiled."""

from __future__ import annotations

from typing import Any

import orjson

from quidditch.coordinator.get import GetOptions, Getter
from quidditch.query.context import TermsLookup
from quidditch.query.dsl.terms import parse_lookup


def find(query: Any) -> list[TermsLookup]:
    """The lookups anywhere in a body."""
    found: list[TermsLookup] = []
    stack = [query]
    while stack:
        item = stack.pop()
        if isinstance(item, list):
            stack.extend(item)
        elif isinstance(item, dict):
            terms = item.get("terms")
            if isinstance(terms, dict):
                found.extend(_of_terms(terms))
            stack.extend(value for value in item.values() if isinstance(value, (dict, list)))
    return found


def _of_terms(terms: dict[str, Any]) -> list[TermsLookup]:
    return [
        parse_lookup(spec)
        for spec in terms.values()
        if isinstance(spec, dict) and "path" in spec and "index" in spec and "id" in spec
    ]


async def fetch(lookups: list[TermsLookup], getter: Getter) -> dict[TermsLookup, list[Any]]:
    """The values; none where the document is missing. Raises index_not_found_exception."""
    found: dict[TermsLookup, list[Any]] = {}
    for lookup in lookups:
        document = await getter.get(lookup.index, lookup.id, lookup.routing, GetOptions())
        source = document.source()
        found[lookup] = [] if source is None else _extract(orjson.loads(_object(source)), lookup.path.split("."))
    return found


def _object(members: bytes) -> bytes:
    """The document, cut out of the members that follow it in a get answer."""
    depth, quoted, escaped = 0, False, False
    for at, byte in enumerate(members):
        if escaped:
            escaped = False
        elif byte == 0x5C:
            escaped = True
        elif byte == 0x22:
            quoted = not quoted
        elif not quoted and byte in b"{[":
            depth += 1
        elif not quoted and byte in b"}]":
            depth -= 1
            if depth == 0:
                return members[: at + 1]
    return members


def _extract(value: Any, path: list[str]) -> list[Any]:
    if isinstance(value, list):
        return [found for item in value for found in _extract(item, path)]
    if not path:
        return [] if value is None or isinstance(value, dict) else [value]
    if not isinstance(value, dict):
        return []
    found: list[Any] = []
    for length in range(1, len(path) + 1):
        name = ".".join(path[:length])
        if name in value:
            found.extend(_extract(value[name], path[length:]))
    return found
