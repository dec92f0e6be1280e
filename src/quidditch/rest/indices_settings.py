"""Get and put index settings."""

from __future__ import annotations

from typing import Any

from quidditch.controlplane.core.commands import UpdateIndexSettings
from quidditch.model.errors import validation
from quidditch.model.expressions import STRICT_EXPAND, IndicesOptions
from quidditch.rest import index_params as common
from quidditch.rest import index_view as view
from quidditch.rest.node import Node
from quidditch.rest.request import Request
from quidditch.rest.response import Response
from quidditch.rest.route import Route


async def get(request: Request, node: Node) -> Response:
    flat, human = request.flag("flat_settings"), request.flag("human")
    patterns = common.names(request, "name")
    keep = view.matches_name(patterns)
    answer: dict[str, Any] = {}
    for index in common.readable(request, node, STRICT_EXPAND):
        shown = {"settings": view.settings_json(index, flat=flat, human=human, keep=keep)}
        if request.flag("include_defaults"):
            shown["defaults"] = view.defaults_json(index, flat=flat, keep=keep)
        if any(shown.values()):
            answer[index.name] = shown
    return Response.json(answer)


_CHANGED = IndicesOptions(allow_no_indices=False, expand_closed=True)


async def put(request: Request, node: Node) -> Response:
    timeout = common.manager_timeout(request)
    body = request.json_object()
    inner = body.get("settings")
    changes = inner if isinstance(inner, dict) else body
    if not changes:
        raise validation("no settings to update")
    await node.control.submit(
        UpdateIndexSettings(
            indices=common.names(request),
            settings=changes,
            preserve_existing=request.flag("preserve_existing"),
            options=common.options(request, _CHANGED),
        ),
        timeout,
    )
    return Response.json({"acknowledged": True})


_GET = (*common.EXPAND, "local", "flat_settings", "include_defaults", *common.MANAGER)
_PUT = (*common.CHANGE, *common.EXPAND, "flat_settings", "preserve_existing")
ROUTES = [
    *(
        Route("GET", path, get, _GET)
        for path in (
            "/_settings",
            "/_settings/{name}",
            "/{index}/_settings",
            "/{index}/_settings/{name}",
            "/{index}/_setting/{name}",
        )
    ),
    Route("PUT", "/_settings", put, _PUT),
    Route("PUT", "/{index}/_settings", put, _PUT),
]
