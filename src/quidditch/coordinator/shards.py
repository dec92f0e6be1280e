"""From an index and a shard number to the node that has it: waiting for primaries, moves, broadcasts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from quidditch.controlplane.api import ControlPlane
from quidditch.coordinator import copies
from quidditch.coordinator.copy_choice import CopyChoice
from quidditch.coordinator.options import WriteOptions
from quidditch.coordinator.primaries import Primaries
from quidditch.model.errors import ApiError
from quidditch.model.objects import Copy, Index
from quidditch.model.state import ClusterState
from quidditch.transport.api import Transport
from quidditch.transport.errors import CallFailed, api_error
from quidditch.transport.remote_shards import RemoteShards
from quidditch.transport.shards import Description, Meant, OneShard, ShardCalls, ShardMissing
from quidditch_kernel import KernelError, Slice, SliceResult

log = logging.getLogger("quidditch.coordinator")


_AGES = 86_400.0


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
        self._primaries = Primaries(control, self.at, node_id)

    def at(self, node: str) -> ShardCalls:
        """The shards of a node."""
        if node == self._node_id:
            return self._local
        return RemoteShards(self._transport, node)

    # --- writes -----------------------------------------------------------------------------------------------------

    async def write(
        self, index: Index, number: int, slice: Slice, options: WriteOptions, *, repeatable: bool = True
    ) -> SliceResult:
        """Applies a slice on the primary, which is waited for up to the timeout. `repeatable`: it may be applied a second time where it
        is not known whether it was. Raises :class:`ApiError`.
        """

        def write(target: ShardCalls, meant: Meant, left: float) -> Awaitable[SliceResult]:
            return target.write(index.uuid, number, slice, meant, left)

        return await self._primaries.call(index, number, options, write, repeatable=repeatable)

    async def retry(
        self, index: Index, number: int, slice: Slice, result: SliceResult, options: WriteOptions
    ) -> SliceResult:
        """Applies the items again that stopped at unknown fields, with the mapping that this node has now."""

        def again(target: ShardCalls, meant: Meant, _left: float) -> Awaitable[SliceResult]:
            current = self._control.state.index_by_uuid(index.uuid) or index
            return target.retry(index.uuid, number, slice, result, current.spec.mapping_version, meant)

        return await self._primaries.call(index, number, options, again)

    # --- reads and broadcasts ---------------------------------------------------------------------------------------

    async def get(
        self, index: Index, number: int, request: bytes, preference: str | None = None, routing: str | None = None
    ) -> bytes | None:
        """One document of a started copy. `routing` is for the error. Raises no_shard_available_action_exception."""
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
        asked = f"get [{index.name}][{orjson.loads(request)['id']}]: routing [{routing or 'null'}]"
        raise ApiError(503, "no_shard_available_action_exception", f"No shard available for [{asked}]")

    async def refresh(self, index: Index, number: int) -> None:
        """Every active copy of the shard shows what it has; one that fails or goes away is not waited for."""
        await self._on_copies(index, number, lambda target: target.refresh(index.uuid, number))

    async def refreshed(self, index: Index, number: int, seq_no: int) -> None:
        """Returns once every active copy of the shard shows the operations up to `seq_no`."""
        await self._on_copies(index, number, lambda target: target.refreshed(index.uuid, number, seq_no))

    async def _on_copies(self, index: Index, number: int, call: Callable[[ShardCalls], Awaitable[None]]) -> None:
        active = [copy for copy in copies.of(self._control.state, index, number) if copy.active]
        if len(active) == 1 and active[0].node == self._node_id:
            await call(self._local)
            return
        for outcome in await asyncio.gather(
            *(self._while_there(index, number, copy, call) for copy in active), return_exceptions=True
        ):
            if isinstance(outcome, BaseException) and not isinstance(outcome, (ShardMissing, ApiError, KernelError)):
                raise outcome

    async def _while_there(
        self, index: Index, number: int, copy: Copy, call: Callable[[ShardCalls], Awaitable[None]]
    ) -> None:
        """Returns when the copy has answered, or is active no longer."""

        def gone(state: ClusterState) -> bool:
            return not any(
                each.allocation_id == copy.allocation_id and each.active for each in copies.of(state, index, number)
            )

        answer = asyncio.ensure_future(call(self.at(str(copy.node))))
        left = asyncio.ensure_future(self._control.wait_for(gone, _AGES))
        try:
            await asyncio.wait([answer, left], return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                answer.result()
        finally:
            answer.cancel()
            left.cancel()

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
