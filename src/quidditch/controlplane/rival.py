"""What a candidate knows of the leader: whether it lives, asked directly, long before its lease would run out.

To take the lead from a leader that lives after all is safe, since its writes are fenced by the epoch; it only costs a moment.
"""

from __future__ import annotations

import asyncio

from quidditch.controlplane import wire
from quidditch.lib.clock import Clock
from quidditch.store.api import Lease
from quidditch.transport.api import Transport, TransportError, Unreachable

_INTERVAL = 0.2
_TIMEOUT = 0.5
_ALLOWED = 1.0
"""Seconds without an answer after which a leader counts as gone; one whose address refuses twice is gone at once."""
_REFUSALS = 2


class Rivals:
    """Looks after one leader at a time, named `node id@host:port` in its lease."""

    def __init__(self, transport: Transport, clock: Clock) -> None:
        self._transport = transport
        self._clock = clock
        self._lease: Lease | None = None
        self._heard = 0.0
        self._refusals = 0

    def address(self) -> str:
        """Where the leader was last; empty if there was none."""
        return self._lease.holder.partition("@")[2] if self._lease is not None else ""

    async def gone(self, lease: Lease) -> bool:
        """Asks the holder once. Takes about as long as the time between two questions."""
        if lease != self._lease:
            self._lease, self._heard, self._refusals = lease, self._clock.monotonic(), 0
        before = self._clock.monotonic()
        try:
            answer = await self._transport.call(f"@{self.address()}", wire.ALIVE, b"", _TIMEOUT)
        except TransportError as error:
            self._refusals += isinstance(error, Unreachable)
            return self._refusals >= _REFUSALS or self._clock.monotonic() - self._heard > _ALLOWED
        finally:
            await asyncio.sleep(max(0.0, _INTERVAL - (self._clock.monotonic() - before)))
        self._heard, self._refusals = self._clock.monotonic(), 0
        return wire.decode(answer, wire.Heard).epoch < lease.epoch  # the process was started anew and knows of no lead
