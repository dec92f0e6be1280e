"""`_nodes/usage`: how often the endpoints of each node were called; `_nodes/reload_secure_settings`, of which there are none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quidditch.model.errors import ApiError
from quidditch.rest.node import Node
from quidditch.rest.request import Request
from quidditch.rest.response import Response
from quidditch.rest.route import Route

USAGE = "nodes/usage"
RELOAD = "nodes/reload_secure_settings"
_METRICS = ("rest_actions", "aggregations")


async def usage(request: Request, node: Node) -> Response:
    names = request.list("metric") or ["_all"]
    wanted = [name for name in _METRICS if name in names or "_all" in names]
    return await _gather(request, node, USAGE, {"wanted": wanted})


async def _gather(request: Request, node: Node, action: str, message: Any) -> Response:
    chosen = [known.id for known in node.select(request.param("node_id"))]
    gathered = await node.nodes.gather(chosen, action, message)
    head = {"_nodes": gathered.header(), "cluster_name": node.control.state.cluster_name}
    return Response.json({**head, "nodes": gathered.answers})


async def tell(node: Node, message: Mapping[str, Any]) -> dict[str, Any]:
    """This node's part: an endpoint is called by its method and pattern. Aggregations are not counted."""
    counts: Mapping[str, Any] = {"rest_actions": node.traffic.counts(), "aggregations": {}}
    body: dict[str, Any] = {"timestamp": node.clock.now_ms(), "since": node.started_ms}
    return {**body, **{name: counts[name] for name in message["wanted"]}}


async def reload(request: Request, node: Node) -> Response:
    given = request.json_object_or_empty().get("secure_settings_password")
    return await _gather(request, node, RELOAD, {"password": bool(given)})


async def tell_reloaded(node: Node, message: Mapping[str, Any]) -> dict[str, Any]:
    """There is no keystore to reload, and no password opens it."""
    body: dict[str, Any] = {"name": node.name}
    if message["password"]:
        refused = ApiError(403, "security_exception", "Provided keystore password was incorrect")
        body["reload_exception"] = refused.body()
    return body


ROUTES = [
    *(
        Route("GET", path, usage, ("timeout",))
        for path in (
            "/_nodes/usage",
            "/_nodes/usage/{metric}",
            "/_nodes/{node_id}/usage",
            "/_nodes/{node_id}/usage/{metric}",
        )
    ),
    *(
        Route("POST", path, reload, ("timeout",))
        for path in ("/_nodes/reload_secure_settings", "/_nodes/{node_id}/reload_secure_settings")
    ),
]
