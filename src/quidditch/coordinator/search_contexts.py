"""Searches that outlive a request: scrolls and points in time, with their keep-alive."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from quidditch.coordinator.search_plans import CompiledPlan
from quidditch.coordinator.search_prepared import ShardReader
from quidditch.lib.units import format_millis
from quidditch.model.errors import ApiError, illegal_argument
from quidditch.model.objects import Index
from quidditch.query.values import time_ms

DAY_MS = 86_400_000


@dataclass(slots=True)
class ScrollContext:
    """Readers and plan of a scroll, and how far it came."""

    readers: Sequence[ShardReader]
    plan: CompiledPlan
    plans: Sequence[CompiledPlan] | None
    shards: dict[str, Any]
    keep_alive_ms: float
    expires_ms: float = 0
    cursor: bytes | None = None
    statistics: bytes | None = None
    variants: dict[bool, CompiledPlan] = field(default_factory=dict)
    ended: Callable[[], None] = lambda: None


@dataclass(slots=True)
class PointInTime:
    """Readers kept open under an id; `indices` by name as they were."""

    readers: Sequence[ShardReader]
    indices: dict[str, Index]
    filters: dict[str, tuple[dict[str, Any], ...] | None]
    shards: dict[str, Any]
    segments: dict[tuple[str, int], bytes]
    """By index and number, of what segments the readers are (JSON); what is not known is missing."""
    created_ms: int
    keep_alive_ms: float
    expires_ms: float = 0
    ended: Callable[[], None] = lambda: None


def keep_alive(text: str, name: str, setting: str, limit: Any) -> float:
    """A keep-alive in milliseconds, within the limit that the setting gives (`24h` by default)."""
    milliseconds = time_ms(text, name)
    most = time_ms(str(limit), setting) if limit else DAY_MS
    if milliseconds > most:
        asked, allowed = format_millis(milliseconds), format_millis(most)
        raise illegal_argument(
            f"Keep alive for request ({asked}) is too large. It must be less than ({allowed}). This limit can be set by changing the "
            f"[{setting}] cluster level setting."
        )
    return max(milliseconds, 0)


def too_many_scrolls(limit: int) -> ApiError:
    return ApiError(
        429,
        "rejected_execution_exception",
        f"Trying to create too many scroll contexts. Must be less than or equal to: [{limit}]. This limit can be set by changing the "
        "[search.max_open_scroll_context] setting.",
    )
