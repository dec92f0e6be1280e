"""Searches that outlive a request: scrolls and points in time, with their keep-alive."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from quidditch.coordinator.search_plans import CompiledPlan
from quidditch.lib.clock import Clock
from quidditch.model.errors import ApiError, illegal_argument
from quidditch.model.objects import Index
from quidditch.query.values import time_ms

if TYPE_CHECKING:
    from quidditch_kernel import Plan, Reader

LocalReader = tuple[str, int, str, "Reader"]
"""Index, shard, node id, reader: what the kernel's `search` takes."""

MAX_OPEN = 500
DAY_MS = 86_400_000


@dataclass(slots=True)
class ScrollContext:
    """Readers and plan of a scroll, and how far it came. `done`: the last page was not full."""

    readers: Sequence[LocalReader]
    plan: CompiledPlan
    plans: Sequence[Plan] | None
    shards: dict[str, Any]
    keep_alive_ms: float
    expires_ms: float = 0
    cursor: bytes | None = None
    variants: dict[bool, Plan] = field(default_factory=dict)


@dataclass(slots=True)
class PointInTime:
    """Readers kept open under an id; `indices` by name as they were."""

    readers: Sequence[LocalReader]
    indices: dict[str, Index]
    filters: dict[str, tuple[dict[str, Any], ...] | None]
    shards: dict[str, Any]
    created_ms: int
    keep_alive_ms: float
    expires_ms: float = 0


C = TypeVar("C", ScrollContext, PointInTime)


class Contexts(Generic[C]):
    """Contexts by id; those whose time is over are forgotten at every access."""

    def __init__(self, clock: Clock, prefix: bytes) -> None:
        self._clock = clock
        self._prefix = prefix
        self._open: dict[str, C] = {}

    def add(self, context: C) -> str:
        """Keeps a context; answers its id."""
        self.sweep()
        id = base64.urlsafe_b64encode(self._prefix + secrets.token_bytes(30)).decode()
        self._touch(context)
        self._open[id] = context
        return id

    def get(self, id: str, keep_alive_ms: float | None = None) -> C | None:
        """The context, its time counted anew."""
        self.sweep()
        found = self._open.get(id)
        if found is not None:
            if keep_alive_ms is not None:
                found.keep_alive_ms = max(found.keep_alive_ms, keep_alive_ms)
            self._touch(found)
        return found

    def remove(self, ids: Iterable[str]) -> int:
        """Forgets contexts; answers how many there were."""
        self.sweep()
        return sum(self._open.pop(id, None) is not None for id in set(ids))

    def clear(self) -> int:
        count = len(self._open)
        self._open.clear()
        return count

    def items(self) -> list[tuple[str, C]]:
        self.sweep()
        return list(self._open.items())

    def is_id(self, id: str) -> bool:
        """Whether the text could be an id of this kind."""
        try:
            return base64.urlsafe_b64decode(id.encode()).startswith(self._prefix)
        except (ValueError, UnicodeEncodeError):
            return False

    def __len__(self) -> int:
        return len(self._open)

    def sweep(self) -> None:
        now = self._clock.monotonic() * 1000
        over = [id for id, context in self._open.items() if context.expires_ms <= now]
        for id in over:
            del self._open[id]

    def _touch(self, context: C) -> None:
        context.expires_ms = self._clock.monotonic() * 1000 + context.keep_alive_ms


def keep_alive(text: str, name: str, setting: str, limit: Any) -> float:
    """A keep-alive in milliseconds, within the limit that the setting gives (`24h` by default)."""
    milliseconds = time_ms(text, name)
    most = time_ms(str(limit), setting) if limit else DAY_MS
    if milliseconds > most:
        shown = str(limit) if limit else ("24h" if setting.startswith("point") else "1d")
        raise illegal_argument(
            f"Keep alive for request ({text}) is too large. It must be less than ({shown}). This limit can be set by changing the "
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
