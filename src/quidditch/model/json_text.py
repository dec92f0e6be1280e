"""JSON from clients, and what is wrong with it in the words of OpenSearch's parser where that is known: text that ends too early."""

from __future__ import annotations

from typing import Any

import orjson

from quidditch.model.errors import ApiError

_SPACE = b" \t\r\n"


def parse_json(content: bytes) -> Any:
    """The value. Raises :class:`ApiError` with 400."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        where = f"at [Source: body; line: {error.lineno}, column: {error.colno}]"
        early = end_of_input(content)
        if early is not None:
            raise ApiError(400, "json_e_o_f_exception", f"{early}\n {where}") from None
        raise ApiError(400, "json_parse_exception", f"{error.msg}\n {where}") from None


def end_of_input(content: bytes) -> str | None:
    """What is open when the text ends; None if it ends in the middle of a bare word, or nothing is open."""
    open_at: list[int] = []
    # Whether the innermost object has a name, and whether its value has begun.
    named, valued, bare, at = False, False, False, 0
    while at < len(content):
        byte = content[at : at + 1]
        bare = bare and byte not in b",:]}" and byte not in _SPACE
        if byte == b'"':
            end = _string_end(content, at)
            in_object = bool(open_at) and content[open_at[-1]] == 0x7B
            if end is None:
                name = in_object and not named
                return "Unexpected end-of-input in " + ("field name" if name else "VALUE_STRING")
            named, valued = (True, named) if in_object else (named, valued)
            at = end
        elif byte in b"{[":
            open_at.append(at)
            named, valued = False, False
        elif byte in b"}]":
            if not open_at:
                return None
            open_at.pop()
            named, valued = True, True
        elif byte == b",":
            named, valued = False, False
        elif byte != b":" and byte not in _SPACE:
            bare, valued = not byte.isdigit(), True
        at += 1
    if not open_at or bare:
        return None
    start = open_at[-1]
    in_object = content[start] == 0x7B
    if in_object and named and not valued:
        return "Unexpected end-of-input within/between Object entries"
    kind = "Object" if in_object else "Array"
    line = content.count(b"\n", 0, start) + 1
    column = start - content.rfind(b"\n", 0, start)
    source = "[Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); "
    return f"Unexpected end-of-input: expected close marker for {kind} (start marker at {source}line: {line}, column: {column}])"


def _string_end(content: bytes, at: int) -> int | None:
    at += 1
    while at < len(content):
        if content[at] == 0x5C:
            at += 1
        elif content[at] == 0x22:
            return at
        at += 1
    return None
