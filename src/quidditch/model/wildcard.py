"""Simple patterns of names: `*` stands for any run of characters, everything else for itself."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence
from functools import lru_cache


def is_pattern(text: str) -> bool:
    return "*" in text


@lru_cache(maxsize=4096)
def _parts(pattern: str) -> tuple[str, tuple[str, ...], str]:
    """What a name begins with, has inside in this order, and ends with."""
    first, *inside, last = pattern.split("*")
    return first, tuple(part for part in inside if part), last


def matches(pattern: str, name: str) -> bool:
    if pattern == "*":
        return True
    if "*" not in pattern:
        return pattern == name
    first, inside, last = _parts(pattern)
    end = len(name) - len(last)
    if end < len(first) or not name.startswith(first) or not name.endswith(last):
        return False
    at = len(first)
    for part in inside:  # the first place is the best: no way back is needed, whatever the pattern
        at = name.find(part, at, end)
        if at < 0:
            return False
        at += len(part)
    return True


def matches_any(patterns: Iterable[str], name: str) -> bool:
    return any(matches(pattern, name) for pattern in patterns)


def select(pattern: str, sorted_names: Sequence[str]) -> Sequence[str]:
    """The names that match, in order. `sorted_names` must be sorted; a constant prefix narrows the search."""
    prefix, star, rest = pattern.partition("*")
    if not star:
        position = bisect.bisect_left(sorted_names, pattern)
        return sorted_names[position : position + 1] if sorted_names[position : position + 1] == [pattern] else []
    first = bisect.bisect_left(sorted_names, prefix)
    last = bisect.bisect_left(sorted_names, prefix + "\U0010ffff", first) if prefix else len(sorted_names)
    if not rest:
        return sorted_names[first:last]
    return [name for name in sorted_names[first:last] if matches(pattern, name)]
