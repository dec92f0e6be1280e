"""Calls to the primary of a shard: waits for it, follows it when it moves or dies, up to the request's timeout."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec

from quidditch.controlplane.api import ControlPlane
from quidditch.coordinator import copies
from quidditch.coordinator.options import WriteOptions
from quidditch.model.errors import ApiError
from quidditch.model.objects import Index
from quidditch.model.state import ClusterState
from quidditch.transport.api import NotSent, TransportError, UnknownAction
from quidditch.transport.errors import api_error, from_transport
from quidditch.transport.shards import RETRY_ON_PRIMARY, WRITE, Meant, ShardCalls, ShardMissing
from quidditch_kernel import KernelError

_WRITE_SECONDS = 60.0
"""What a primary that got a write has at least to answer, as long as it is the primary."""
_GRACE = 0.05
"""Seconds for an answer that is on its way when the routing says that the primary is another."""
T = TypeVar("T")
Call = Callable[[ShardCalls, Meant, float], Awaitable[T]]


class Unanswered(TransportError):
    """The primary that was called is the primary no longer, and has not answered."""


class Primaries:
    """`at` answers the shards of a node, `here` is this one."""

    def __init__(self, control: ControlPlane, at: Callable[[str], ShardCalls], here: str) -> None:
        self._control = control
        self._at = at
        self._here = here

    async def call(
        self, index: Index, number: int, options: WriteOptions, call: Call[T], *, repeatable: bool = True
    ) -> T:
        """The answer of the primary. Where it is not known whether a call had an effect it is made again as `retried`, as OpenSearch
        does; but not if it is not `repeatable`: a second try could refuse what the first one did. Raises :class:`ApiError`.
        """
        deadline = _now() + options.timeout_ms / 1000
        retried = False
        while True:
            node, meant = await self._ready(index, number, options, deadline)
            try:
                left = max(deadline - _now(), _WRITE_SECONDS)
                asked = msgspec.structs.replace(meant, retried=True) if retried else meant
                return await self._answer(index, number, node, asked, call, left)
            except (ShardMissing, NotSent, UnknownAction):
                pass
            except TransportError as error:
                if not repeatable or _now() >= deadline:
                    raise from_transport(error, node, WRITE) from None
                retried = True
            except (KernelError, ApiError) as error:
                kind = api_error(error).type
                if kind == RETRY_ON_PRIMARY and repeatable and _now() < deadline:
                    retried = True
                elif kind != "already_closed_exception":
                    raise
            await self._moved(index, number, options, deadline, meant)

    async def _answer(self, index: Index, number: int, node: str, meant: Meant, call: Call[T], timeout: float) -> T:
        """Raises :class:`Unanswered` when another becomes primary and this one, which may hang, does not answer."""
        if node == self._here:
            # What this process knows of the term, its primary knows too.
            return await call(self._at(node), meant, timeout)
        answer = asyncio.ensure_future(call(self._at(node), meant, timeout))
        moved = self._control.wait_for(lambda state: _term(state, index, number) != meant.primary_term, timeout)
        waiting: list[asyncio.Future[Any]] = [answer, asyncio.ensure_future(moved)]
        try:
            await asyncio.wait(waiting, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                await asyncio.wait([answer], timeout=_GRACE)
            if not answer.done():
                raise Unanswered(f"[{index.name}][{number}] got another primary, or none")
            return answer.result()
        finally:
            for future in waiting:
                future.cancel()

    async def _ready(self, index: Index, number: int, options: WriteOptions, deadline: float) -> tuple[str, Meant]:
        state = self._control.state
        needed = _active_needed(index, options)
        found = copies.meant(state, index, number)
        if found is not None and (needed <= 1 or _active(state, index, number) >= needed):
            return found

        def ready(state: ClusterState) -> bool:
            if state.index_by_uuid(index.uuid) is None:
                return True
            return copies.meant(state, index, number) is not None and _active(state, index, number) >= needed

        await self._control.wait_for(ready, max(0.0, deadline - _now()))
        state = self._control.state
        if state.index_by_uuid(index.uuid) is None:
            details = {"index": index.name, "index_uuid": index.uuid}
            raise ApiError(404, "index_not_found_exception", f"no such index [{index.name}]", details)
        found = copies.meant(state, index, number)
        if found is None:
            raise _unavailable(index, number, f"primary shard is not active Timeout: [{options.timeout}]")
        have = _active(state, index, number)
        if have < needed:
            count = str(needed) if options.active_shards != -1 else "ALL"
            raise _unavailable(
                index,
                number,
                f"Not enough active copies to meet shard count of [{count}] (have {have}, needed {needed}). "
                f"Timeout: [{options.timeout}]",
            )
        return found

    async def _moved(self, index: Index, number: int, options: WriteOptions, deadline: float, meant: Meant) -> None:
        """Waits, not for long, for a state in which the primary is another: it was not where the routing said."""
        left = deadline - _now()
        if left <= 0:
            raise _unavailable(index, number, f"primary shard is not active Timeout: [{options.timeout}]")

        def another(state: ClusterState) -> bool:
            found = copies.meant(state, index, number)
            return found is None or found[1] != meant

        await self._control.wait_for(another, min(left, 0.1))


def _now() -> float:
    return asyncio.get_running_loop().time()


def _term(state: ClusterState, index: Index, number: int) -> int:
    routing = state.routing.get(index.name)
    return routing.spec.shards[number].primary_term if routing is not None and routing.spec.uuid == index.uuid else -1


def _active(state: ClusterState, index: Index, number: int) -> int:
    return sum(copy.active for copy in copies.of(state, index, number))


def _active_needed(index: Index, options: WriteOptions) -> int:
    wanted = options.active_shards
    if wanted is None:
        text = str(index.setting("index.write.wait_for_active_shards", "1"))
        wanted = -1 if text == "all" else int(text)
    return 1 + index.number_of_replicas if wanted == -1 else wanted


def _unavailable(index: Index, number: int, problem: str) -> ApiError:
    return ApiError(503, "unavailable_shards_exception", f"[{index.name}][{number}] {problem}")
