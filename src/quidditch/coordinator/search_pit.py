"""Points in time: readers of shards kept open under an id, to search again and again."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import orjson

from quidditch.coordinator import search_prefilter, search_targets
from quidditch.coordinator.nodes import Nodes
from quidditch.coordinator.search import Ask, Searcher, gathers
from quidditch.coordinator.search_answer import answer
from quidditch.coordinator.search_contexts import PointInTime, keep_alive
from quidditch.coordinator.search_errors import ShardFailure, missing_shards, phase_failed
from quidditch.coordinator.search_plans import CompiledPlan, Shape, kernel_plan
from quidditch.coordinator.search_prepared import Prepared, is_away, own_shards
from quidditch.coordinator.search_scatter import kept_elsewhere
from quidditch.coordinator.search_targets import SearchTarget
from quidditch.lib.clock import Clock
from quidditch.lib.contexts import Contexts
from quidditch.model import expressions
from quidditch.model.errors import ApiError, illegal_argument
from quidditch.query.errors import ShardError
from quidditch.query.request import SearchRequest
from quidditch.query.sort import PLACE, at_place
from quidditch.query.uri import flag
from quidditch.transport.errors import CallFailed
from quidditch.transport.shards import ShardMissing
from quidditch_kernel import KernelError

PREFIX = b"\x46pit"
_SETTING = "point_in_time.max_keep_alive"
DEFAULT_MAX_OPEN = 300
_SEARCH = "pit/search"
_DELETE = "pit/delete"
_LIST = "pit/list"
_SEGMENTS = "pit/segments"
_CREATES = "create_pit"
_SEARCH_SECONDS = 300.0


class PointsInTime:
    """Opens points in time, searches and closes them. An id says which node has the point in time: every node passes searches
    on to it.
    """

    def __init__(self, searcher: Searcher, clock: Clock, nodes: Nodes) -> None:
        self._searcher = searcher
        self._clock = clock
        self._nodes = nodes
        self.contexts: Contexts[PointInTime] = Contexts(clock, PREFIX, nodes.id, self._ended)
        nodes.serve(_SEARCH, self._search_for)
        nodes.serve(_DELETE, self._delete_for)
        nodes.serve(_LIST, self._list_for)
        nodes.serve(_SEGMENTS, self._segments_for)

    def _ended(self, context: PointInTime) -> None:
        context.ended()
        self._searcher.scatter.free(kept_elsewhere(context.readers))

    def _keep_alive(self, text: str) -> float:
        limit = self._searcher.state.settings.get(_SETTING) or "24h"
        return keep_alive(text, "keep_alive", _SETTING, limit)

    async def create(self, expression: str | None, params: Mapping[str, str], alive: str) -> dict[str, Any]:
        """The answer with the new id. Raises :class:`ApiError`."""
        searcher = self._searcher
        milliseconds = self._keep_alive(alive)
        limit = int(searcher.state.settings.get("search.max_open_pit_context") or DEFAULT_MAX_OPEN)
        if len(self.contexts) >= limit:
            raise ApiError(
                429,
                "rejected_execution_exception",
                f"Trying to create too many Point In Time contexts. Must be less than or equal to: [{limit}]. This limit can be set by "
                "changing the [search.max_open_pit_context] setting.",
            )
        targets = search_targets.resolve(searcher.state, expression, params, self._clock.now_ms())
        prepared = searcher.open_readers(targets, params.get("preference"))
        prepared.kind = "point_in_time"
        segments = self._own_segments(prepared, targets)
        if prepared.away:
            segments |= await searcher.scatter.hold(prepared, milliseconds)
        missing = [failure for failure in prepared.failures if failure.node is None]
        if missing and not flag(params, "allow_partial_pit_creation", True):
            raise missing_shards(missing, _CREATES)
        if prepared.total and not prepared.readers:
            raise phase_failed(prepared.failures, _CREATES)
        created = self._clock.now_ms()
        context = PointInTime(
            prepared.readers,
            {target.index.name: target.index for target in targets},
            {target.index.name: target.filters for target in targets},
            prepared.sections,
            segments,
            created,
            milliseconds,
            ended=searcher.local.keep(prepared.kind, own_shards(prepared.readers)),
        )
        return {"pit_id": self.contexts.add(context), "_shards": prepared.sections, "creation_time": created}

    def _own_segments(self, prepared: Prepared, targets: Sequence[SearchTarget]) -> dict[tuple[str, int], bytes]:
        uuids = {target.index.name: target.index.uuid for target in targets}
        found: dict[tuple[str, int], bytes] = {}
        for index, number in own_shards(prepared.readers):
            with suppress(ShardMissing, KernelError):
                found[index, number] = self._searcher.local.segments(uuids[index], number)
        return found

    async def search(self, ask: Ask, request: SearchRequest, shape: Shape) -> bytes:
        """A search within a point in time."""
        id = str(request.pit_id)
        self._check(ask, id)
        owner = self.contexts.owner_of(id)
        if owner == self._nodes.id:
            return await self._search(ask, request, shape)
        try:
            message = {"params": dict(ask.params), "raw": ask.raw}
            found: bytes = await self._nodes.ask(owner, _SEARCH, message, _SEARCH_SECONDS)
            return found
        except CallFailed:
            raise missing_point(id) from None

    async def _search_for(self, message: dict[str, Any]) -> bytes:
        ask = Ask(None, message["params"], message["raw"])
        return await self._search(ask, *self._searcher.read(ask))

    async def _search(self, ask: Ask, request: SearchRequest, shape: Shape) -> bytes:
        started = time.perf_counter()
        id = str(request.pit_id)
        alive = None if request.pit_keep_alive is None else self._keep_alive(request.pit_keep_alive)
        context = self.contexts.get(id, alive)
        if context is None:
            raise missing_point(id)
        prepared = self._prepare(context, request, shape)
        prepared.cancel = ask.cancel
        prepared.gathers = gathers(ask.params)
        head = {"pit_id": id}
        if prepared.plan is None or not prepared.readers:
            if prepared.total:
                raise phase_failed(prepared.failures)
            return self._searcher.empty(shape, started)
        prepared.away = is_away(prepared.readers)
        indices = context.indices.values()
        if search_prefilter.is_wanted(request, ask.params, self._searcher.state, indices, len(prepared.readers)):
            await self._searcher.leave_out(prepared, context.keep_alive_ms)
        outcome = await self._searcher.execute(prepared, hold_ms=context.keep_alive_ms)
        self._searcher.complain(prepared, ask.params, outcome)
        return answer(outcome, prepared, started, head)

    def _check(self, ask: Ask, id: str) -> None:
        for given, name in (
            (ask.expression, "indices"),
            (ask.params.get("routing"), "routing"),
            (ask.params.get("preference"), "preference"),
            (expressions.differs(ask.params, search_targets.OPTIONS), "indicesOptions"),
        ):
            if given:
                raise search_targets.no_index_with_pit(f"[{name}] cannot be used with point in time")
        if not self.contexts.is_id(id):
            raise illegal_argument(f"invalid id: [{id}]")

    def _prepare(self, context: PointInTime, request: SearchRequest, shape: Shape) -> Prepared:
        searcher = self._searcher
        plans: dict[str, CompiledPlan | ApiError] = {}
        held: dict[str, list[int]] = {name: [] for name in context.indices}
        for name, number, _, _ in context.readers:
            held[name].append(number)
        asked: dict[str, tuple[int, ...]] = {}
        for name, index in context.indices.items():
            current = searcher.state.indices.get(name)
            kept = current if current is not None and current.uuid == index.uuid else index
            target = SearchTarget(kept, tuple(held[name]), context.filters[name])
            if request.slice is not None and target.shards:
                target = search_targets.slice_of(target, *request.slice[1:])
            asked[name] = target.shards
            try:
                plans[name], _ = searcher.plans.compile(searcher.state, target, request, shape)
            except ShardError as error:
                plans[name] = error
        prepared = Prepared([], None, None, [], int(context.shards["total"]))
        chosen = []
        for place, reader in enumerate(context.readers):
            if reader[1] not in asked[reader[0]]:
                continue
            plan = plans[reader[0]]
            if isinstance(plan, ApiError):
                prepared.failures.append(ShardFailure(reader[0], reader[1], reader[2], plan))
                continue
            prepared.readers.append(reader)
            plan = _at_place(plan, place)
            chosen.append(plan)
            prepared.plan = prepared.plan or plan
        if prepared.plan is not None and any(plan is not prepared.plan for plan in chosen):
            prepared.plans = chosen
        return prepared

    async def delete(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        """Closes points in time; ones already gone count as closed."""
        by_owner: dict[str, list[str]] = {}
        for id in ids:
            if not self.contexts.is_id(id):
                raise illegal_argument(f"invalid id: [{id}]")
            by_owner.setdefault(self.contexts.owner_of(id), []).append(id)
        for owner, owned in by_owner.items():
            if owner == self._nodes.id:
                self.contexts.remove(owned)
            else:
                await self._nodes.gather([owner], _DELETE, owned)
        return [{"successful": True, "pit_id": id} for id in ids]

    async def delete_all(self) -> list[dict[str, Any]]:
        """Closes every one of the cluster."""
        return await self.delete([str(found["pit_id"]) for found in await self.open_points()])

    async def open_points(self) -> list[dict[str, Any]]:
        """Those of all nodes."""
        gathered = await self._nodes.gather(sorted(self._searcher.state.nodes), _LIST, None)
        return [found for answer in gathered.answers.values() for found in answer]

    async def segments(self, ids: Sequence[str] | None) -> list[tuple[str, int, str, bytes]]:
        """Index, number, node and segments (JSON) of the shards of points in time; None: of all of the cluster. One that has ended
        has none. Raises :class:`ApiError` for what is no id.
        """
        wrong = next((id for id in ids or () if not self.contexts.is_id(id)), None)
        if wrong is not None:
            raise illegal_argument(f"invalid id: [{wrong}]")
        owners = set(self._searcher.state.nodes)
        if ids is not None:
            owners &= {self.contexts.owner_of(id) for id in ids}
        gathered = await self._nodes.gather(sorted(owners), _SEGMENTS, None if ids is None else list(ids))
        return sorted(tuple(found) for answer in gathered.answers.values() for found in answer)

    async def _segments_for(self, ids: list[str] | None) -> list[tuple[str, int, str, bytes]]:
        return [
            (index, number, node, context.segments[index, number])
            for id, context in self.contexts.items()
            if ids is None or id in ids
            for index, number, node, _ in context.readers
            if (index, number) in context.segments
        ]

    async def _delete_for(self, ids: list[str]) -> int:
        return self.contexts.remove(ids)

    async def _list_for(self, _message: None) -> list[dict[str, Any]]:
        return [
            {"pit_id": id, "creation_time": context.created_ms, "keep_alive": int(context.keep_alive_ms)}
            for id, context in self.contexts.items()
        ]


def _at_place(plan: CompiledPlan, place: int) -> CompiledPlan:
    """The plan for the shard at this place, where hits are ordered by shards."""
    sort = plan.body.get("sort") or ()
    if not any(key.get("field") == PLACE for key in sort):
        return plan
    body = {**plan.body, "sort": at_place(sort, place)}
    return replace(plan, kernel=kernel_plan(orjson.dumps(body)), body=body)


def missing_point(id: str) -> ApiError:
    """A point in time that ended."""
    reason = {
        "type": "search_context_missing_exception",
        "reason": f"No search context found for id [{sum(id.encode())}]",
    }
    details = {
        "phase": "query",
        "grouped": True,
        "failed_shards": [{"shard": 0, "index": None, "reason": reason}],
        "caused_by": reason,
    }
    return ApiError(404, "search_phase_execution_exception", "all shards failed", details, root_cause=[reason])
