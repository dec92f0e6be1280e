"""What a mapping is parsed against.

The analysis components of its index, and checks that live outside this pure folder.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ParseContext:
    """Names that a mapping may refer to; `None` leaves a kind of name unchecked.

    `check_date_format` raises for a date format that cannot be understood.
    """

    analyzers: frozenset[str] | None = None
    normalizers: frozenset[str] | None = None
    similarities: frozenset[str] | None = None
    check_date_format: Callable[[str], None] | None = None


UNCHECKED = ParseContext()
