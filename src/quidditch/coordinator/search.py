"""The way of a search: names to shards, body to plans, one kernel call where all shards are here, one answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import orjson

import quidditch_kernel
from quidditch.controlplane.api import ControlPlane
from quidditch.coordinator import copies, search_lookups, search_prefilter, search_targets
from quidditch.coordinator.copy_choice import CopyChoice
from quidditch.coordinator.get import Getter
from quidditch.coordinator.mappings import Mappings
from quidditch.coordinator.search_answer import answer, took_ms
from quidditch.coordinator.search_errors import ShardFailure, missing_shards, phase_failed, shards_section
from quidditch.coordinator.search_plans import MAX_CACHED_BODY, CompiledPlan, Pace, Plans, Shape
from quidditch.coordinator.search_prepared import Elsewhere, LocalShards, Prepared, ShardReader, own_shards
from quidditch.coordinator.search_scatter import Scatter
from quidditch.coordinator.search_stop import Stop
from quidditch.coordinator.search_targets import SearchTarget
from quidditch.model.errors import ApiError
from quidditch.model.expressions import IndicesOptions
from quidditch.model.json_text import parse_json
from quidditch.model.objects import Index
from quidditch.model.state import ClusterState
from quidditch.query.errors import ShardError
from quidditch.query.plan import read_search
from quidditch.query.request import SearchRequest
from quidditch.query.uri import flag
from quidditch.transport.breakers import Breaker
from quidditch.transport.errors import CallFailed, from_kernel
from quidditch.transport.search_statistics import can_match, gathered
from quidditch.transport.searches import INLINE_COST, INLINE_SECONDS, Answered, Explain, Searches, Wanted
from quidditch.transport.shards import ShardMissing
from quidditch_kernel import KernelError

if TYPE_CHECKING:
    from quidditch_kernel import Cancel, Outcome, Reader

    LocalReader = tuple[str, int, str, Reader]


_TIME_EXCEEDED = ApiError(500, "query_phase_execution_exception", "Time exceeded")


@dataclass(slots=True)
class Ask:
    """One search as it came: path, parameters, body."""

    expression: str | None
    params: Mapping[str, str]
    raw: bytes
    cancel: Callable[[], Stop] | None = None
    """Gives what ends the search before it is done."""

    def body(self) -> Any:
        return parse_json(self.raw) if self.raw else None


class Searcher:
    """Answers `_search`; `search_scroll`, `search_pit` and `search_count` build on it."""

    def __init__(
        self,
        control: ControlPlane,
        local: LocalShards,
        mappings: Mappings,
        getter: Getter,
        searches: Searches,
        choice: CopyChoice,
        memory: Breaker,
    ) -> None:
        self.control = control
        self.local = local
        self.mappings = mappings
        self.getter = getter
        self.plans = Plans(mappings)
        self.searches = searches
        self.choice = choice
        self.scatter = Scatter(searches, local, choice, memory)

    @property
    def state(self) -> ClusterState:
        return self.control.state

    # --- _search ----------------------------------------------------------------------------------------------------

    async def search(self, ask: Ask) -> bytes:
        """The body of the answer. Raises :class:`ApiError`."""
        started = time.perf_counter()
        state = self.state
        key = (ask.raw, tuple(ask.params.items())) if ask.params else (ask.raw,)
        index = state.indices.get(ask.expression) if ask.expression is not None else None
        if index is not None:
            known = self.plans.cached(state, index, key)
            if known is not None:
                targets = search_targets.resolve(state, ask.expression, ask.params, 0)
                preference = ask.params.get("preference")
                if not preference and not gathers(ask.params) and self._is_here(targets[0]):
                    filters = self._filters(known.request, known.shape, ask.params, targets)
                    self.plans.use(state, (ask.expression, *key), known.plan, targets[0], filters)
                prepared = self.open(targets, [known.plan], preference)
                _tell(prepared, ask)
                if self._filters(known.request, known.shape, ask.params, targets):
                    await self.leave_out(prepared)
                self._name_phase(prepared, known.request, ask.params, targets)
                return await self.run(prepared, ask, known.shape, started)
        request, shape = self.read(ask)
        targets = self.targets(ask, request)
        prepared = await self.prepare(ask, request, shape, targets, key if index is not None else None)
        return await self.run(prepared, ask, shape, started)

    def at_once(self, expression: str | None, params: Mapping[str, str], raw: bytes) -> bytes | None:
        """The answer to what was asked before under the same state of the cluster, is quick and is all on this node; otherwise None.

        Most searches of a busy node: they do without all that others may need.
        """
        started = time.perf_counter()
        key = (expression, raw, tuple(params.items())) if params else (expression, raw)
        recent = self.plans.recent(self.state, key)
        if recent is None:
            return None
        plan, target, filters = recent
        if plan.pace.seconds is None or plan.pace.seconds >= INLINE_SECONDS:
            return None
        index = target.index
        prepared = Prepared([], plan, None, [], len(target.shards))
        if params:
            _tell(prepared, Ask(expression, params, raw))
        try:
            for number in target.shards:
                reader = self._here(index, number)
                if reader is None:
                    return None
                prepared.readers.append((index.name, number, self.local.id, reader))
            if filters:
                prepared.keep([can_match(cast("Reader", each[3]), plan.kernel) for each in prepared.readers])
            outcome = self._at_once(prepared, plan, None)
        except ApiError:
            return None
        if outcome is None or outcome.failures or outcome.timed_out:
            return None
        return answer(outcome, prepared, started)

    def read(self, ask: Ask, scroll: bool = False) -> tuple[SearchRequest, Shape]:
        """The request, checked in itself."""
        request = read_search(ask.body(), ask.params, ask.raw, scroll)
        shape = Shape(flag(ask.params, "typed_keys"), flag(ask.params, "rest_total_hits_as_int"), scroll)
        return request, shape

    def targets(
        self, ask: Ask, request: SearchRequest | None = None, options: IndicesOptions = search_targets.OPTIONS
    ) -> list[SearchTarget]:
        """The indices and shards to ask; of a sliced request those of its slice."""
        found = search_targets.resolve(self.state, ask.expression, ask.params, time.time_ns() // 1_000_000, options)
        if request is None or request.slice is None:
            return found
        return [search_targets.slice_of(target, *request.slice[1:]) for target in found]

    async def prepare(
        self, ask: Ask, request: SearchRequest, shape: Shape, targets: Sequence[SearchTarget], key: Any = None
    ) -> Prepared:
        """Compiles for every index and opens its shards."""
        state = self.state
        lookups = None
        if b'"terms"' in request.raw and b'"path"' in request.raw:
            wanted = search_lookups.find(request.root)
            lookups = await search_lookups.fetch(wanted, self.getter) if wanted else None
        if not targets:
            self.plans.check(state, request)
            return Prepared([], None, None, [], 0)
        plans: list[CompiledPlan | ApiError] = []
        lenient = flag(ask.params, "ignore_unavailable")
        for target in targets:
            boost = (
                search_targets.boost_of(state, request.indices_boost, target, lenient) if request.indices_boost else 1.0
            )
            try:
                plan, reusable = self.plans.compile(state, target, request, shape, lookups, boost)
            except ShardError as error:
                plans.append(error)
                continue
            plans.append(plan)
            if reusable and key is not None and len(targets) == 1 and len(request.raw) <= MAX_CACHED_BODY:
                self.plans.remember(state, target.index, key, request, shape, plan)
        prepared = self.open(targets, plans, ask.params.get("preference"))
        _tell(prepared, ask)
        if len(targets) > 1 and request.sort:
            self._check_sorts(request, targets)
        if self._filters(request, shape, ask.params, targets):
            await self.leave_out(prepared)
        self._name_phase(prepared, request, ask.params, targets)
        return prepared

    def _name_phase(
        self, prepared: Prepared, request: SearchRequest, params: Mapping[str, str], targets: Sequence[SearchTarget]
    ) -> None:
        """Finds in which phase OpenSearch would meet the failures that there are before any shard is asked."""
        if not prepared.failures:
            return
        if prepared.gathers:
            prepared.phase = "dfs_pre_query"
            return
        early = all(failure.node is None or getattr(failure.error, "in_sort", False) for failure in prepared.failures)
        indices = (target.index for target in targets)
        if early and search_prefilter.comes_first(request, params, self.state, indices, prepared.total):
            prepared.phase = "can_match"

    def _check_sorts(self, request: SearchRequest, targets: Sequence[SearchTarget]) -> None:
        """Values of unsigned_long compare with no others."""
        for item in request.sort or ():
            for name in [item] if isinstance(item, str) else item if isinstance(item, dict) else ():
                fields = [self.mappings.get(target.index).root.field(name) for target in targets]
                kinds = {found.type for found in fields if found is not None}
                if "unsigned_long" in kinds and len(kinds) > 1:
                    wrong = ApiError(
                        400,
                        "illegal_argument_exception",
                        "Can't do sort across indices, as a field has [unsigned_long] type in one index, and different type in another "
                        "index!",
                    )
                    first = targets[0]
                    raise phase_failed([ShardFailure(first.index.name, 0, self.local.id, wrong)])

    def _filters(
        self, request: SearchRequest, shape: Shape, params: Mapping[str, str], targets: Sequence[SearchTarget]
    ) -> bool:
        """Whether shards that cannot match are to be left out."""
        shards = sum(len(target.shards) for target in targets)
        indices = (target.index for target in targets)
        return not shape.scroll and search_prefilter.is_wanted(request, params, self.state, indices, shards)

    async def leave_out(self, prepared: Prepared, hold_ms: float = 0) -> None:
        """Leaves out shards that cannot match. `hold_ms` as for :meth:`execute`."""
        if len(prepared.readers) > 1:
            prepared.keep(await self.scatter.can_match(prepared, hold_ms))

    def open(
        self,
        targets: Sequence[SearchTarget],
        plans: Sequence[CompiledPlan | ApiError],
        preference: str | None = None,
    ) -> Prepared:
        """Readers of all shards that can be asked."""
        prepared = _prepared(targets, preference)
        each: list[CompiledPlan] = []
        for target, plan in zip(targets, plans, strict=True):
            prepared.total += len(target.shards)
            for number in target.shards:
                if isinstance(plan, ApiError):
                    nodes = self.choice.readable(target.index, number, preference)
                    node, error = (nodes[0], plan) if nodes else (None, no_copy(target.index, number))
                    prepared.failures.append(ShardFailure(target.index.name, number, node, error))
                    continue
                reader = self._reader(prepared, target.index, number, preference)
                if reader is not None:
                    prepared.readers.append(reader)
                    each.append(plan)
                    if prepared.plan is None:
                        prepared.plan = plan
        if prepared.plan is not None and any(plan is not prepared.plan for plan in each):
            prepared.plans = each
        return prepared

    def open_readers(self, targets: Sequence[SearchTarget], preference: str | None = None) -> Prepared:
        """Readers of all shards that can be asked, for plans to come."""
        prepared = _prepared(targets, preference)
        for target in targets:
            prepared.total += len(target.shards)
            for number in target.shards:
                reader = self._reader(prepared, target.index, number, preference)
                if reader is not None:
                    prepared.readers.append(reader)
        return prepared

    def _reader(self, prepared: Prepared, index: Index, number: int, preference: str | None) -> ShardReader | None:
        """A reader of the first copy to ask; of no copy the failure is noted."""
        for node in self.choice.readable(index, number, preference):
            if node != self.local.id:
                prepared.away = True
                return index.name, number, node, Elsewhere(index.uuid)
            reader = self._here(index, number)
            if reader is not None:
                return index.name, number, node, reader
        prepared.failures.append(ShardFailure(index.name, number, None, no_copy(index, number)))
        return None

    def _is_here(self, target: SearchTarget) -> bool:
        return all(copies.is_here(self.state, target.index, number, self.local.id) for number in target.shards)

    def _here(self, index: Index, number: int) -> Reader | None:
        try:
            return self.local.reader(index.uuid, number)
        except ShardMissing:
            return None
        except KernelError as error:
            if error.args and error.args[0] == "already_closed_exception":
                return None
            raise from_kernel(error) from None

    async def run(self, prepared: Prepared, ask: Ask, shape: Shape, started: float) -> bytes:
        """Runs the kernel and writes the answer."""
        self.check_missing(prepared, ask.params)
        if prepared.plan is None or not prepared.readers:
            if prepared.total:
                raise phase_failed(prepared.failures, prepared.phase)
            return self.empty(shape, started)
        outcome = await self.execute(prepared)
        self.complain(prepared, ask.params, outcome)
        return answer(outcome, prepared, started)

    async def execute(
        self, prepared: Prepared, plan: CompiledPlan | None = None, cursor: bytes | None = None, hold_ms: float = 0
    ) -> Answered:
        """The kernel's answer; failures of single shards are added to those of the preparation. `hold_ms`: how long readers of
        other nodes are kept there for pages to come.
        """
        assert prepared.plan is not None
        main = plan or prepared.plan
        if prepared.away:
            outcome = await self.scatter.execute(prepared, main, cursor, hold_ms)
        else:
            outcome = self._at_once(prepared, main, cursor) or await self._in_thread(prepared, main, cursor)
        for at, kind, reason, status in outcome.failures:
            index, shard, node, _ = prepared.readers[at]
            if not prepared.away:
                self.local.failed([(index, shard)])
            prepared.failures.append(ShardFailure(index, shard, node, self._failure(index, kind, reason, status)))
        return outcome

    def _at_once(self, prepared: Prepared, plan: CompiledPlan, cursor: bytes | None) -> Answered | None:
        """One call of the kernel on this thread, all shards being on this node; None if it would take too long."""
        readers = cast("list[LocalReader]", prepared.readers)
        pace = _pace(prepared, plan, cursor)
        if pace is not None and pace.seconds is not None:
            if pace.seconds >= INLINE_SECONDS:
                return None
        elif plan.kernel.cost([reader for _, _, _, reader in readers]) >= INLINE_COST:
            return None
        try:
            outcome = _search(prepared, plan, cursor)
        except KernelError as error:
            raise self._all_failed(prepared, error) from None
        return self._noted(prepared, plan, pace, outcome)

    async def _in_thread(self, prepared: Prepared, plan: CompiledPlan, cursor: bytes | None) -> Answered:
        """Likewise on another thread, where it can be ended."""
        cancel = None if prepared.cancel is None else prepared.cancel().kernel
        started = time.perf_counter()
        try:
            outcome = await self.local.call(_search, prepared, plan, cursor, cancel)
        except KernelError as error:
            raise self._all_failed(prepared, error) from None
        except ApiError as error:  # there was no place to wait for a thread
            raise phase_failed([ShardFailure(*reader[:3], error) for reader in prepared.readers]) from None
        shards = len(prepared.readers)
        waited_ms = (time.perf_counter() - started) * 1000 / shards
        self.choice.answered(self.local.id, self.local.queued, outcome.seconds * 1000 / shards, waited_ms)
        return self._noted(prepared, plan, _pace(prepared, plan, cursor), outcome)

    def _noted(self, prepared: Prepared, plan: CompiledPlan, pace: Pace | None, outcome: Outcome) -> Outcome:
        """Counts a search and the time that it took."""
        seconds = outcome.seconds
        if pace is not None:
            pace.note(seconds)
        self.local.searched([(index, shard) for index, shard, _, _ in prepared.readers], seconds * 1000, plan.groups)
        return outcome

    def _all_failed(self, prepared: Prepared, error: KernelError) -> ApiError:
        failed = from_kernel(error)
        self.local.failed(own_shards(prepared.readers))
        every = [
            ShardFailure(index, shard, node, self._failure(index, failed.type, failed.reason or "", failed.status))
            if failed.type == "query_shard_exception"
            else ShardFailure(index, shard, node, failed)
            for index, shard, node, _ in prepared.readers
        ]
        return phase_failed([*prepared.failures, *every])

    async def counts(self, prepared: Prepared, plans: Sequence[CompiledPlan]) -> list[int | ApiError]:
        """The number of matches of every shard, each with its plan."""
        if prepared.away:
            return await self.scatter.count(prepared, plans)
        groups: dict[int, list[int]] = {}
        found: list[int | ApiError] = [0] * len(prepared.readers)
        for at in range(len(prepared.readers)):
            groups.setdefault(id(plans[at]), []).append(at)
        for places in groups.values():
            readers = [cast("LocalReader", prepared.readers[at])[3] for at in places]
            found[places[0]] = await self._count_here(readers, plans[places[0]], prepared.cancel)
        return found

    async def _count_here(
        self, readers: Sequence[Reader], plan: CompiledPlan, cancel: Callable[[], Stop] | None
    ) -> int:
        """Of all the readers together. Raises the kernel's error."""
        if plan.kernel.cost(readers) < INLINE_COST:
            return quidditch_kernel.count(readers, plan.kernel)
        return await self.local.call(quidditch_kernel.count, readers, plan.kernel, cancel and cancel().kernel)

    async def explain(
        self, index: Index, number: int, plan: CompiledPlan, id: str, preference: str | None
    ) -> bytes | None:
        """How a document of this shard is scored; None if it is not there. Raises :class:`ApiError`."""
        nodes = self.choice.readable(index, number, preference)
        message = Explain(Wanted(index.name, number, index.uuid), orjson.dumps(plan.body), id)
        for node in nodes:
            reader = self._here(index, number) if node == self.local.id else None
            if reader is not None:
                try:
                    return quidditch_kernel.explain(reader, plan.kernel, id)
                except KernelError as error:
                    raise from_kernel(error) from None
            if node == self.local.id:
                continue
            try:
                return await self.choice.ask(node, self.searches.explain(node, message), others=node != nodes[-1])
            except (ShardMissing, CallFailed):
                continue
        reason = f"No shard available for [explain [{index.name}][{id}]]"
        raise ApiError(503, "no_shard_available_action_exception", reason)

    def _failure(self, index: str, kind: str, reason: str, status: int) -> ApiError:
        """A shard's failure as the kernel told it; one about a query names the index, and what its text wraps."""
        details: dict[str, Any] = {}
        if kind == "query_shard_exception":
            found = self.state.indices.get(index)
            details = {"index": index, "index_uuid": found.uuid if found is not None else "_na_"}
            _, wraps, inner = reason.partition("failed to create query: ")
            if wraps:
                details["caused_by"] = {"type": "illegal_argument_exception", "reason": inner}
        return ApiError(status, kind, reason, details)

    def complain(self, prepared: Prepared, params: Mapping[str, str], outcome: Answered | None = None) -> None:
        """Refuses a partial answer where none is wanted: shards failed, or their time was over."""
        timed_out = outcome is not None and outcome.timed_out
        if timed_out and not self._allows_partial(params):
            late = [ShardFailure(*reader[:3], _TIME_EXCEEDED) for reader in prepared.readers]
            raise phase_failed([*prepared.failures, *late])
        if prepared.failures and not self._allows_partial(params):
            raise phase_failed(prepared.failures, prepared.phase, "Partial shards failure")

    def check_missing(self, prepared: Prepared, params: Mapping[str, str]) -> None:
        """Refuses a search of shards that have no copy at all, where no partial answer is wanted."""
        missing = [failure for failure in prepared.failures if failure.node is None]
        if missing and not self._allows_partial(params):
            raise missing_shards(missing, prepared.phase)

    def _allows_partial(self, params: Mapping[str, str]) -> bool:
        if "allow_partial_search_results" in params:
            return flag(params, "allow_partial_search_results")
        return str(self.state.settings.get("search.default_allow_partial_results")).lower() != "false"

    def empty(self, shape: Shape, started: float) -> bytes:
        """The answer of a search that meets no shard."""
        total: Any = 0 if shape.total_as_int else {"value": 0, "relation": "eq"}
        hits = {"total": total, "max_score": 0.0, "hits": []}
        head = {"took": took_ms(started), "timed_out": False, "_shards": shards_section(0, [])}
        return orjson.dumps({**head, "hits": hits})


