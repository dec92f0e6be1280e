"""From an index and a shard number to the node that has it: waiting for primaries, moves, broadcasts."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from quidditch.controlplane.api import ControlPlane
from quidditch.coordinator import copies
from quidditch.coordinator.copy_choice import CopyChoice
from quidditch.coordinator.options import WriteOptions
from quidditch.model.errors import ApiError
from quidditch.model.objects import Copy, Index
from quidditch.model.state import ClusterState
from quidditch.transport.api import NotSent, Transport, TransportError, UnknownAction
from quidditch.transport.errors import CallFailed, api_error, from_transport
from quidditch.transport.remote_shards import RemoteShards
from quidditch.transport.shards import WRITE, Description, OneShard, ShardCalls, ShardMissing
from quidditch_kernel import KernelError, Slice, SliceResult

log = logging.getLogger("quidditch.coordinator")


_WRITE_SECONDS = 60.0
"""What a node that got a write has at least to answer: before that it is not given up, its outcome would be unknown."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Place:
    """One copy of a shard, and what its node tells of it."""

    index: Index
    number: int
    copy: Copy
    about: Description | None


class Shards:
    """Calls to shards by index and number. `local` are those of this process."""

    def __init__(
        self, control: ControlPlane, local: ShardCalls, node_id: str, transport: Transport, choice: CopyChoice
    ) -> None:
        self._control = control
        self._local = local
        self._node_id = node_id
        self._transport = transport
        self._choice = choice

    def at(self, node: str) -> ShardCalls:
        """The shards of a node."""
        if node == self._node_id:
            return self._local
        return RemoteShards(self._transport, node)

    def primary(self, state: ClusterState, index: Index, number: int) -> ShardCalls | None:
        """Who has the primary; None while it has no started copy."""
        node = copies.primary(state, index, number)
        return None if node is None else self.at(node)

    # --- writes -----------------------------------------------------------------------------------------------------

    async def write(self, index: Index, number: int, slice: Slice, options: WriteOptions) -> SliceResult:
        """Applies a slice on the primary, which is waited for up to the timeout. Raises :class:`ApiError`."""
        return await self._on_primary(
            index, number, options, lambda target, left: target.write(index.uuid, number, slice, left)
        )

    async def retry(
        self, index: Index, number: int, slice: Slice, result: SliceResult, options: WriteOptions
    ) -> SliceResult:
        """Applies the items again that stopped at unknown fields, with the mapping that this node has now."""

        def again(target: ShardCalls, _left: float) -> Awaitable[SliceResult]:
            current = self._control.state.index_by_uuid(index.uuid) or index
            return target.retry(index.uuid, number, slice, result, current.spec.mapping_version)

        return await self._on_primary(index, number, options, again)

    async def _on_primary(
        self, index: Index, number: int, options: WriteOptions, call: Callable[[ShardCalls, float], Awaitable[T]]
    ) -> T:
        """Calls the primary, anew where it is certain that nothing was applied. Where that is not known the error says so:
        a second try could apply an operation twice, or refuse what the first one did.
        """
        deadline = time.monotonic() + options.timeout_ms / 1000
        while True:
            target = await self._ready(index, number, options, deadline)
            try:
                return await call(target, max(deadline - time.monotonic(), _WRITE_SECONDS))
            except (ShardMissing, NotSent, UnknownAction):
                pass
            except TransportError as error:
                node = copies.primary(self._control.state, index, number) or "_na_"
                raise from_transport(error, node, WRITE) from None
            except (KernelError, ApiError) as error:
                if api_error(error).type != "already_closed_exception":
                    raise
            await self._moved(index, number, options, deadline)

    async def _ready(self, index: Index, number: int, options: WriteOptions, deadline: float) -> ShardCalls:
        state = self._control.state
        needed = _active_needed(index, options)
        target = self.primary(state, index, number)
        if target is not None and (needed <= 1 or _active(state, index, number) >= needed):
            return target

        def ready(state: ClusterState) -> bool:
            if state.index_by_uuid(index.uuid) is None:
                return True
            found = self.primary(state, index, number) is not None
            return found and _active(state, index, number) >= needed

        await self._control.wait_for(ready, max(0.0, deadline - time.monotonic()))
        state = self._control.state
        if state.index_by_uuid(index.uuid) is None:
            raise ApiError(
                404,
                "index_not_found_exception",
                f"no such index [{index.name}]",
                {"index": index.name, "index_uuid": index.uuid},
            )
        target = self.primary(state, index, number)
        if target is None:
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
        return target

    async def _moved(self, index: Index, number: int, options: WriteOptions, deadline: float) -> None:
        """Waits for a newer state after the shard was not where the routing said."""
        version = self._control.state.version
        left = deadline - time.monotonic()
        if left <= 0:
            raise _unavailable(index, number, f"primary shard is not active Timeout: [{options.timeout}]")
        await self._control.wait_for(lambda state: state.version > version, min(left, 0.1))

    # --- reads and broadcasts ---------------------------------------------------------------------------------------

    async def get(self, index: Index, number: int, request: bytes, preference: str | None = None) -> bytes | None:
        """One document of a started copy. Raises no_shard_available_action_exception."""
        nodes = self._choice.readable(index, number, preference)
        for node in nodes:
            if node == self._node_id:
                call = self._local.get(index.uuid, number, request)
            else:
                far = RemoteShards(self._transport, node).get(index.uuid, number, request)
                call = self._choice.ask(node, far, others=node != nodes[-1])
            try:
                return await call
            except (ShardMissing, CallFailed):
                continue
            except (KernelError, ApiError) as error:
                if api_error(error).type != "already_closed_exception":
                    raise
        raise ApiError(
            503, "no_shard_available_action_exception", f"No shard available for [get [{index.name}][{number}]]"
        )

    async def refresh(self, index: Index, number: int) -> None:
        target = self.primary(self._control.state, index, number)
        if target is not None:
            await target.refresh(index.uuid, number)

    async def refreshed(self, index: Index, number: int, seq_no: int) -> None:
        target = self.primary(self._control.state, index, number)
        if target is not None:
            await target.refreshed(index.uuid, number, seq_no)

    async def broadcast(
        self, indices: Sequence[Index], call: Callable[[ShardCalls, str, int], Awaitable[Any]]
    ) -> dict[str, Any]:
        """Runs a call on every started copy of the indices; the `_shards` section of the answer.

        `total` counts all copies that the indices should have, as OpenSearch does.
        """
        total, failures = 0, []
        calls = []
        places = []
        for index in indices:
            total += (1 + index.number_of_replicas) * index.number_of_shards
            for number in range(index.number_of_shards):
                for copy in copies.of(self._control.state, index, number):
                    if copy.active and copy.node is not None:
                        places.append((index, number))
                        calls.append(call(self.at(copy.node), index.uuid, number))
        results = await asyncio.gather(*calls, return_exceptions=True)
        successful = 0
        for (index, number), outcome in zip(places, results, strict=True):
            if isinstance(outcome, ShardMissing):
                continue
            if isinstance(outcome, BaseException):
                if not isinstance(outcome, (KernelError, ApiError)):
                    raise outcome
                failures.append(
                    {
                        "shard": number,
                        "index": index.name,
                        "status": "INTERNAL_SERVER_ERROR",
                        "reason": api_error(outcome).body(),
                    }
                )
            else:
                successful += 1
        answer: dict[str, Any] = {"total": total, "successful": successful, "failed": len(failures)}
        if failures:
            answer["failures"] = failures
        return answer

    async def describe(
        self, indices: Iterable[Index], segments: bool = False, only: str | None = None, targets: bool = False
    ) -> list[Place]:
        """All copies of the indices in order, with what their nodes tell; one call for each node. `segments`: with those.
        `only`: the copies of this node. `targets`: with those that copies move to.
        """
        places: list[tuple[Index, int, Copy]] = []
        asked: dict[str, list[int]] = {}
        for index in indices:
            for number in range(index.number_of_shards):
                for copy in copies.of(self._control.state, index, number):
                    for each in (copy, copy.target) if targets else (copy,):
                        if each is None or only not in (None, each.node):
                            continue
                        if each.node is not None:
                            asked.setdefault(each.node, []).append(len(places))
                        places.append((index, number, each))
        told: dict[int, Description | None] = {}

        async def ask(node: str, wanted: list[int]) -> None:
            shards = [OneShard(places[at][0].uuid, places[at][1]) for at in wanted]
            try:
                told.update(zip(wanted, await self.at(node).describe(shards, segments), strict=True))
            except ApiError as error:
                log.info("node [%s] does not tell of its shards: %s", node, error)

        if list(asked) == [self._node_id]:
            await ask(self._node_id, asked[self._node_id])
        else:
            await asyncio.gather(*(ask(node, wanted) for node, wanted in asked.items()))
        return [Place(*place, told.get(at)) for at, place in enumerate(places)]


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
