"""The physical operations of a plan (docs/kernel.md §3), as the plain objects that become its JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

Op = dict[str, dict[str, Any]]


def all_docs() -> Op:
    return {"all": {}}


def no_docs() -> Op:
    return {"none": {}}


def term(field: str, value: Any) -> Op:
    return {"term": {"field": field, "value": value}}


def const(query: Op, boost: float = 1.0) -> Op:
    arguments: dict[str, Any] = {"query": query}
    if boost != 1.0:
        arguments["boost"] = boost
    return {"const": arguments}


def any_of(queries: Sequence[Op], minimum: int = 1) -> Op:
    """A disjunction whose scores add up."""
    if len(queries) == 1 and minimum <= 1:
        return queries[0]
    if not queries:
        return no_docs()
    return {"bool": {"should": list(queries), "minimum_should_match": minimum}}


def all_of(queries: Sequence[Op]) -> Op:
    if len(queries) == 1:
        return queries[0]
    if not queries:
        return no_docs()
    return {"bool": {"must": list(queries)}}


def dis_max(queries: Sequence[Op], tie_breaker: float) -> Op:
    if len(queries) == 1:
        return queries[0]
    if not queries:
        return no_docs()
    return {"dis_max": {"queries": list(queries), "tie_breaker": tie_breaker}}


def dress(op: Op, boost: float = 1.0, name: str | None = None) -> Op:
    """The operation with a boost on top of its own, and a name."""
    if boost == 1.0 and name is None:
        return op
    ((kind, arguments),) = op.items()
    if name is not None and "_name" in arguments:
        return {"bool": {"must": [op], "boost": boost, "_name": name}}
    arguments = dict(arguments)
    if boost != 1.0:
        arguments["boost"] = arguments.get("boost", 1.0) * boost
    if name is not None:
        arguments["_name"] = name
    return {kind: arguments}


def is_none(op: Op) -> bool:
    return "none" in op


def fields_of(op: Any) -> set[str]:
    """Every field an operation reads, for highlighting and pre-filtering."""
    found: set[str] = set()
    stack: list[Any] = [op]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            field = item.get("field")
            if isinstance(field, str):
                found.add(field)
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
    return found


def names_in(ops: Iterable[Op]) -> bool:
    """Whether any of the operations carries a `_name`."""
    stack: list[Any] = list(ops)
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            if "_name" in item:
                return True
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
    return False
