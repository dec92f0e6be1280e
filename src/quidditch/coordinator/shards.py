"""From an index and a shard number to the node that has it: waiting for primaries, moves, broadcasts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from quidditch.controlplane.api import ControlPlane
from quidditch.coordinator.options import WriteOptions
from quidditch.model.errors import ApiError
from quidditch.model.objects import Index
from quidditch.model.state import ClusterState
from quidditch.transport.shards import ShardCalls, ShardMissing
from quidditch_kernel import KernelError, Slice, SliceResult


class Shards:
    """Calls to shards by index and number."""

    def __init__(self, control: ControlPlane, local: ShardCalls, node_id: str) -> None:
        self._control = control
        self._local = local
        self._node_id = node_id

    def primary(self, state: ClusterState, index: Index, number: int) -> ShardCalls | None:
        """Who has the primary; None while it has no started copy."""
        routing = state.routing.get(index.name)
        if routing is None or routing.spec.uuid != index.uuid or number >= len(routing.spec.shards):
            return None
        copy = routing.spec.shards[number].primary
        if not copy.active:
            return None
        if copy.node != self._node_id:
            raise ApiError(503, "node_not_connected_exception", f"[{copy.node}] Node not connected")
        return self._local

    # --- writes -----------------------------------------------------------------------------------------------------

    async def write(self, index: Index, number: int, slice: Slice, options: WriteOptions) -> SliceResult:
        """Applies a slice on the primary, which is waited for up to the timeout. Raises :class:`ApiError`."""
        deadline = time.monotonic() + options.timeout_ms / 1000
        while True:
            target = await self._ready(index, number, options, deadline)
            try:
                return await target.write(index.uuid, number, slice)
            except ShardMissing:
                await self._moved(index, number, options, deadline)
            except KernelError as error:
                if error.args[0] != "already_closed_exception":
                    raise
                await self._moved(index, number, options, deadline)

    async def retry(self, index: Index, number: int, slice: Slice, result: SliceResult) -> None:
        target = self.primary(self._control.state, index, number)
        if target is None:
            raise ShardMissing
        await target.retry(index.uuid, number, slice, result)

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

    def get(self, index: Index, number: int, request: bytes) -> bytes | None:
        """One document of a started copy. Raises no_shard_available_action_exception."""
        target = self.primary(self._control.state, index, number)
        if target is not None:
            try:
                return target.get(index.uuid, number, request)
            except ShardMissing:
                pass
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
        """Runs a call on every shard of the indices; the `_shards` section of the answer.

        `total` counts all copies that the indices should have, as OpenSearch does.
        """
        total, failures = 0, []
        calls = []
        places = []
        for index in indices:
            copies = 1 + index.number_of_replicas
            total += copies * index.number_of_shards
            for number in range(index.number_of_shards):
                target = self.primary(self._control.state, index, number)
                if target is not None:
                    places.append((index, number))
                    calls.append(call(target, index.uuid, number))
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
                        "reason": _reason(outcome),
                    }
                )
            else:
                successful += 1
        answer: dict[str, Any] = {"total": total, "successful": successful, "failed": len(failures)}
        if failures:
            answer["failures"] = failures
        return answer


def _reason(error: BaseException) -> dict[str, Any]:
    if isinstance(error, ApiError):
        return error.body()
    return {"type": str(error.args[0]), "reason": str(error.args[1])}


def _active(state: ClusterState, index: Index, number: int) -> int:
    routing = state.routing.get(index.name)
    if routing is None or number >= len(routing.spec.shards):
        return 0
    return sum(copy.active for copy in routing.spec.shards[number].copies)


def _active_needed(index: Index, options: WriteOptions) -> int:
    wanted = options.active_shards
    if wanted is None:
        text = str(index.setting("index.write.wait_for_active_shards", "1"))
        wanted = -1 if text == "all" else int(text)
    return 1 + index.number_of_replicas if wanted == -1 else wanted


def _unavailable(index: Index, number: int, problem: str) -> ApiError:
    return ApiError(503, "unavailable_shards_exception", f"[{index.name}][{number}] {problem}")
