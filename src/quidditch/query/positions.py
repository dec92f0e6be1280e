"""Line and column of a place in a JSON body, found by walking the text beside the parsed value."""

from __future__ import annotations

import re
from typing import Any

from quidditch.model.errors import ApiError
from quidditch.query.errors import Malformed

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_SCALAR = re.compile(r"[^\s,\]}]+")
_SPACE = re.compile(r"\s*")


class _Found(Exception):
    def __init__(self, offset: int) -> None:
        self.offset = offset


class _Walker:
    """Walks the text and the value in step until it stands at the wanted place."""

    def __init__(self, text: str, fault: Malformed) -> None:
        self.text = text
        self.fault = fault

    def value(self, at: int, value: Any) -> int:
        at = self._space(at)
        if isinstance(value, dict):
            return self._dict(at, value)
        if isinstance(value, list):
            return self._list(at, value)
        pattern = _STRING if self.text[at] == '"' else _SCALAR
        match = pattern.match(self.text, at)
        if match is None:
            raise ValueError(at)
        return match.end()

    def _space(self, at: int) -> int:
        match = _SPACE.match(self.text, at)
        return match.end() if match else at

    def _dict(self, at: int, value: dict[str, Any]) -> int:
        wanted = value is self.fault.node
        if wanted and self.fault.at == "start":
            raise _Found(at)
        at = self._space(at + 1)
        for key, member in value.items():
            key_at = at
            match = _STRING.match(self.text, at)
            if match is None:
                raise ValueError(at)
            at = self._space(match.end()) + 1
            if wanted and key == self.fault.key:
                raise _Found(key_at if self.fault.at == "key" else self._space(at))
            at = self._space(self.value(at, member))
            if self.text[at] == ",":
                at = self._space(at + 1)
        if wanted:
            raise _Found(at)
        return at + 1

    def _list(self, at: int, value: list[Any]) -> int:
        wanted = value is self.fault.node
        if wanted and self.fault.at == "start":
            raise _Found(at)
        at = self._space(at + 1)
        for number, member in enumerate(value):
            if wanted and number == self.fault.key:
                raise _Found(at)
            at = self._space(self.value(at, member))
            if self.text[at] == ",":
                at = self._space(at + 1)
        if wanted:
            raise _Found(at)
        return at + 1


def locate(fault: Malformed, raw: bytes, root: Any) -> None:
    """Adds line and column (from 1) to the fault, where they can be found, and the causes it is about."""
    if isinstance(fault.inner, Malformed):
        locate(fault.inner, raw, root)
    where = _find(fault, raw, root) if fault.node is not None else None
    if where is not None:
        place(fault, *where)
    if fault.inner is not None:
        _tell_cause(fault, fault.inner)


def _find(fault: Malformed, raw: bytes, root: Any) -> tuple[int, int] | None:
    text = raw.decode("utf-8", "replace")
    try:
        _Walker(text, fault).value(0, root)
    except _Found as found:
        return text.count("\n", 0, found.offset) + 1, found.offset - text.rfind("\n", 0, found.offset)
    except (ValueError, IndexError, RecursionError):
        return None
    return None


def place(fault: Malformed, line: int, col: int) -> None:
    """Writes a position into the fault, as its type shows it."""
    fault.node = None
    if fault.type == "x_content_parse_exception":
        fault.reason = f"[{line}:{col}] {fault.reason}"
        return
    if fault.type == "illegal_argument_exception":
        if fault.reason is not None and fault.reason.startswith(("Can't get text on", "query malformed, empty")):
            fault.reason += f" at [{line}:{col}]" if fault.reason.startswith("query") else f" at {line}:{col}"
        return
    if fault.type != "parsing_exception":
        return
    cause = fault.details.pop("caused_by", None)
    fault.details.update(line=line, col=col)
    if cause:
        if cause.get("type") == "named_object_not_found_exception":
            cause = {**cause, "reason": f"[{line}:{col}] {cause['reason']}"}
        fault.details["caused_by"] = cause


def _tell_cause(fault: Malformed, inner: ApiError) -> None:
    if fault.type == "parsing_exception":
        fault.reason = inner.reason
    fault.details["caused_by"] = inner.body()
    if fault.type != "parsing_exception" and inner.type in (
        "parsing_exception",
        "x_content_parse_exception",
        "parse_exception",
    ):
        root = inner.root_cause
        fault.root_cause = (
            root if root is not None else [{key: value for key, value in inner.body().items() if key != "caused_by"}]
        )
    fault.inner = None
