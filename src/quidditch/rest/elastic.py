"""What Elasticsearch's own clients and shippers ask beyond OpenSearch's API: points in time by their path, the licence.

Logstash's and Beats' outputs do not start without an active licence; here it says that nothing is held back.
"""

from __future__ import annotations

from typing import Any

from quidditch.model.errors import validation
from quidditch.rest import pit
from quidditch.rest.node import Node
from quidditch.rest.request import Request
from quidditch.rest.response import Response
from quidditch.rest.route import Route
from quidditch.rest.scroll import unknown


async def licence(_request: Request, node: Node) -> Response:
    state = node.control.state
    return Response.json(
        {
            "license": {
                "status": "active",
                "uid": state.cluster_uuid,
                "type": "basic",
                "issue_date": "2026-01-01T00:00:00.000Z",
                "issue_date_in_millis": 1767225600000,
                "max_nodes": None,
                "max_resource_units": None,
                "issued_to": state.cluster_name,
                "issuer": "quidditch",
                "start_date_in_millis": -1,
            }
        }
    )


async def open_pit(request: Request, node: Node) -> Response:
    """As OpenSearch's, but the answer calls the id `id`."""
    created: dict[str, Any] = (await pit.create(request, node)).value
    return Response.json({"id": created["pit_id"], "_shards": created["_shards"]})


async def close_pit(request: Request, node: Node) -> Response:
    id: str | None = None
    for key, value in request.json_object_or_empty().items():
        if key != "id" or not isinstance(value, str):
            raise unknown(key, value)
        id = value
    if not id:
        raise validation("id is missing")
    closed = [found for found in await node.search.points.delete([id]) if found["successful"]]
    return Response.json({"succeeded": bool(closed), "num_freed": len(closed)}, 200 if closed else 404)


ROUTES = [
    Route("GET", "/_license", licence, ("local", "accept_enterprise"), body=False),
    Route("POST", "/{index}/_pit", open_pit, pit.PARAMS, load="search", reads=True),
    Route("DELETE", "/_pit", close_pit, reads=True),
]
