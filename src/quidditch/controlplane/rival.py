"""What a candidate knows of the leader: whether it lives, asked directly, long before its lease would run out.

To take the lead from a leader that lives after all is safe, since its writes are fenced by the epoch; it only costs a moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from quidditch.controlplane import wire
from quidditch.controlplane.core.fault_detection import Checks, leader_checks
from quidditch.lib.clock import Clock
from quidditch.model.errors import ApiError
from quidditch.store.api import Lease
from quidditch.transport.api import Transport, TransportError, Unreachable

_AGAIN = 0.05
"""Seconds until a leader is asked again that refused the connection."""
_LOOK = 0.5
"""How long a question waits for the leader to be found gone."""
_KEPT = 10.0
"""A leader that nobody has asked about for so long is not looked after any more."""


def _by_default() -> Checks:
    return leader_checks(lambda _setting: None)


class Rivals:
    """Looks after one leader at a time, named `node id@host:port` in its lease: from the first question about it on, also while nobody
    asks. Where a machine is lost, etcd is often without a leader as well; when it has one again it is known already who is gone.
    `checks` say when it counts as gone; one whose address refuses as often as is tried is gone at once.
    """

    def __init__(self, transport: Transport, clock: Clock, checks: Callable[[], Checks] = _by_default) -> None:
        self._transport = transport
        self._clock = clock
        self._checks = checks
        self._lease: Lease | None = None
        self._asked = 0.0
        self._found_gone = asyncio.Event()
        self._watcher: asyncio.Task[None] | None = None

    def address(self) -> str:
        """Where the leader was last; empty if there was none."""
        return self._lease.holder.partition("@")[2] if self._lease is not None else ""

    async def gone(self, lease: Lease) -> bool:
        """Whether the holder is gone; False after a while in which it was not found to be."""
        self._asked = self._clock.monotonic()
        if lease != self._lease or self._watcher is None or self._watcher.done():
            await self.stop()
            self._lease = lease
            self._found_gone.clear()
            self._watcher = asyncio.ensure_future(self._watch(lease))
        try:
            await asyncio.wait_for(self._found_gone.wait(), _LOOK)
        except TimeoutError:
            return False
        return True

    async def stop(self) -> None:
        """Looks after nobody any more."""
        while self._watcher is not None and not self._watcher.done():
            # Again and again, since wait_for can lose a cancellation (before Python 3.12).
            self._watcher.cancel()
            await asyncio.wait([self._watcher], timeout=0.1)

    async def _watch(self, lease: Lease) -> None:
        heard, refusals = self._clock.monotonic(), 0
        while self._clock.monotonic() - self._asked < _KEPT:
            before, checks = self._clock.monotonic(), self._checks()
            pause = checks.interval
            try:
                answer = await self._transport.call(f"@{self.address()}", wire.ALIVE, b"", checks.timeout)
            except (TransportError, ApiError) as error:
                if isinstance(error, Unreachable):
                    refusals, pause = refusals + 1, _AGAIN
                if refusals >= checks.retries or self._clock.monotonic() - heard > checks.gone:
                    self._found_gone.set()
            else:
                heard, refusals = self._clock.monotonic(), 0
                if wire.decode(answer, wire.Heard).epoch < lease.epoch:
                    self._found_gone.set()  # the process was started anew and knows of no lead
                else:
                    self._found_gone.clear()
            await asyncio.sleep(max(0.0, pause - (self._clock.monotonic() - before)))
