"""A call to another copy, with patience for a slow one and none for one that hangs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from quidditch.datanode.replication.engine import Peers
from quidditch.lib.clock import Clock
from quidditch.model.errors import ApiError
from quidditch.transport.api import NotSent, Overloaded, Remote, TimedOut, TransportError, Unreachable
from quidditch.transport.errors import MISSING
from quidditch.transport.replication import OPERATIONS, PING, STALE_TERM, Checkpoints, Operations

_PAUSES = (0.01, 0.02, 0.05, 0.1)
_BUSY = ("rejected_execution_exception", "circuit_breaking_exception")


class Patience(NamedTuple):
    """Seconds. A copy whose node has said nothing for `quiet` is asked whether it is there, and is given up when that is not answered
    within `hung`, or when its node or the shard on it is not there for `away`. One that is only slow has `slow`.
    """

    quiet: float = 0.4
    hung: float = 0.6
    away: float = 0.6
    slow: float = 60.0


class Member(NamedTuple):
    """A copy on its node."""

    allocation_id: str
    node: str


class Failure(NamedTuple):
    """A copy that did not take its operations. `error`: what it answered; None: it was not there."""

    member: Member
    reason: str
    error: ApiError | None = None


class Deposed(Exception):
    """The copy follows a newer primary; the message is what it said."""


class CopyCalls:
    """`gone` says whether a copy has left its node, by the routing: then nobody waits for it."""

    def __init__(
        self, peers: Peers, clock: Clock, patience: Callable[[], Patience], gone: Callable[[Member], bool]
    ) -> None:
        self._peers = peers
        self._clock = clock
        self._patience = patience
        self._gone = gone

    async def send(self, member: Member, message: Operations) -> Checkpoints | Failure:
        """What cannot have been heard, or may be heard again, is sent again for a while: operations may come twice. Raises
        :class:`Deposed`.
        """
        began = self._clock.monotonic()
        attempt = 0
        while True:
            try:
                return await self._ask(member, message)
            except ApiError as error:
                if error.type == STALE_TERM:
                    raise Deposed(str(error.reason)) from None
                limit = self._limit(error)
                failure = Failure(member, f"{error.type}: {error.reason}", None if error.type == MISSING else error)
            except TransportError as error:
                patience = self._patience()
                limit = patience.slow if isinstance(error, Overloaded) else patience.away
                limit = 0.0 if isinstance(error, TimedOut) else limit
                failure = Failure(member, str(error) or type(error).__name__)
            if self._gone(member) or self._clock.monotonic() - began >= limit:
                return failure
            await asyncio.sleep(_PAUSES[min(attempt, len(_PAUSES) - 1)])
            attempt += 1

    def _limit(self, error: ApiError) -> float:
        if error.type in _BUSY or error.status == 429:
            return self._patience().slow
        return self._patience().away if error.type in (MISSING, "already_closed_exception") else 0.0

    async def _ask(self, member: Member, message: Operations) -> Checkpoints:
        patience = self._patience()
        call = asyncio.ensure_future(self._peers.call(member.node, OPERATIONS, message, Checkpoints, patience.slow))
        try:
            while not (await asyncio.wait([call], timeout=self._patience().quiet))[0]:
                await self._ping(member, call)
            return call.result()
        finally:
            call.cancel()

    async def _ping(self, member: Member, call: asyncio.Future[Checkpoints]) -> None:
        """Raises :class:`TimedOut` for a node that hangs."""
        try:
            await self._peers.call(member.node, PING, None, type(None), self._patience().hung)
        except (NotSent, Unreachable):
            if not call.done():
                raise
        except (TransportError, Remote) as error:
            if not call.done() and isinstance(error, TimedOut):
                raise TimedOut(f"node [{member.node}] hangs") from None
