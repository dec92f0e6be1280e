"""A candidate for the lead: takes the lease, keeps it, gives it back, and looks whether a rival that has it still lives."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import structlog

from quidditch.lib.clock import Clock
from quidditch.store import api

_log = structlog.get_logger(__name__)


class Candidate:
    """`holder` names this process in the lease, `seconds` is how long others wait for it after it died. `gone` looks for
    a while whether another leader has died; `may_lead` says whether this one is a candidate at all.
    """

    def __init__(
        self,
        store: api.Store,
        holder: str,
        clock: Clock,
        seconds: float,
        gone: Callable[[api.Lease], Awaitable[bool]] | None,
        may_lead: Callable[[], bool],
    ) -> None:
        self._store = store
        self.holder = holder
        self._clock = clock
        self.seconds = seconds
        self._gone = gone
        self.may_lead = may_lead
        self.lease: api.Lease | None = None
        """The newest lease that was led by."""

    async def acquire(self, leading: bool) -> api.Lease | None:
        """The lease, taken or renewed; None while another has it. Who is `leading` and may not gives it back."""
        if self.may_lead():
            return await self._store.acquire(self.holder, self._clock.now_ms() / 1000, self.seconds)
        if leading and self.lease is not None:
            await self._store.release(self.lease)
        return None

    async def look_at_rival(self) -> None:
        """Waits a little; a leader that is known to be gone loses its lease before its time."""
        rival = await self._store.leader()
        if rival is None:
            await asyncio.sleep(0 if self.may_lead() else self.seconds / 10)
            return
        if self._gone is None or rival.holder == self.holder:
            await asyncio.sleep(self.seconds / 10)
        elif await self._gone(rival):
            _log.info("the leader is gone", leader=rival.holder, epoch=rival.epoch)
            await self._store.release(rival)

    async def release(self) -> None:
        if self.lease is not None:
            with contextlib.suppress(api.StoreError):
                await self._store.release(self.lease)
