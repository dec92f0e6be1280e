"""A search whose shards are on several nodes: query there, merge here, fetch there, write the answer here.

Where a node fails, its shards are asked of their other copies; a shard that no copy answers for is a failure of the answer.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import orjson

import quidditch_kernel
from quidditch.coordinator.search_errors import ShardFailure, phase_failed
from quidditch.coordinator.search_plans import CompiledPlan
from quidditch.coordinator.search_prepared import Elsewhere, LocalShards, Prepared, ShardReader
from quidditch.model.errors import ApiError
from quidditch.transport import errors
from quidditch.transport.errors import CallFailed, from_kernel
from quidditch.transport.searches import Answered, Fetch, Part, Query, Searches, Wanted
from quidditch.transport.shards import ShardMissing
from quidditch_kernel import KernelError

T = TypeVar("T")
_INLINE_BYTES = 65_536
"""Blocks that are smaller than this together are merged on the event loop's thread."""


@dataclass(slots=True)
class _Source:
    """Where the hits of a shard are fetched from: a node's context and the place there; no node: this process."""

    node: str
    context: str = ""
    at: int = 0


@dataclass(slots=True)
class _Run:
    """One search under way; places count in the readers of `prepared`. `next`: the nodes still to ask for each place."""

    prepared: Prepared
    plan: CompiledPlan
    cursor: bytes | None
    hold_ms: float
    blocks: dict[int, bytes] = field(default_factory=dict)
    sources: dict[int, _Source] = field(default_factory=dict)
    errors: dict[int, ApiError] = field(default_factory=dict)
    next: dict[int, list[str]] = field(default_factory=dict)
    unfetched: set[tuple[str, str]] = field(default_factory=set)

    @property
    def fetches(self) -> bool:
        return bool(self.plan.body.get("size", 10))

    def plan_of(self, at: int) -> CompiledPlan:
        return self.plan if self.prepared.plans is None else self.prepared.plans[at]

    def elsewhere(self, at: int) -> Elsewhere:
        found = self.prepared.readers[at][3]
        assert isinstance(found, Elsewhere)
        return found

    def fail(self, at: int, error: ApiError) -> None:
        """The shard did not answer; it is asked of its next copy, if there is one."""
        index, number, _, _ = self.prepared.readers[at]
        if error.type == errors.MISSING:
            shown = {"index": index, "shard": str(number), "index_uuid": self.elsewhere(at).uuid}
            error = ApiError(404, errors.MISSING, "no such shard", shown)
        self.errors[at] = error

    def failures(self) -> list[ShardFailure]:
        readers = self.prepared.readers
        return [ShardFailure(*readers[at][:3], error) for at, error in sorted(self.errors.items())]


