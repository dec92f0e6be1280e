"""`_nodes/{id}/shutdown`: a node is told to go, and asked how far it is. As in Elasticsearch; OpenSearch has no such API."""

from __future__ import annotations

from quidditch.controlplane.core.commands import DeleteShutdown, PutShutdown, ShutdownStatus
from quidditch.model.errors import ApiError
from quidditch.rest import index_params as common
from quidditch.rest.node import Node
from quidditch.rest.request import Request
from quidditch.rest.response import Response
from quidditch.rest.route import Route

_FIELDS = ("type", "reason", "allocation_delay", "target_node_name")


async def put(request: Request, node: Node) -> Response:
    body = request.json_object_or_empty()
    for key, value in body.items():
        if key not in _FIELDS:
            problem = f"unknown field [{key}]"
        elif value is not None and not isinstance(value, str):
            problem = f"failed to parse field [{key}]"
        else:
            continue
        raise ApiError(400, "x_content_parse_exception", f"[1:1] [put_shutdown_node_request] {problem}")
    command = PutShutdown(
        node=request.param("node_id") or "",
        kind=body.get("type"),
        reason=body.get("reason"),
        allocation_delay=body.get("allocation_delay"),
        target_node_name=body.get("target_node_name"),
    )
    await common.change(request, node, command)
    return Response.json({"acknowledged": True})


async def delete(request: Request, node: Node) -> Response:
    await common.change(request, node, DeleteShutdown(node=request.param("node_id") or ""))
    return Response.json({"acknowledged": True})


async def get(request: Request, node: Node) -> Response:
    command = ShutdownStatus(node=request.param("node_id"))
    return Response.json((await node.control.submit(command, common.manager_timeout(request))).body)


ROUTES = [
    Route("PUT", "/_nodes/{node_id}/shutdown", put, common.CHANGE),
    Route("DELETE", "/_nodes/{node_id}/shutdown", delete, common.CHANGE),
    Route("GET", "/_nodes/{node_id}/shutdown", get, common.MANAGER),
    Route("GET", "/_nodes/shutdown", get, common.MANAGER),
]
