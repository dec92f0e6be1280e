"""A replica's side: takes operations of the newest term that it knows, and adopts a newer one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from quidditch.datanode.replication.engine import Engine, Run
from quidditch.datanode.replication.permits import Permits
from quidditch.model.errors import ApiError
from quidditch.transport.replication import STALE_TERM, Checkpoints, Head, Operations

_ADOPT_SECONDS = 30.0
"""What operations under way have to end in, before a new term is adopted."""


class Replica:
    """`reopen(recover_to, term)` closes the engine and opens it anew with nothing above `recover_to`; `mapped(version)` returns once
    the mapping here has that version.
    """

    def __init__(
        self,
        allocation_id: str,
        engine: Engine,
        *,
        primary_term: int,
        run: Run,
        reopen: Callable[[int, int], Awaitable[Engine]],
        adopt: Callable[[int], None],
        mapped: Callable[[int], Awaitable[None]],
        durable: Callable[[], bool] = lambda: True,
    ) -> None:
        self.allocation_id = allocation_id
        self.engine = engine
        self.primary_term = primary_term
        self.permits = Permits()
        self._run = run
        self._reopen = reopen
        self._adopt_term = adopt
        self._mapped = mapped
        self._durable = durable
        self._adopting = asyncio.Lock()
        self._retained = -1

    async def take(self, message: Operations) -> Checkpoints:
        """Everything in the message, and all that came before it, is on disk on return if the index says so. Raises an
        :class:`ApiError` of type `STALE_TERM` for what an older primary sends.
        """
        head = message.head
        await self.follow(head)
        if message.operations:
            await self._mapped(message.mapping_version)
        async with self.permits.operation():
            self._check(head)
            # A copy that is being built lacks operations: opened anew, it would take what its log has of an older term for them.
            self.engine.set_global_checkpoint(min(head.global_checkpoint, self.engine.checkpoints()[2]))
            if message.retain != self._retained:
                self._retained = message.retain
                self.engine.retain_history(message.retain)
            if message.operations:
                await self._run(self.engine.apply, message.operations, head.primary_term, self._durable())
            elif self._durable():
                # What was told when nothing is written any more is what this copy goes on from when its process is killed.
                await self._run(self.engine.sync)
            _, _, persisted, known = self.engine.checkpoints()
            return Checkpoints(persisted, known)

    async def follow(self, head: Head) -> None:
        """What every message of a primary begins with, whatever its kind: an older term is refused, a newer one adopted."""
        self._check(head)
        if head.primary_term > self.primary_term:
            async with self._adopting:
                if head.primary_term > self.primary_term:
                    await self._adopt(head)
        self._check(head)

    def _check(self, head: Head) -> None:
        if head.primary_term < self.primary_term:
            raise stale(head, self.primary_term)

    async def _adopt(self, head: Head) -> None:
        """Goes back to what all copies have, and voids what an older primary sent beyond what the new one knew."""
        async with self.permits.alone(_ADOPT_SECONDS):
            self.permits.check()
            greatest, _, _, known = self.engine.checkpoints()
            certain = max(known, head.global_checkpoint)
            if greatest > certain:
                self.engine = await self._reopen(certain, head.primary_term)
            else:
                self._adopt_term(head.primary_term)
            await self._run(self.engine.trim_above, head.term_start)
            self.primary_term = head.primary_term

    async def promote(self, primary_term: int, timeout: float = _ADOPT_SECONDS) -> None:
        """Becomes the primary of a new term, once what is under way has ended; whatever comes for the replica afterwards is refused as
        old.
        """
        async with self._adopting, self.permits.alone(timeout):
            self.primary_term = max(self.primary_term, primary_term)
            await self._run(self.engine.promote, primary_term)

    def close(self, error: Exception) -> None:
        self.permits.close(error)


def stale(head: Head, known: int) -> ApiError:
    reason = f"primary term [{head.primary_term}] is older than [{known}], which copy [{head.allocation_id}] follows"
    return ApiError(409, STALE_TERM, reason)
