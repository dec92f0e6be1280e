"""Paths into answers, the stash, and comparison as the suite defines them."""

from __future__ import annotations

import re
from typing import Any


class StepFailed(AssertionError):
    """An expectation of the test does not hold."""


class Stash(dict[str, Any]):
    """Values remembered by `set`; `$name` and `${name}` refer to them."""

    def expand(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._expand_text(value)
        if isinstance(value, list):
            return [self.expand(item) for item in value]
        if isinstance(value, dict):
            return {
                self._expand_text(key) if isinstance(key, str) else key: self.expand(item)
                for key, item in value.items()
            }
        return value

    def _expand_text(self, text: str) -> Any:
        whole = re.fullmatch(r"\$\{?([\w.]+?)\}?", text)
        if whole and (whole[1] in self or "." in whole[1]):
            return self._lookup(whole[1])
        return re.sub(r"\$\{(\w+)\}", lambda match: str(self[match[1]]) if match[1] in self else match[0], text)

    def _lookup(self, name: str) -> Any:
        if name in self:
            return self[name]
        head, _, rest = name.partition(".")
        if head not in self:
            return "$" + name
        return lookup(self[head], rest, self)


def lookup(body: Any, path: str, stash: Stash) -> Any:
    """The value at a dotted path, None if missing; `$body` is the whole, `_arbitrary_key_` the name of some key."""
    if path in ("$body", ""):
        return body
    if path.startswith("$body."):
        path = path[6:]
    value = body
    for raw in re.split(r"(?<!\\)\.", path):
        key = str(stash.expand(raw.replace("\\.", ".")))
        if isinstance(value, dict):
            if key == "_arbitrary_key_":
                if not value:
                    return None
                return next(iter(value))
            value = value.get(key)
        elif isinstance(value, list):
            if not key.lstrip("-").isdigit() or int(key) >= len(value):
                return None
            value = value[int(key)]
        else:
            return None
    return value


def matches(actual: Any, expected: Any) -> bool:
    """Equality with regular expressions (`/…/`, comments allowed) and numbers compared by value."""
    if isinstance(expected, str):
        text = expected.strip()
        if len(text) > 1 and text.startswith("/") and text.endswith("/"):
            return re.search(text[1:-1], _as_text(actual), re.VERBOSE) is not None
    if isinstance(expected, dict) and isinstance(actual, dict):
        return expected.keys() == actual.keys() and all(matches(actual[key], expected[key]) for key in expected)
    if isinstance(expected, list) and isinstance(actual, list):
        return len(expected) == len(actual) and all(map(matches, actual, expected))
    if _is_number(actual) and _is_number(expected):
        return bool(actual == expected) or abs(actual - expected) <= 1e-9 * max(abs(actual), abs(expected))
    if isinstance(actual, bool) != isinstance(expected, bool):
        return _as_text(actual) == _as_text(expected)
    return bool(actual == expected)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def truthy(value: Any) -> bool:
    return value not in (None, "", False, 0, "false", "0")
