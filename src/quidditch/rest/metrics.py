"""`_prometheus/metrics`: what this process counts, in Prometheus' text format."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from prometheus_client.metrics_core import Metric

from quidditch.lib.metrics import Metrics, render
from quidditch.model.state import ClusterState
from quidditch.rest import readings, shard_stats
from quidditch.rest.node import Node
from quidditch.rest.readings import Retired
from quidditch.rest.request import Request
from quidditch.rest.response import Response
from quidditch.rest.route import Route
from quidditch.rest.shard_stats import ShardStats

_TYPE = "text/plain; version=0.0.4; charset=utf-8"


async def metrics(_request: Request, node: Node) -> Response:
    counted: Metrics = node.extra.setdefault("metrics", Metrics())
    open_shards = await shard_stats.collect_here(node)
    # A large cluster takes its time to count, in which the node goes on.
    routed = await asyncio.to_thread(_routed, node.control.state, node.id, node.manager == node.id)
    return Response.raw(counted.render() + render([*_read(node, open_shards), *routed]), _TYPE)


def _routed(state: ClusterState, node_id: str, leads: bool) -> list[Metric]:
    return [*readings.copies(state, node_id), *(readings.cluster(state) if leads else ())]


def _read(node: Node, open_shards: list[ShardStats]) -> Iterable[Metric]:
    retired: Retired = node.extra.setdefault("retired", Retired())
    yield from readings.process()
    yield from node.traffic.readings()
    yield from readings.pressure(node)
    yield from readings.disk(node)
    yield from readings.shards(open_shards, retired)
    yield from readings.leadership(node)


ROUTES = [Route("GET", "/_prometheus/metrics", metrics, body=False, alone=True)]
