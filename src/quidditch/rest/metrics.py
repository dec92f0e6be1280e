"""`_prometheus/metrics`: what this process counts, in Prometheus' text format."""

from __future__ import annotations

from quidditch.lib.metrics import Metrics
from quidditch.rest.node import Node
from quidditch.rest.request import Request
from quidditch.rest.response import Response
from quidditch.rest.route import Route


async def metrics(_request: Request, node: Node) -> Response:
    found: Metrics = node.extra.setdefault("metrics", Metrics())
    return Response.raw(found.render(), "text/plain; version=0.0.4; charset=utf-8")


ROUTES = [Route("GET", "/_prometheus/metrics", metrics, body=False)]
