"""`indices.recovery.max_bytes_per_sec`: what the recoveries of a node may carry, all together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from quidditch.lib.clock import Clock

_SLICE = 0.25
"""Seconds after which a wait looks at the rate again: it may have been changed."""
_BURST = 0.1
"""Seconds' worth of bytes that may pass at once."""


class Throttle:
    """`rate` in bytes per second, asked each time; 0: no limit."""

    def __init__(self, rate: Callable[[], float], clock: Clock) -> None:
        self._rate = rate
        self._clock = clock
        self._asked = self._passed = 0.0
        """Bytes ever asked for, and those of them that may have passed by now; in the order of asking."""
        self._at = clock.monotonic()

    async def take(self, size: int) -> float:
        """Returns when that many bytes may pass; answers the seconds that took."""
        began = self._clock.monotonic()
        self._pay()
        self._asked += size
        upto = self._asked
        while (rate := self._rate()) > 0:
            ahead = upto - self._passed - rate * _BURST
            if ahead <= 0:
                break
            await asyncio.sleep(min(ahead / rate, _SLICE))
            self._pay()
        return self._clock.monotonic() - began

    def _pay(self) -> None:
        now, rate = self._clock.monotonic(), self._rate()
        due = rate * (now - self._at) if rate > 0 else self._asked
        self._passed = min(self._asked, self._passed + due)
        self._at = now
