"""Searches of this node's shards for other nodes: query, fetch, count, explain, and the readers that are kept between."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import quidditch_kernel
from quidditch.datanode.node import DataNode
from quidditch.lib.clock import Clock
from quidditch.lib.contexts import Contexts
from quidditch.lib.spread import Spent, spread
from quidditch.model.errors import ApiError
from quidditch.transport import errors
from quidditch.transport import searches as wire
from quidditch.transport.search_statistics import can_match, gathered
from quidditch.transport.searches import INLINE_COST, INLINE_SECONDS, Part, Wanted
from quidditch.transport.shards import ShardMissing
from quidditch_kernel import Cancel, KernelError, Outcome, Plan, Reader

MAX_CONTEXTS = 5_000
"""Contexts that may be open at a time; beyond that new ones are refused."""
FETCH_MS = 300_000.0
"""How long what a query found waits for its fetch."""
SWEEP_SECONDS = 30.0
_KEPT_PLANS = 512
SPREAD_COST = 10 * INLINE_COST
"""Plans that visit fewer documents than this take the shards one after the other."""
T = TypeVar("T")
_Chosen = tuple[Wanted, Reader, Plan]


@dataclass(slots=True)
class ReaderContext:
    """Readers by their places, with the plans of the query where that is to be fetched."""

    readers: Sequence[tuple[Wanted, Reader | None, Plan | None]]
    keep_alive_ms: float
    groups: Sequence[str] = ()
    quick: bool = False
    """What the query costs so little that its hits need no thread either."""
    statistics: bytes | None = None
    kind: str = ""
    """What the readers are kept for: see :meth:`DataNode.keep`."""
    ended: Callable[[], None] = lambda: None
    expires_ms: float = 0


class ShardSearches:
    """Used from the event loop's thread; kernel calls that take longer run in the data node's pool."""

    def __init__(self, data: DataNode, clock: Clock) -> None:
        self._data = data
        self.contexts: Contexts[ReaderContext] = Contexts(clock, b"\x0a", ended=lambda context: context.ended())
        self._plans: dict[bytes, Plan] = {}
        self._paces: dict[tuple[Plan, str], float] = {}
        """Milliseconds that a plan took of a shard of an index when it ran last."""
        self._running: dict[str, tuple[Cancel, int]] = {}
        """What ends the searches under way, by their names, and how many calls there are of each."""
        self._sweeper: asyncio.TimerHandle | None = None

    # --- readers ----------------------------------------------------------------------------------------------------

    async def open(self, query: wire.Query) -> wire.Opened:
        """Keeps readers of the shards as they are now, and tells of what segments they are."""
        readers = [self._reader(wanted, None) for wanted in query.shards]
        held = self._hold([(wanted, reader) for wanted, reader in zip(query.shards, readers, strict=True)], query)
        told = zip(query.shards, readers, strict=True)
        parts = [
            Part(error=_error(found)) if isinstance(found, Exception) else self._segments(wanted)
            for wanted, found in told
        ]
        return wire.Opened(held, parts)

    def _segments(self, wanted: Wanted) -> Part:
        try:
            return Part(self._data.segments(wanted.uuid, wanted.number))
        except KernelError:  # the reader is there; it serves searches without
            return Part()

    async def free(self, ids: list[str]) -> int:
        return self.contexts.remove(ids)

    def _reader(self, wanted: Wanted, context: ReaderContext | None) -> Reader | Exception:
        if context is not None:
            found = context.readers[wanted.at][1] if wanted.at < len(context.readers) else None
            return found or ShardMissing("the reader of the shard is not there any more")
        try:
            return self._data.reader(wanted.uuid, wanted.number)
        except (ShardMissing, KernelError) as error:
            closed = isinstance(error, KernelError) and error.args and error.args[0] == "already_closed_exception"
            return ShardMissing("the shard is closing") if closed else error

    def _context(self, query: wire.Query) -> ReaderContext | None:
        """The context that the query names, its time counted anew."""
        if not query.context:
            return None
        found = self.contexts.get(query.context, query.hold_ms or None)
        if found is None:
            raise ShardMissing("the search context is not there any more")
        return found

    def _readers(self, query: wire.Query) -> list[Reader | Exception]:
        context = self._context(query)
        return [self._reader(wanted, context) for wanted in query.shards]

    def _hold(self, readers: Sequence[tuple[Wanted, Reader | Exception]], query: wire.Query) -> str:
        """Keeps readers for queries to come, if the query wants that and does not come out of a context already."""
        if not query.hold_ms or query.context:
            return query.context
        kept = [(wanted, None if isinstance(found, Exception) else found, None) for wanted, found in readers]
        return self._keep(ReaderContext(kept, query.hold_ms, kind=query.kind))

    def _keep(self, context: ReaderContext) -> str:
        self.contexts.sweep()
        if len(self.contexts) >= MAX_CONTEXTS:
            reason = f"Trying to create too many search contexts. Must be less than or equal to: [{MAX_CONTEXTS}]."
            raise ApiError(429, "rejected_execution_exception", reason)
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().call_later(SWEEP_SECONDS, self._sweep)
        shards = [(wanted.index, wanted.number) for wanted, reader, _ in context.readers if reader is not None]
        context.ended = self._data.keep(context.kind, shards)
        return self.contexts.add(context)

    def _sweep(self) -> None:
        """Lets go of what nobody came for, now and as long as there is anything."""
        self.contexts.sweep()
        self._sweeper = (
            asyncio.get_running_loop().call_later(SWEEP_SECONDS, self._sweep) if len(self.contexts) else None
        )

    def _plan(self, data: bytes) -> Plan:
        found = self._plans.get(data)
        if found is None:
            found = quidditch_kernel.Plan(data)
            while len(self._plans) >= _KEPT_PLANS:
                del self._plans[next(iter(self._plans))]
            self._plans[data] = found
        return found

    def _chosen(self, query: wire.Query) -> tuple[list[Reader | Exception], list[_Chosen]]:
        """What each shard's reader is, and those that are there with their plans."""
        plans = [self._plan(data) for data in query.plans]
        readers = self._readers(query)
        pairs = zip(query.shards, readers, strict=True)
        return readers, [
            (wanted, found, plans[wanted.plan]) for wanted, found in pairs if not isinstance(found, Exception)
        ]

    async def _run(self, chosen: Sequence[_Chosen], work: Callable[[], T]) -> T:
        return work() if self._is_quick(chosen) else await self._data.call(work)

    def _is_quick(self, chosen: Sequence[_Chosen]) -> bool:
        """Whether the work on the shards is done before a thread could begin with it."""
        paces = [self._paces.get((plan, wanted.uuid)) for wanted, _, plan in chosen]
        known = [pace for pace in paces if pace is not None]
        return sum(known) < INLINE_SECONDS * 1000 if len(known) == len(paces) else _cost(chosen) < INLINE_COST

    def _note(self, chosen: Sequence[_Chosen], millis: float) -> None:
        """What a shard took; one slow run, as a busy machine makes them, counts in part."""
        if len(self._paces) > 2 * _KEPT_PLANS:
            self._paces.clear()
        for key in {(plan, wanted.uuid) for wanted, _, plan in chosen}:
            self._paces[key] = min(millis, self._paces.get(key, millis) * 4)

    async def _each(self, chosen: Sequence[_Chosen], width: int, work: Callable[[_Chosen], T]) -> list[T]:
        """The work of every shard; where it is much, of so many at a time."""
        if self._is_quick(chosen):
            return [work(each) for each in chosen]
        if _cost(chosen) < SPREAD_COST:
            return await self._data.call(lambda: [work(each) for each in chosen])
        return await spread(self._data.call, min(width, os.cpu_count() or 1), chosen, work)

    # --- ending -----------------------------------------------------------------------------------------------------

    @contextmanager
    def _stoppable(self, task: str) -> Iterator[Cancel | None]:
        """What ends the search of this name, while it is under way."""
        if not task:
            yield None
            return
        cancel, calls = self._running.get(task, (None, 0))
        cancel = cancel or Cancel()
        self._running[task] = cancel, calls + 1
        try:
            yield cancel
        finally:
            cancel, calls = self._running.pop(task)
            if calls > 1:
                self._running[task] = cancel, calls - 1

    async def cancel(self, tasks: list[str]) -> None:
        """Ends searches that are under way here."""
        for task in tasks:
            if task in self._running:
                self._running[task][0].cancel()

    # --- phases -----------------------------------------------------------------------------------------------------

    async def statistics(self, query: wire.Query) -> wire.Opened:
        """Keeps readers as :meth:`open` does. A shard that cannot tell is silent: its query says why."""
        readers, chosen = self._chosen(query)
        with self._stoppable(query.task) as cancel:

            def one(each: _Chosen) -> Part:
                _, reader, plan = each
                found = _part(lambda: quidditch_kernel.statistics(reader, plan, cancel), cancel)
                return Part(found.data)

            found = iter(await self._each(chosen, query.width, one))
        parts = [Part(error=_error(reader)) if isinstance(reader, Exception) else next(found) for reader in readers]
        return wire.Opened(self._hold(list(zip(query.shards, readers, strict=True)), query), parts)

    async def query(self, query: wire.Query) -> wire.Queried:
        """Runs the plans. A shard that fails answers its error."""
        started = time.perf_counter()
        readers, chosen = self._chosen(query)
        service = Spent()
        work = quidditch_kernel.query
        with self._stoppable(query.task) as cancel, self._data.counts.running(_names(chosen)):

            def one(each: _Chosen) -> Part:
                wanted, reader, plan = each
                with service:
                    return _part(
                        lambda: work(reader, plan, query.cursor, wanted.place, cancel, query.statistics), cancel
                    )

            parts = await self._each(chosen, query.width, one)
        failed = [each for each, part in zip(chosen, parts, strict=True) if part.error is not None]
        self._data.failed(_names(failed))
        found = iter(parts)
        blocks = [Part(error=_error(reader)) if isinstance(reader, Exception) else next(found) for reader in readers]
        millis = (time.perf_counter() - started) * 1000
        mean_ms = service.millis / max(1, len(chosen))
        if query.cursor is None:
            self._note(chosen, mean_ms)
        self._data.counts.add(_names(chosen), millis, query.groups, fetched=False)
        held = self._hold(list(zip(query.shards, readers, strict=True)), query)
        context = ""
        if query.fetches and chosen:
            plans = [self._plan(data) for data in query.plans]
            kept = [
                (wanted, None if isinstance(reader, Exception) else reader, plans[wanted.plan])
                for wanted, reader in zip(query.shards, readers, strict=True)
            ]
            quick = self._is_quick(chosen)
            context = self._keep(ReaderContext(kept, FETCH_MS, query.groups, quick, query.statistics))
        return wire.Queried(blocks, context, held, self._data.queued, mean_ms)

    async def fetch(self, fetch: wire.Fetch) -> list[Part]:
        """The hits of a query's shards; its context ends. Raises :class:`ShardMissing` if it has ended before."""
        context = self.contexts.pop(fetch.context)
        if context is None:
            raise ShardMissing("the search context is not there any more")
        context.ended()
        started = time.perf_counter()
        node = self._data.id
        kernel_fetch = quidditch_kernel.fetch

        def one(at: int, refs: bytes, cancel: Cancel | None) -> Part:
            wanted, reader, plan = context.readers[at]
            assert reader is not None
            assert plan is not None
            where = wanted.index, wanted.number, reader
            return _part(lambda: kernel_fetch(*where, plan, refs, node, cancel, context.statistics), cancel)

        with self._stoppable(fetch.task) as cancel:

            def work() -> list[Part]:
                return [one(at, refs, cancel) for at, refs in fetch.shards]

            parts = work() if context.quick else await self._data.call(work)
        names = [(context.readers[at][0].index, context.readers[at][0].number) for at, _ in fetch.shards]
        self._data.counts.add(names, (time.perf_counter() - started) * 1000, context.groups, queried=False)
        return parts

    async def whole(self, query: wire.Query) -> wire.Whole:
        """All phases at once, for a search whose shards are all here. Raises :class:`ShardMissing` if one is not."""
        started = time.perf_counter()
        readers, chosen = self._chosen(query)
        for reader in readers:
            if isinstance(reader, Exception):
                raise reader
        node = self._data.id
        targets = [(wanted.index, wanted.number, node, reader) for wanted, reader, _ in chosen]
        plans = [plan for _, _, plan in chosen]
        own = plans if any(plan is not plans[0] for plan in plans) else None

        with self._stoppable(query.task) as cancel, self._data.counts.running(_names(chosen)):

            def work() -> tuple[Outcome, bytes | None]:
                statistics = query.statistics
                if query.gathers:
                    statistics = gathered([(reader, plan) for _, reader, plan in chosen], cancel)
                return quidditch_kernel.search(targets, plans[0], own, query.cursor, cancel, statistics), statistics

            found, statistics = await self._run(chosen, work)
        self._data.counts.add(_names(chosen), (time.perf_counter() - started) * 1000, query.groups)
        if query.cursor is None:
            self._note(chosen, found.seconds * 1000 / len(chosen))
        held = self._hold(list(zip(query.shards, readers, strict=True)), query)
        return wire.Whole(
            found.body,
            found.timed_out,
            found.terminated_early,
            found.failures,
            found.total,
            found.scroll,
            found.aggregations_at,
            held,
            self._data.queued,
            found.seconds * 1000 / len(chosen),
            statistics,
        )

    async def count(self, query: wire.Query) -> list[Part]:
        readers, chosen = self._chosen(query)

        with self._stoppable(query.task) as cancel:

            def one(each: _Chosen) -> Part:
                _, reader, plan = each
                return _part(lambda: b"%d" % quidditch_kernel.count([reader], plan, cancel))

            found = iter(await self._each(chosen, query.width, one))
        return [Part(error=_error(reader)) if isinstance(reader, Exception) else next(found) for reader in readers]

    async def can_match(self, query: wire.Query) -> list[bool]:
        """Whether each shard may match, at once: no document is looked at. One that cannot tell may."""
        readers, chosen = self._chosen(query)
        found = iter([can_match(reader, plan) for _, reader, plan in chosen])
        return [isinstance(reader, Exception) or next(found) for reader in readers]

    async def explain(self, explain: wire.Explain) -> wire.Explained:
        reader = self._reader(explain.shard, None)
        if isinstance(reader, Exception):
            raise reader
        return wire.Explained(quidditch_kernel.explain(reader, self._plan(explain.plan), explain.id))


def _names(chosen: Sequence[_Chosen]) -> list[tuple[str, int]]:
    return [(wanted.index, wanted.number) for wanted, _, _ in chosen]


def _cost(chosen: Sequence[_Chosen]) -> int:
    return sum(plan.cost([reader]) for _, reader, plan in chosen)


def _part(work: Callable[[], bytes], cancel: Cancel | None = None) -> Part:
    if cancel is not None and cancel.cancelled:
        return Part(error=errors.encode(ApiError(500, "task_cancelled_exception", "The task is cancelled.")))
    try:
        return Part(work())
    except KernelError as error:
        return Part(error=errors.encode(error))


def _error(found: Reader | Exception) -> bytes | None:
    return errors.encode(found) if isinstance(found, Exception) else None
