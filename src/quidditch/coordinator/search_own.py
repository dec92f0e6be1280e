"""The part of a search over several nodes that is done on this one: its own shards, on the event loop or spread over threads."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import quidditch_kernel
from quidditch.coordinator.copy_choice import CopyChoice
from quidditch.coordinator.search_prepared import Elsewhere, LocalShards
from quidditch.coordinator.search_run import CANCELLED, Run, Source
from quidditch.lib.spread import Spent, spread
from quidditch.model.errors import ApiError
from quidditch.transport import errors
from quidditch.transport.errors import from_kernel
from quidditch.transport.searches import INLINE_COST, INLINE_SECONDS, Part
from quidditch_kernel import KernelError

if TYPE_CHECKING:
    from quidditch_kernel import Plan, Reader

_SPREAD_SECONDS = 2e-3
"""Plans that took longer than this run on several shards at a time."""


class OwnShards:
    """Works on places of a run whose readers are here."""

    def __init__(self, local: LocalShards, choice: CopyChoice) -> None:
        self._local = local
        self._choice = choice

    async def query(self, run: Run, places: Sequence[int]) -> None:
        """Their blocks, or why there is none, become those of the run."""
        started = time.perf_counter()
        readers = run.prepared.readers
        service = Spent()

        def one(at: int) -> bytes | KernelError:
            with service:
                return _caught(run, at)

        try:
            quick = _is_quick(run, places)
            found = [one(at) for at in places] if quick else await spread(self._local.call, _width(run), places, one)
        except ApiError as error:
            for at in places:
                run.fail(at, error)
            return
        for at, block in zip(places, found, strict=True):
            if isinstance(block, KernelError):
                run.fail(at, from_kernel(block))
                self._local.failed([readers[at][:2]])
            else:
                run.add(at, block)
                run.sources[at] = Source("")
        run.spent_ms += service.millis
        if not quick:
            waited_ms = (time.perf_counter() - started) * 1000 / len(places)
            self._choice.answered(self._local.id, self._local.queued, service.millis / len(places), waited_ms)
        millis = (time.perf_counter() - started) * 1000
        self._local.searched([(readers[at][0], readers[at][1]) for at in places], millis, run.plan.groups)

    async def fetch(self, run: Run, wanted: Sequence[tuple[int, bytes]]) -> list[bytes | ApiError]:
        """The hits of each of these shards."""
        readers, node = run.prepared.readers, self._local.id

        def one(at: int, refs: bytes) -> bytes | ApiError:
            index, number, _, reader = readers[at]
            assert not isinstance(reader, Elsewhere)
            try:
                return quidditch_kernel.fetch(
                    index, number, reader, run.plan_of(at).kernel, refs, node, run.cancel, run.prepared.statistics
                )
            except KernelError as error:
                return from_kernel(error)

        if _is_quick(run, [at for at, _ in wanted]):
            return [one(at, refs) for at, refs in wanted]
        try:
            return await self._local.call(lambda: [one(at, refs) for at, refs in wanted])
        except ApiError as error:
            return [error] * len(wanted)

    async def each(self, run: Run, places: Sequence[int], work: Callable[[Reader, Plan], bytes]) -> list[Part]:
        """What the kernel says of each of these shards."""

        def one(at: int) -> Part:
            try:
                return Part(work(run.here(at), run.plan_of(at).kernel))
            except KernelError as error:
                return Part(error=errors.encode(error))

        if _is_quick(run, places):
            return [one(at) for at in places]
        try:
            return await spread(self._local.call, _width(run), places, one)
        except ApiError as error:
            return [Part(error=errors.encode(error))] * len(places)


def _is_quick(run: Run, places: Sequence[int]) -> bool:
    """Whether the work on these shards of this node is done before a thread could begin with it."""
    seconds = run.plan.pace.seconds
    if seconds is not None and run.cursor is None:
        return seconds * len(places) / len(run.prepared.readers) < INLINE_SECONDS
    cost = 0
    for at in places:
        cost += run.plan_of(at).kernel.cost([run.here(at)])
    return cost < INLINE_COST


def _width(run: Run) -> int:
    """Threads for the shards of this node: one for a quick plan."""
    pace = run.plan.pace.seconds
    quick = pace is not None and pace <= _SPREAD_SECONDS
    return 1 if quick else min(run.prepared.width, os.cpu_count() or 1)


def _caught(run: Run, at: int) -> bytes | KernelError:
    if run.stop is not None and run.stop.stopped:
        return KernelError(CANCELLED, "The task is cancelled.", 500, b"{}")
    try:
        plan, statistics = run.plan_of(at).kernel, run.prepared.statistics
        return quidditch_kernel.query(run.here(at), plan, run.cursor, at, run.cancel, statistics)
    except KernelError as error:
        return error