def _pace(prepared: Prepared, plan: CompiledPlan, cursor: bytes | None) -> Pace | None:
    """A variant of the plan, or a later page, takes another time than the plan itself."""
    return plan.pace if plan is prepared.plan and cursor is None else None


def _prepared(targets: Sequence[SearchTarget], preference: str | None) -> Prepared:
    indices = {target.index.name: target.index for target in targets}
    return Prepared([], None, None, [], 0, indices=indices, preference=preference)


def _tell(prepared: Prepared, ask: Ask) -> None:
    """What the request says of how it is to be run."""
    prepared.cancel = ask.cancel
    prepared.gathers = gathers(ask.params)
    if "batched_reduce_size" in ask.params:
        prepared.batch = int(ask.params["batched_reduce_size"])
    if "max_concurrent_shard_requests" in ask.params:
        prepared.width = int(ask.params["max_concurrent_shard_requests"])


def gathers(params: Mapping[str, str]) -> bool:
    """Whether shards are to score by what all of them have together."""
    return params.get("search_type") == "dfs_query_then_fetch"


def _search(
    prepared: Prepared, plan: CompiledPlan, cursor: bytes | None = None, cancel: Cancel | None = None
) -> Outcome:
    """One call of the kernel for shards that are all here. Raises its error."""
    readers = cast("list[LocalReader]", prepared.readers)
    plans = None if prepared.plans is None else [each.kernel for each in prepared.plans]
    if prepared.gathers and prepared.statistics is None and len(readers) > 1:
        shards = [(reader, prepared.plan_of(at).kernel) for at, (_, _, _, reader) in enumerate(readers)]
        prepared.statistics = gathered(shards, cancel)
    return quidditch_kernel.search(readers, plan.kernel, plans, cursor, cancel, prepared.statistics)


def no_copy(index: Index, number: int) -> ApiError:
    """A shard that nobody can be asked for."""
    return ApiError(
        503,
        "no_shard_available_action_exception",
        None,
        {"index": index.name, "shard": str(number), "index_uuid": index.uuid},
    )
