"""How many requests a second this client makes: a bucket of tokens, in which what keeps the cluster safe goes before the rest."""

from __future__ import annotations

import asyncio
import enum
import heapq
import itertools


class Priority(enum.IntEnum):
    """Who goes first when requests have to wait."""

    SAFETY = 0
    """The leader's lease, and writes on which it hangs that no document is lost."""
    NORMAL = 1
    BACKGROUND = 2
    """What may come late: status, what is only shown."""


_KEPT = {Priority.SAFETY: 0.0, Priority.NORMAL: 0.1, Priority.BACKGROUND: 0.3}
"""The share of a full bucket that is left for those who go first."""


class RateLimit:
    """`rate` requests a second in the long run, `burst` at once after a pause. Lives on one event loop."""

    def __init__(self, rate: float, burst: int) -> None:
        if rate <= 0 or burst < 1:
            raise ValueError("rate and burst must be positive")
        self.rate = rate
        self.burst = burst
        self._tokens = float(burst)
        self._filled: float | None = None
        self._waiting: list[tuple[Priority, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()
        self._timer: asyncio.TimerHandle | None = None

    async def take(self, priority: Priority = Priority.NORMAL) -> None:
        """Waits until it is this request's turn. One that gives up (is cancelled) costs nothing."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (priority, next(self._numbers), future))
        self._serve()
        await future

    def _drop_done(self) -> None:
        while self._waiting and self._waiting[0][2].done():
            heapq.heappop(self._waiting)

    def _fill(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._filled is not None:
            self._tokens = min(float(self.burst), self._tokens + (now - self._filled) * self.rate)
        self._filled = now

    def _missing(self, priority: Priority) -> float:
        """Tokens that are to come before one of that priority may have its own."""
        return min(1 + _KEPT[priority] * self.burst, float(self.burst)) - self._tokens

    def _serve(self) -> None:
        """Hands tokens to whom they are due, and comes back when the next one is."""
        self._fill()
        self._drop_done()
        while self._waiting and (missing := self._missing(self._waiting[0][0])) <= 1e-9:
            heapq.heappop(self._waiting)[2].set_result(None)
            self._tokens -= 1
            self._drop_done()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting:
            self._timer = asyncio.get_running_loop().call_later(missing / self.rate, self._serve)
