"""Simple wildcard patterns: `*` stands for any run of characters."""

from __future__ import annotations

import re
from functools import lru_cache


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in re.split(r"\*+", pattern)), re.DOTALL)


def simple_match(pattern: str, text: str) -> bool:
    if "*" not in pattern:
        return pattern == text
    return _compiled(pattern).fullmatch(text) is not None
