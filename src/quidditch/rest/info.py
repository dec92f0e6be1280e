"""`GET /` and `HEAD /`: who answers."""

from __future__ import annotations

from quidditch import __version__
from quidditch.rest.node import Node
from quidditch.rest.request import Request
from quidditch.rest.response import Response
from quidditch.rest.route import Route

COMPATIBLE_VERSION = "3.6.0"
"""The OpenSearch version whose API this is; clients check it."""


async def info(request: Request, node: Node) -> Response:
    state = node.control.state
    request.query.setdefault("pretty", "true")
    return Response.json(
        {
            "name": node.name,
            "cluster_name": state.cluster_name or node.config["cluster.name"],
            "cluster_uuid": state.cluster_uuid,
            "version": {
                "distribution": "opensearch",
                "number": COMPATIBLE_VERSION,
                "build_type": "quidditch",
                "build_hash": __version__,
                "build_date": "2026-11-21T00:00:00.000000000Z",
                "build_snapshot": False,
                "lucene_version": "10.4.0",
                "minimum_wire_compatibility_version": "2.19.0",
                "minimum_index_compatibility_version": "2.0.0",
            },
            "tagline": "The OpenSearch Project: https://opensearch.org/",
        }
    )


ROUTES = [Route("GET", "/", info, body=False, alone=True), Route("HEAD", "/", info, body=False, alone=True)]
