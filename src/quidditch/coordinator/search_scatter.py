"""A search whose shards are on several nodes: query there, merge here, fetch there, write the answer here.

Where a copy fails, or its node falls silent, its shard is asked of the next copy at once, whatever the others do; a shard that no copy
answers for is a failure of the answer. Where what was found cannot be fetched any more, the search begins anew without that copy.
"""

from __future__ import annotations

import time
from asyncio import Task, ensure_future, gather
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

import quidditch_kernel
from quidditch.coordinator.copy_choice import CopyChoice
from quidditch.coordinator.search_errors import ShardFailure, phase_failed
from quidditch.coordinator.search_own import OwnShards
from quidditch.coordinator.search_plans import CompiledPlan
from quidditch.coordinator.search_prepared import Elsewhere, LocalShards, Prepared, ShardReader
from quidditch.coordinator.search_run import CANCELLED, Run, Source
from quidditch.model.errors import ApiError
from quidditch.transport import errors
from quidditch.transport.breakers import Breaker
from quidditch.transport.errors import from_kernel
from quidditch.transport.search_statistics import can_match
from quidditch.transport.searches import (
    Answered,
    Fetch,
    Opened,
    Part,
    Query,
    Searches,
    Wanted,
)
from quidditch.transport.shards import ShardMissing
from quidditch_kernel import KernelError

if TYPE_CHECKING:
    pass

T = TypeVar("T")
_INLINE_BYTES = 200_000
"""Blocks that are smaller than this together are merged on the event loop's thread."""
_ATTEMPTS = 3
"""How often a search begins, at most, when nodes are lost between query and fetch."""
_MOVED_SECONDS = 1.0
"""How long a shard that no node has any more may take to be known elsewhere: nodes learn one after the other that it moved."""
_HOLD_MS = 300_000.0
"""How long readers wait for the query after what they told for it."""
_Ask = Callable[[Run, str, Sequence[int]], Awaitable[None]]


