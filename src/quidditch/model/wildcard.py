"""Simple patterns of names: `*` stands for any run of characters, everything else for itself."""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache


def is_pattern(text: str) -> bool:
    return "*" in text


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in re.sub(r"\*+", "*", pattern).split("*")), re.DOTALL)


def matches(pattern: str, name: str) -> bool:
    if pattern == "*":
        return True
    if "*" not in pattern:
        return pattern == name
    return _compiled(pattern).fullmatch(name) is not None


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
    regex = _compiled(pattern)
    return [name for name in sorted_names[first:last] if regex.fullmatch(name)]