class Scatter:
    """Runs searches and counts over shards of this and other nodes."""

    def __init__(self, searches: Searches, local: LocalShards) -> None:
        self._searches = searches
        self._local = local
        self._freeing: set[asyncio.Task[None]] = set()

    # --- a search ---------------------------------------------------------------------------------------------------

    async def execute(
        self, prepared: Prepared, plan: CompiledPlan, cursor: bytes | None = None, hold_ms: float = 0
    ) -> Answered:
        """The kernel's answer; failures of single shards are added to those of the preparation. With `hold_ms` the readers are
        kept that long where they are, and those of `prepared` name them.
        """
        run = _Run(prepared, plan, cursor, hold_ms)
        whole = await self._whole(run)
        if whole is not None:
            return whole
        here = [at for at, reader in enumerate(prepared.readers) if not isinstance(reader[3], Elsewhere)]
        await asyncio.gather(self._query_here(run, here), self._ask_all(run, self._query))
        prepared.failures.extend(run.failures())
        if not run.blocks:
            raise phase_failed(prepared.failures)
        if hold_ms:
            _leave_out(run)
        places = sorted(run.blocks)
        blocks = [run.blocks[at] for at in places]
        try:
            merged = await self._merged(blocks, lambda: quidditch_kernel.merge(plan.kernel, blocks, cursor))
            hits = await self._fetch_all(run, places, quidditch_kernel.fetch_refs(merged))
            return await self._merged(
                [*blocks, *hits], lambda: quidditch_kernel.render(plan.kernel, merged, hits, places, cursor)
            )
        except KernelError as error:
            raise from_kernel(error) from None
        finally:
            self.free(run.unfetched)

    async def _merged(self, blocks: Sequence[bytes], work: Callable[[], T]) -> T:
        small = sum(map(len, blocks)) < _INLINE_BYTES
        return work() if small else await self._local.call(work)

    async def _whole(self, run: _Run) -> Answered | None:
        """The answer of the one node that has all shards; None where there is no such, or it has not all any more."""
        readers = run.prepared.readers
        where = {(node, reader.context) for _, _, node, reader in readers if isinstance(reader, Elsewhere)}
        if len(where) != 1 or any(not isinstance(reader, Elsewhere) or reader.gone for _, _, _, reader in readers):
            return None
        ((node, _),) = where
        places = range(len(readers))
        try:
            found = await self._searches.whole(node, self._message(run, places))
        except (ShardMissing, CallFailed):
            return None
        except ApiError as error:
            every = [ShardFailure(*reader[:3], error) for reader in readers]
            raise phase_failed([*run.prepared.failures, *every]) from None
        self._keep(run, places, node, found.held)
        return found

    def _message(self, run: _Run, places: Sequence[int]) -> Query:
        """The query of these shards, which are all on one node and in one context there."""
        plans: dict[int, int] = {}
        bodies: list[bytes] = []
        shards = []
        for at in places:
            index, number, _, _ = run.prepared.readers[at]
            plan = run.plan_of(at)
            if id(plan) not in plans:
                plans[id(plan)] = len(bodies)
                bodies.append(orjson.dumps(plan.body))
            where = run.elsewhere(at)
            shards.append(Wanted(index, number, where.uuid, plans[id(plan)], at, where.at))
        context = run.elsewhere(places[0]).context if places else ""
        groups = list(run.plan.groups)
        return Query(shards, bodies, context, run.hold_ms, run.fetches, groups, run.cursor)

    def _keep(self, run: _Run, places: Sequence[int], node: str, held: str) -> None:
        """Notes who answered, and where its readers are kept."""
        for position, at in enumerate(places):
            index, number, _, _ = run.prepared.readers[at]
            where = run.elsewhere(at)
            if held and held != where.context:
                where = replace(where, context=held, at=position)
            run.prepared.readers[at] = (index, number, node, where)

    # --- query ------------------------------------------------------------------------------------------------------

    async def _ask_all(self, run: _Run, ask: Callable[[_Run, str, Sequence[int]], Awaitable[None]]) -> None:
        """Asks for every shard that is elsewhere, and for those that fail again where their other copies are."""
        asked: dict[tuple[str, str], list[int]] = defaultdict(list)
        for at, (_, _, node, reader) in enumerate(run.prepared.readers):
            if isinstance(reader, Elsewhere) and not reader.gone:
                asked[node, reader.context].append(at)
                run.next[at] = list(reader.others)
        while asked:
            await asyncio.gather(*(ask(run, node, places) for (node, _), places in asked.items()))
            asked.clear()
            for at in [at for at in sorted(run.errors) if run.next.get(at)]:
                index, number, _, reader = run.prepared.readers[at]
                node = run.next[at].pop(0)
                run.prepared.readers[at] = (index, number, node, reader)
                asked[node, ""].append(at)

    async def _query_here(self, run: _Run, places: Sequence[int]) -> None:
        if not places:
            return
        started = time.perf_counter()
        readers = run.prepared.readers

        def all_of_them() -> list[bytes | KernelError]:
            return [_caught(run, at) for at in places]

        for at, found in zip(places, await self._local.call(all_of_them), strict=True):
            if isinstance(found, KernelError):
                run.errors[at] = from_kernel(found)
            else:
                run.blocks[at] = found
                run.sources[at] = _Source("")
        millis = (time.perf_counter() - started) * 1000
        self._local.searched([(readers[at][0], readers[at][1]) for at in places], millis, run.plan.groups)

    async def _query(self, run: _Run, node: str, places: Sequence[int]) -> None:
        try:
            answer = await self._searches.query(node, self._message(run, places))
        except ApiError as error:
            for at in places:
                run.fail(at, error)
            return
        except ShardMissing:
            context = run.elsewhere(places[0]).context
            for at in places:
                run.fail(at, _no_context(context))
            return
        self._keep(run, places, node, answer.held)
        if answer.context:
            run.unfetched.add((node, answer.context))
        self._take(run, places, answer.blocks)
        for position, at in enumerate(places):
            run.sources[at] = _Source(node, answer.context, position)

    def _take(self, run: _Run, places: Sequence[int], parts: Sequence[Part]) -> None:
        for at, part in zip(places, parts, strict=True):
            if part.error is not None:
                run.fail(at, errors.decode(part.error))
            else:
                run.errors.pop(at, None)
                run.blocks[at] = part.data

    # --- fetch ------------------------------------------------------------------------------------------------------

    async def _fetch_all(self, run: _Run, places: Sequence[int], refs: Iterable[tuple[int, bytes]]) -> list[bytes]:
        """The hits of the page, in no order: each knows its place."""
        here: list[tuple[int, bytes]] = []
        away: dict[tuple[str, str], list[tuple[int, bytes]]] = defaultdict(list)
        for block, wanted in refs:
            at = places[block]
            source = run.sources[at]
            if source.node:
                away[source.node, source.context].append((at, wanted))
            else:
                here.append((at, wanted))
        if not here and not away:
            return []
        run.unfetched -= away.keys()
        calls = [self._fetch(run, node, context, wanted) for (node, context), wanted in away.items()]
        found = await asyncio.gather(self._fetch_here(run, here), *calls)
        hits = [hit for each in found for hit in each]
        if not hits:
            raise phase_failed(run.prepared.failures, phase="fetch")
        return hits

    async def _fetch_here(self, run: _Run, wanted: Sequence[tuple[int, bytes]]) -> list[bytes]:
        readers, node = run.prepared.readers, self._local.id

        def one(at: int, refs: bytes) -> bytes | KernelError:
            index, number, _, reader = readers[at]
            assert not isinstance(reader, Elsewhere)
            try:
                return quidditch_kernel.fetch(index, number, reader, run.plan_of(at).kernel, refs, node)
            except KernelError as error:
                return error

        if not wanted:
            return []
        hits = []
        found = await self._local.call(lambda: [one(at, refs) for at, refs in wanted])
        for (at, _), hit in zip(wanted, found, strict=True):
            if isinstance(hit, KernelError):
                run.prepared.failures.append(ShardFailure(*readers[at][:3], from_kernel(hit)))
            else:
                hits.append(hit)
        return hits

    async def _fetch(self, run: _Run, node: str, context: str, wanted: Sequence[tuple[int, bytes]]) -> list[bytes]:
        message = Fetch(context, [(run.sources[at].at, refs) for at, refs in wanted])
        try:
            parts = await self._searches.fetch(node, message)
        except (ApiError, ShardMissing) as error:
            failed = error if isinstance(error, ApiError) else _no_context(context)
            parts = [Part(error=errors.encode(failed)) for _ in wanted]
        hits = []
        for (at, _), part in zip(wanted, parts, strict=True):
            if part.error is not None:
                reason = errors.decode(part.error)
                run.prepared.failures.append(ShardFailure(*run.prepared.readers[at][:3], reason))
            else:
                hits.append(part.data)
        return hits

    # --- readers and counts -----------------------------------------------------------------------------------------

    async def hold(self, prepared: Prepared, hold_ms: float) -> None:
        """Has the readers of shards elsewhere kept there; those that cannot be are failures of `prepared`, and left out."""
        asked: dict[str, list[int]] = defaultdict(list)
        for at, (_, _, node, reader) in enumerate(prepared.readers):
            if isinstance(reader, Elsewhere):
                asked[node].append(at)
        lost: dict[int, ApiError] = {}

        async def one(node: str, places: list[int]) -> None:
            shards = [
                Wanted(index, number, where.uuid)
                for index, number, _, where in (prepared.readers[at] for at in places)
                if isinstance(where, Elsewhere)
            ]
            try:
                opened = await self._searches.open(node, Query(shards, [], hold_ms=hold_ms))
            except ApiError as error:
                lost.update(dict.fromkeys(places, error))
                return
            for position, (at, part) in enumerate(zip(places, opened.parts, strict=True)):
                index, number, _, where = prepared.readers[at]
                if part.error is not None:
                    lost[at] = errors.decode(part.error)
                elif isinstance(where, Elsewhere):
                    kept = Elsewhere(where.uuid, (), opened.context, position)
                    prepared.readers[at] = (index, number, node, kept)

        await asyncio.gather(*(one(node, places) for node, places in asked.items()))
        for at, error in sorted(lost.items()):
            prepared.failures.append(ShardFailure(*prepared.readers[at][:3], error))
        prepared.readers = [reader for at, reader in enumerate(prepared.readers) if at not in lost]

    async def count(self, prepared: Prepared, plans: Sequence[CompiledPlan]) -> dict[int, int | ApiError]:
        """Matches of the shards elsewhere, by their places; `plans` are those of the places."""
        if not plans:
            return {}
        run = _Run(replace(prepared, plans=list(plans)), plans[0], None, 0)
        await self._ask_all(run, self._count)
        return {**{at: int(found) for at, found in run.blocks.items()}, **run.errors}

    async def _count(self, run: _Run, node: str, places: Sequence[int]) -> None:
        try:
            parts = await self._searches.count(node, self._message(run, places))
        except ApiError as error:
            for at in places:
                run.fail(at, error)
            return
        self._take(run, places, parts)

    def free(self, contexts: Iterable[tuple[str, str]]) -> None:
        """Ends contexts of other nodes, without waiting for it."""
        by_node: dict[str, list[str]] = defaultdict(list)
        for node, context in contexts:
            by_node[node].append(context)

        async def tell(node: str, ids: list[str]) -> None:
            try:
                await self._searches.free(node, ids)
            except ApiError:
                return  # their time ends them

        for node, ids in by_node.items():
            task = asyncio.ensure_future(tell(node, ids))
            self._freeing.add(task)
            task.add_done_callback(self._freeing.discard)


def kept_elsewhere(readers: Iterable[ShardReader]) -> set[tuple[str, str]]:
    """The contexts of other nodes that keep these readers."""
    return {
        (node, reader.context) for _, _, node, reader in readers if isinstance(reader, Elsewhere) and reader.context
    }


def _leave_out(run: _Run) -> None:
    """A scroll goes on without the shards that failed; the places of the others stay."""
    for at in run.errors:
        index, number, node, reader = run.prepared.readers[at]
        if isinstance(reader, Elsewhere):
            run.prepared.readers[at] = (index, number, node, replace(reader, gone=True))


def _caught(run: _Run, at: int) -> bytes | KernelError:
    reader = run.prepared.readers[at][3]
    assert not isinstance(reader, Elsewhere)
    try:
        return quidditch_kernel.query(reader, run.plan_of(at).kernel, run.cursor, at)
    except KernelError as error:
        return error


def _no_context(id: str) -> ApiError:
    number = sum(id.encode()) % 100_000
    return ApiError(404, "search_context_missing_exception", f"No search context found for id [{number}]")