class Scatter:
    """Runs searches and counts over shards of this and other nodes."""

    def __init__(self, searches: Searches, local: LocalShards, choice: CopyChoice, memory: Breaker) -> None:
        self._searches = searches
        self._local = local
        self._choice = choice
        self._memory = memory
        self._own = OwnShards(local, choice)
        self._numbers = count(1)
        self._telling: set[Task[None]] = set()

    # --- a search ---------------------------------------------------------------------------------------------------

    async def execute(
        self, prepared: Prepared, plan: CompiledPlan, cursor: bytes | None = None, hold_ms: float = 0
    ) -> Answered:
        """The kernel's answer; failures of single shards are added to those of the preparation. With `hold_ms` the readers are
        kept that long where they are, and those of `prepared` name them.
        """
        stop = None if prepared.cancel is None else prepared.cancel()
        run = Run(prepared, plan, cursor, hold_ms, stop, memory=self._memory)
        if stop is not None:
            run.task = f"{self._local.id}:{next(self._numbers)}"
        with nullcontext() if stop is None else stop.telling(lambda: self._cancel(run)):
            try:
                for attempt in range(1, _ATTEMPTS + 1):
                    try:
                        found = await self._attempt(run, last=attempt == _ATTEMPTS)
                    finally:
                        run.release()
                    if found is not None:
                        return found
                    run = run.again()
            finally:
                self.free(run.opened)
        raise AssertionError("the last attempt answers")

    async def _attempt(self, run: Run, *, last: bool) -> Answered | None:
        """None: hits are lost that another copy may have."""
        prepared, plan, cursor = run.prepared, run.plan, run.cursor
        whole = await self._whole(run)
        if whole is not None:
            return whole
        try:
            if run.gathers:
                await self._gather(run)
            await self._ask_all(run, self._query)
            self._check_queried(run)
            places, blocks = run.answers()
            merged = await self._merged(
                blocks, lambda: quidditch_kernel.merge(plan.kernel, blocks, cursor, run.cancel, places)
            )
            refs = quidditch_kernel.fetch_refs(merged)
            hits, lost = await self._fetch_all(run, refs)
            if lost and not last and not _is_cancelled(lost) and all(self._untried(run, at) is not None for at in lost):
                for at in lost:
                    self._move(run, at)
                return None
            failures = [ShardFailure(*prepared.readers[at][:3], error) for at, error in sorted(lost.items())]
            prepared.failures.extend([*run.failures(), *failures])
            if refs and (not hits or _is_cancelled(lost)):
                raise phase_failed(prepared.failures, phase="fetch")
            return await self._merged(
                [*blocks, *hits], lambda: quidditch_kernel.render(plan.kernel, merged, hits, cursor)
            )
        except KernelError as error:
            failed = from_kernel(error)
            if failed.type != CANCELLED:
                raise failed from None
            raise phase_failed([ShardFailure(*reader[:3], failed) for reader in prepared.readers]) from None
        finally:
            self.free(run.unfetched)

    def _check_queried(self, run: Run) -> None:
        """Raises search_phase_execution_exception where there is nothing to answer with, or no memory for it."""
        if run.refused is not None:
            raise phase_failed([ShardFailure(*reader[:3], run.refused) for reader in run.prepared.readers])
        if run.broken is not None:
            raise run.broken
        if not run.answered or _is_cancelled(run.errors):
            raise phase_failed([*run.prepared.failures, *run.failures()])
        if run.cursor is None and not run.errors:
            run.plan.pace.note(run.spent_ms / 1000)
        if run.hold_ms:
            run.leave_out()

    async def _merged(self, blocks: Sequence[bytes], work: Callable[[], T]) -> T:
        small = sum(map(len, blocks)) < _INLINE_BYTES
        return work() if small else await self._local.call(work)

    async def _whole(self, run: Run) -> Answered | None:
        """The answer of the one node that has all shards; None where there is no such, or where it has not all any more."""
        groups = run.groups()
        places = range(len(run.prepared.readers))
        if len(groups) != 1 or not all(run.is_away(at) and not run.elsewhere(at).gone for at in places):
            return None
        ((node, _),) = groups
        started = time.perf_counter()
        try:
            found = await self._call(run, node, places, self._searches.whole(node, run.message(places)))
        except ShardMissing:
            return None
        except ApiError as error:
            for at in places:
                run.tried[at].add(node)
                run.fail(at, error)
            return None
        run.spent_ms += found.service_ms * len(places)
        self._answered(node, found.queue, found.service_ms, started, len(places))
        if run.cursor is None:
            run.plan.pace.note(run.spent_ms / 1000)
        run.keep(places, node, found.held)
        prepared = run.prepared
        prepared.statistics = found.statistics
        return found

    def _answered(self, node: str, queue: int, service_ms: float, started: float, shards: int) -> None:
        self._choice.answered(node, queue, service_ms, (time.perf_counter() - started) * 1000 / shards)

    async def _call(self, run: Run, node: str, places: Sequence[int], call: Coroutine[Any, Any, T]) -> T:
        """Asks a node; not patiently where other copies may be asked for all that it is asked for."""
        run.asked.add(node)
        others = all(self._untried(run, at, node) is not None for at in places)
        return await self._choice.ask(node, call, others=others)

    # --- copies -----------------------------------------------------------------------------------------------------

    def _untried(self, run: Run, at: int, but: str = "") -> str | None:
        """The next node to ask for a place; None if there is none."""
        index = run.index_of(at)
        failed = run.errors.get(at)
        ended = (run.stop is not None and run.stop.stopped) or (failed is not None and failed.type == CANCELLED)
        if index is None or ended:
            return None
        try:
            nodes = self._choice.readable(index, run.prepared.readers[at][1], run.prepared.preference)
        except ApiError:  # the nodes that are preferred are no more
            return None
        return next((node for node in nodes if node not in run.tried[at] and node != but), None)

    def _move(self, run: Run, at: int) -> str | None:
        """Has the next copy answer for the place; the node, None if there is no further copy."""
        while True:
            node = self._untried(run, at)
            index = run.index_of(at)
            if node is None or index is None:
                return None
            number = run.prepared.readers[at][1]
            reader: Any = Elsewhere(index.uuid)
            if node == self._local.id:
                run.tried[at].add(node)
                try:
                    reader = self._local.reader(index.uuid, number)
                except (ShardMissing, KernelError):
                    continue
            run.prepared.readers[at] = (index.name, number, node, reader)
            return node

    async def _ask_all(self, run: Run, ask: _Ask) -> None:
        """Asks for every shard, and for those that fail again where their other copies are."""
        failed = list(run.errors)
        groups = [self._ask_group(run, ask, node, places) for (node, _), places in run.groups().items()]
        await gather(self._ask_others(run, ask, failed), *groups)
        missing = [at for at, error in run.errors.items() if error.type == errors.MISSING]
        if missing and await self._choice.changed(lambda: self._may_go_on(run, missing), _MOVED_SECONDS):
            await self._ask_others(run, ask, missing)

    def _may_go_on(self, run: Run, missing: Sequence[int]) -> bool:
        return any(self._untried(run, at) is not None or not self._choice.knows(run.index_of(at)) for at in missing)

    async def _ask_group(self, run: Run, ask: _Ask, node: str, places: Sequence[int]) -> None:
        for at in places:
            run.tried[at].add(node)
        await ask(run, node, places)
        await self._ask_others(run, ask, run.failed(places))

    async def _ask_others(self, run: Run, ask: _Ask, failed: Sequence[int]) -> None:
        groups: dict[str, list[int]] = defaultdict(list)
        for at in failed:
            node = self._move(run, at)
            if node is not None:
                groups[node].append(at)
        if groups:
            await gather(*(self._ask_group(run, ask, node, places) for node, places in groups.items()))

    # --- statistics -------------------------------------------------------------------------------------------------

    async def _gather(self, run: Run) -> None:
        """Finds by what the shards score, and keeps the readers that told it for the query."""
        await self._ask_all(run, self._statistics)
        blocks = [block for block in run.statistics.values() if block]
        run.prepared.statistics = quidditch_kernel.merge_statistics(blocks)

    async def _statistics(self, run: Run, node: str, places: Sequence[int]) -> None:
        if not run.is_away(places[0]):
            parts = await self._own.each(
                run, places, lambda reader, plan: quidditch_kernel.statistics(reader, plan, run.cancel)
            )
            run.tell(places, [Part(part.data) for part in parts])
            return
        message = msgspec.structs.replace(run.message(places), hold_ms=run.hold_ms or _HOLD_MS)
        opened = await self._opened(run, node, places, self._searches.statistics(node, message))
        if opened is not None:
            if not run.hold_ms and not message.context:
                run.opened.add((node, opened.context))
            run.tell(places, opened.parts)

    async def _opened(
        self, run: Run, node: str, places: Sequence[int], call: Coroutine[Any, Any, Opened]
    ) -> Opened | None:
        """What a node keeps of its shards; None where it failed."""
        try:
            opened = await self._call(run, node, places, call)
        except ApiError as error:
            for at in places:
                run.fail(at, error)
            return None
        except ShardMissing:
            context = run.elsewhere(places[0]).context
            for at in places:
                run.fail(at, _no_context(context))
            return None
        run.keep(places, node, opened.context)
        return opened

    # --- query ------------------------------------------------------------------------------------------------------

    async def _query(self, run: Run, node: str, places: Sequence[int]) -> None:
        if not run.is_away(places[0]):
            await self._own.query(run, places)
            await self._reduce(run)
            return
        started = time.perf_counter()
        try:
            answer = await self._call(run, node, places, self._searches.query(node, run.message(places)))
        except ApiError as error:
            for at in places:
                run.fail(at, error)
            return
        except ShardMissing:
            context = run.elsewhere(places[0]).context
            for at in places:
                run.fail(at, _no_context(context))
            return
        run.spent_ms += answer.service_ms * len(places)
        self._answered(node, answer.queue, answer.service_ms, started, len(places))
        run.keep(places, node, answer.held)
        if answer.context:
            run.unfetched.add((node, answer.context))
        run.take(places, answer.blocks)
        for position, at in enumerate(places):
            run.sources[at] = Source(node, answer.context, position)
        await self._reduce(run)

    async def _reduce(self, run: Run) -> None:
        """Merges what was answered so far whenever it fills a batch: no more than that is held (`batched_reduce_size`)."""
        while run.starts_reducing():
            places, blocks = run.answers()
            work = partial(quidditch_kernel.reduce, run.plan.kernel, blocks, places, run.cancel)
            try:
                run.replace_by(places, await self._merged(blocks, work))
            except KernelError as error:
                run.broken = error
            finally:
                run.reducing = False

    # --- fetch ------------------------------------------------------------------------------------------------------

    async def _fetch_all(self, run: Run, refs: Iterable[tuple[int, bytes]]) -> tuple[list[bytes], dict[int, ApiError]]:
        """The hits of the page, in no order, as each knows its place; and why those of some shards are lost."""
        groups: dict[tuple[str, str], list[tuple[int, bytes]]] = defaultdict(list)
        for at, wanted in refs:
            source = run.sources[at]
            groups[source.node, source.context].append((at, wanted))
        run.unfetched -= groups.keys()
        calls = [
            self._fetch(run, node, context, wanted) if node else self._own.fetch(run, wanted)
            for (node, context), wanted in groups.items()
        ]
        hits: list[bytes] = []
        lost: dict[int, ApiError] = {}
        for asked, found in zip(groups.values(), await gather(*calls), strict=True):
            for (at, _), hit in zip(asked, found, strict=True):
                if isinstance(hit, ApiError):
                    lost[at] = hit
                else:
                    hits.append(hit)
        return hits, lost

    async def _fetch(
        self, run: Run, node: str, context: str, wanted: Sequence[tuple[int, bytes]]
    ) -> list[bytes | ApiError]:
        message = Fetch(context, [(run.sources[at].at, refs) for at, refs in wanted], run.task)
        try:
            call = self._call(run, node, [at for at, _ in wanted], self._searches.fetch(node, message))
            return [errors.decode(part.error) if part.error is not None else part.data for part in await call]
        except (ApiError, ShardMissing) as error:
            failed = error if isinstance(error, ApiError) else _no_context(context)
            return [failed] * len(wanted)

    # --- readers and counts -----------------------------------------------------------------------------------------

    async def hold(self, prepared: Prepared, hold_ms: float) -> dict[tuple[str, int], bytes]:
        """Has the readers of shards elsewhere kept there; those that cannot be are failures of `prepared`, and left out. Answers of
        what segments those are that are kept elsewhere, as JSON, by index and number.
        """
        run = Run(prepared, _NO_PLAN, hold_ms=hold_ms)

        async def one(run: Run, node: str, places: Sequence[int]) -> None:
            if not run.is_away(places[0]):
                for at in places:
                    run.errors.pop(at, None)
                return
            shards = [Wanted(*prepared.readers[at][:2], run.elsewhere(at).uuid) for at in places]
            message = Query(shards, [], hold_ms=hold_ms, kind=prepared.kind)
            opened = await self._opened(run, node, places, self._searches.open(node, message))
            if opened is not None:
                run.take(places, opened.parts)

        await self._ask_all(run, one)
        prepared.failures.extend(run.failures())
        segments = {prepared.readers[at][:2]: told for at, told in run.blocks.items() if told}
        prepared.readers = [reader for at, reader in enumerate(prepared.readers) if at not in run.errors]
        return segments

    async def count(self, prepared: Prepared, plans: Sequence[CompiledPlan]) -> list[int | ApiError]:
        """Matches of each shard; `plans` are those of the places."""
        if not plans:
            return []
        stop = None if prepared.cancel is None else prepared.cancel()
        run = Run(replace(prepared, plans=list(plans)), plans[0], stop=stop)
        if stop is not None:
            run.task = f"{self._local.id}:{next(self._numbers)}"
        with nullcontext() if stop is None else stop.telling(lambda: self._cancel(run)):
            await self._ask_all(run, self._count)
        return [run.errors[at] if at in run.errors else int(run.blocks[at]) for at in range(len(plans))]

    async def can_match(self, prepared: Prepared, hold_ms: float = 0) -> list[bool]:
        """Whether each shard may match; one of which nothing is heard may."""
        assert prepared.plan is not None
        run = Run(prepared, prepared.plan, hold_ms=hold_ms)
        found = [True] * len(prepared.readers)

        async def ask(node: str, places: Sequence[int]) -> None:
            if not run.is_away(places[0]):
                told = [can_match(run.here(at), run.plan_of(at).kernel) for at in places]
            else:
                try:
                    call = self._searches.can_match(node, run.message(places))
                    told = await self._choice.ask(node, call, others=True)
                except (ApiError, ShardMissing):
                    return
            for at, may in zip(places, told, strict=True):
                found[at] = may

        await gather(*(ask(node, places) for (node, _), places in run.groups().items()))
        return found

    async def _count(self, run: Run, node: str, places: Sequence[int]) -> None:
        if not run.is_away(places[0]):
            run.take(
                places,
                await self._own.each(
                    run, places, lambda reader, plan: b"%d" % quidditch_kernel.count([reader], plan, run.cancel)
                ),
            )
            return
        try:
            parts = await self._call(run, node, places, self._searches.count(node, run.message(places)))
        except ApiError as error:
            for at in places:
                run.fail(at, error)
            return
        run.take(places, parts)

    # --- telling other nodes ----------------------------------------------------------------------------------------

    def free(self, contexts: Iterable[tuple[str, str]]) -> None:
        """Ends contexts of other nodes, without waiting for it."""
        by_node: dict[str, list[str]] = defaultdict(list)
        for node, context in contexts:
            by_node[node].append(context)
        for node, ids in by_node.items():
            self._tell(self._searches.free(node, ids))

    def _cancel(self, run: Run) -> None:
        for node in run.asked:
            if node != self._local.id:
                self._tell(self._searches.cancel(node, [run.task]))

    def _tell(self, call: Coroutine[Any, Any, None]) -> None:
        async def tell() -> None:
            try:
                await call
            except ApiError:
                return  # what is not heard ends with its time

        task = ensure_future(tell())
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)


def kept_elsewhere(readers: Iterable[ShardReader]) -> set[tuple[str, str]]:
    """The contexts of other nodes that keep these readers."""
    return {
        (node, reader.context) for _, _, node, reader in readers if isinstance(reader, Elsewhere) and reader.context
    }


def _is_cancelled(failed: Mapping[int, ApiError]) -> bool:
    """A search that is ended answers nothing, whatever it has found."""
    return any(error.type == CANCELLED for error in failed.values())


def _no_context(id: str) -> ApiError:
    number = sum(id.encode()) % 100_000
    return ApiError(404, "search_context_missing_exception", f"No search context found for id [{number}]")


_NO_PLAN = CompiledPlan(quidditch_kernel.Plan(b'{"query":{"none":{}}}'), {"query": {"none": {}}})
