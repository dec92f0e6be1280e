"""Everything that answers searches, put together: what the endpoints call."""

from __future__ import annotations

import time
from typing import Any

from quidditch.controlplane.api import ControlPlane
from quidditch.coordinator.get import Getter
from quidditch.coordinator.mappings import Mappings
from quidditch.coordinator.search import Ask, LocalShards, Searcher
from quidditch.coordinator.search_count import Queries
from quidditch.coordinator.search_fields import field_caps
from quidditch.coordinator.search_pit import PointsInTime
from quidditch.coordinator.search_scroll import Scrolls
from quidditch.lib.clock import Clock, SystemClock
from quidditch.model import expressions
from quidditch.query.uri import flag


class SearchService:
    """Searches, scrolls, points in time, counts, explanations and field capabilities."""

    def __init__(
        self, control: ControlPlane, local: LocalShards, mappings: Mappings, getter: Getter, clock: Clock | None = None
    ) -> None:
        clock = clock or SystemClock()
        self.searcher = Searcher(control, local, mappings, getter)
        self.scrolls = Scrolls(self.searcher, clock)
        self.points = PointsInTime(self.searcher, clock)
        self.queries = Queries(self.searcher)
        self._mappings = mappings

    async def search(self, ask: Ask) -> bytes:
        """`_search` in all its kinds: with `scroll`, within a point in time, or plain."""
        scroll = ask.params.get("scroll")
        if scroll:
            return await self.scrolls.start(ask, scroll)
        if ask.raw and (b'"pit"' in ask.raw or b'"point_in_time"' in ask.raw):
            request, shape = self.searcher.read(ask)
            if request.pit_id is not None:
                return await self.points.search(ask, request, shape)
        return await self.searcher.search(ask)

    def field_caps(self, ask: Ask, patterns: list[str]) -> dict[str, Any]:
        """`_field_caps`."""
        state = self.searcher.state
        options = expressions.parse_options(ask.params, expressions.STRICT_EXPAND_OPEN)
        indices = expressions.resolve(state, expressions.split(ask.expression), options, time.time_ns() // 1_000_000)
        mapped = [(index.name, self._mappings.get(index).root) for index in indices]
        return field_caps(mapped, patterns, flag(ask.params, "include_unmapped"))

    def search_shards(self, ask: Ask) -> dict[str, Any]:
        """`_search_shards`: which shards a search would ask, and through which filters."""
        state = self.searcher.state
        indices: dict[str, Any] = {}
        shards: list[list[dict[str, Any]]] = []
        nodes: dict[str, Any] = {}
        for target in self.searcher.targets(ask):
            name = target.index.name
            indices[name] = {}
            used = sorted(
                alias for alias in target.names if alias in state.aliases and name in state.aliases[alias].spec.indices
            )
            if used:
                indices[name]["aliases"] = used
            if target.filters:
                clauses = list(target.filters)
                indices[name]["filter"] = clauses[0] if len(clauses) == 1 else {"bool": {"should": clauses}}
            routing = state.routing.get(name)
            for number in target.shards:
                copies = routing.spec.shards[number].copies if routing is not None else ()
                shown = []
                for copy in copies:
                    if not copy.active or copy.node is None:
                        continue
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


def _node(state: Any, id: str) -> dict[str, Any]:
    node = state.nodes.get(id)
    if node is None:
        return {"name": id}
    spec = node.spec
    return {
        "name": spec.name, "ephemeral_id": spec.ephemeral_id, "transport_address": spec.transport_address,
        "attributes": dict(spec.attributes),
    }  # fmt: skip
