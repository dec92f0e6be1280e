"""Everything that answers searches, put together: what the endpoints call."""

from __future__ import annotations

import time
from collections.abc import Coroutine
from typing import Any

import orjson

from quidditch.controlplane.api import ControlPlane
from quidditch.coordinator import copies, search_prefilter
from quidditch.coordinator.copy_choice import CopyChoice
from quidditch.coordinator.get import Getter
from quidditch.coordinator.mappings import Mappings
from quidditch.coordinator.nodes import Nodes
from quidditch.coordinator.search import Ask, Searcher
from quidditch.coordinator.search_count import Queries
from quidditch.coordinator.search_fields import field_caps
from quidditch.coordinator.search_pit import PointsInTime
from quidditch.coordinator.search_plans import CompiledPlan, kernel_plan
from quidditch.coordinator.search_prepared import LocalShards
from quidditch.coordinator.search_scroll import Scrolls
from quidditch.coordinator.search_targets import SearchTarget
from quidditch.lib.clock import Clock, SystemClock
from quidditch.model import expressions
from quidditch.model.objects import Index
from quidditch.query.plan import compile_query
from quidditch.query.uri import flag
from quidditch.transport.breakers import Breaker
from quidditch.transport.searches import Searches


class SearchService:
    """Searches, scrolls, points in time, counts, explanations and field capabilities."""

    def __init__(
        self,
        control: ControlPlane,
        local: LocalShards,
        mappings: Mappings,
        getter: Getter,
        searches: Searches,
        nodes: Nodes,
        choice: CopyChoice,
        memory: Breaker,
        clock: Clock | None = None,
    ) -> None:
        clock = clock or SystemClock()
        self.searcher = Searcher(control, local, mappings, getter, searches, choice, memory)
        self.scrolls = Scrolls(self.searcher, clock, nodes)
        self.points = PointsInTime(self.searcher, clock, nodes)
        self.queries = Queries(self.searcher)
        self._mappings = mappings

    def search(self, ask: Ask) -> Coroutine[Any, Any, bytes]:
        """`_search` in all its kinds: with `scroll`, within a point in time, or plain."""
        scroll = ask.params.get("scroll")
        if scroll is not None:
            return self.scrolls.start(ask, scroll)
        if ask.raw and (b'"pit"' in ask.raw or b'"point_in_time"' in ask.raw):
            request, shape = self.searcher.read(ask)
            if request.pit_id is not None:
                return self.points.search(ask, request, shape)
        return self.searcher.search(ask)

    async def field_caps(
        self, ask: Ask, patterns: list[str], index_filter: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """`_field_caps`; `index_filter` leaves out indices that cannot match it."""
        state = self.searcher.state
        options = expressions.parse_options(ask.params, expressions.STRICT_EXPAND_OPEN)
        indices = expressions.resolve(state, expressions.split(ask.expression), options, time.time_ns() // 1_000_000)
        indices = [index for index in indices if index.open]
        if index_filter is not None:
            indices = [index for index in indices if await self._can_match(index, index_filter)]
        mapped = [(index.name, self._mappings.get(index).root) for index in indices]
        return field_caps(mapped, patterns, flag(ask.params, "include_unmapped"))

    async def _can_match(self, index: Index, query: dict[str, Any]) -> bool:
        """Whether some shard may match; one that does not tell may."""
        searcher = self.searcher
        ctx = searcher.plans.context(searcher.state, index, time.time_ns() // 1_000_000)
        needed = search_prefilter.demanded(compile_query(query, ctx))
        if needed is None:
            return True
        opened = searcher.open_readers([SearchTarget(index, tuple(range(index.number_of_shards)))])
        body = {"query": needed, "size": 0}
        plan = CompiledPlan(kernel_plan(orjson.dumps(body)), body)
        opened.plan = plan
        return any(await searcher.scatter.can_match(opened))

    def search_shards(self, ask: Ask) -> dict[str, Any]:
        """`_search_shards`: which shards a search would ask, and through which filters."""
        state = self.searcher.state
        indices: dict[str, Any] = {}
        shards: list[list[dict[str, Any]]] = []
        nodes: dict[str, Any] = {}
        request = self.searcher.read(ask)[0] if ask.raw else None
        preference = ask.params.get("preference")
        for target in self.searcher.targets(ask, request, expressions.LENIENT_EXPAND_OPEN):
            name = target.index.name
            indices[name] = {}
            used = sorted(
                alias for alias in target.names if alias in state.aliases and name in state.aliases[alias].spec.indices
            )
            if used:
                indices[name]["aliases"] = used
            if target.filters:
                indices[name]["filter"] = _shown_filter([_spelled_out(item) for item in target.filters])
            for number in target.shards:
                held = {copy.node: copy for copy in copies.of(state, target.index, number)}
                shown = []
                for copy in map(held.__getitem__, copies.readable(state, target.index, number, "", preference)):
                    assert copy.node is not None
                    nodes[copy.node] = _node(state, copy.node)
                    shown.append(
                        {
                            "state": copy.state, "primary": copy.primary, "searchOnly": False, "node": copy.node,
                            "relocating_node": copy.relocating_node, "shard": number, "index": name,
                            "allocation_id": {"id": copy.allocation_id},
                        }
                    )  # fmt: skip
                shards.append(shown)
        return {"nodes": nodes, "indices": indices, "shards": shards}


def _spelled_out(query: dict[str, Any]) -> dict[str, Any]:
    """A term query with its defaults, as OpenSearch writes it back."""
    terms = query.get("term")
    if not isinstance(terms, dict) or len(query) != 1:
        return query
    shown = {field: spec if isinstance(spec, dict) else {"value": spec} for field, spec in terms.items()}
    return {"term": {field: {"boost": 1.0, **spec} for field, spec in shown.items()}}


def _shown_filter(filters: list[dict[str, Any]]) -> dict[str, Any]:
    if len(filters) == 1:
        return filters[0]
    return {"bool": {"should": filters, "adjust_pure_negative": True, "boost": 1.0}}


def _node(state: Any, id: str) -> dict[str, Any]:
    node = state.nodes.get(id)
    if node is None:
        return {"name": id}
    spec = node.spec
    return {
        "name": spec.name, "ephemeral_id": spec.ephemeral_id, "transport_address": spec.transport_address,
        "attributes": dict(spec.attributes),
    }  # fmt: skip
