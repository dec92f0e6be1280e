"""`_cluster/settings`: what is set for the whole cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quidditch.controlplane.core.cluster_setting_catalog import DYNAMIC, STATIC
from quidditch.controlplane.core.commands import PutClusterSettings
from quidditch.mapping.settings import nest
from quidditch.model.errors import validation
from quidditch.rest import index_params as common
from quidditch.rest.node import Node
from quidditch.rest.request import Request, parse_error
from quidditch.rest.response import Response
from quidditch.rest.route import Route


async def get(request: Request, node: Node) -> Response:
    common.manager_timeout(request)
    flat = request.flag("flat_settings")
    spec = node.control.state.settings.spec
    body = {"persistent": _shown(spec.persistent, flat), "transient": _shown(spec.transient, flat)}
    if request.flag("include_defaults"):
        body["defaults"] = _shown(_defaults(node), flat)
    return Response.json(body)


def _shown(values: Mapping[str, Any], flat: bool) -> dict[str, Any]:
    return dict(values) if flat else nest(values)


def _defaults(node: Node) -> dict[str, Any]:
    """Defaults, and what this node's configuration says, of everything that is not set."""
    spec = node.control.state.settings.spec
    known = {key: default for key, (_, default) in DYNAMIC.items()} | dict(STATIC)
    found = {key: value for key, value in known.items() if value is not None and "*" not in key}
    local = node.control.state.nodes.get(node.id)
    found["cluster.name"] = node.control.state.cluster_name
    found["node.name"] = node.name
    if local is not None:
        found["node.roles"] = list(local.spec.roles)
        found.update({f"node.attr.{name}": value for name, value in local.spec.attributes.items()})
    return {
        key: value for key, value in sorted(found.items()) if key not in spec.persistent and key not in spec.transient
    }


async def put(request: Request, node: Node) -> Response:
    body = request.json_object()
    parts: dict[str, dict[str, Any]] = {}
    for kind in ("persistent", "transient"):
        part = body.get(kind)
        if part is not None and not isinstance(part, dict):
            raise parse_error(f"[{kind}] settings must be an object")
        parts[kind] = part or {}
    if not parts["persistent"] and not parts["transient"]:
        raise validation("no settings to update")
    changed = await node.control.submit(
        PutClusterSettings(persistent=parts["persistent"], transient=parts["transient"]),
        common.manager_timeout(request),
    )
    flat = request.flag("flat_settings")
    return Response.json(
        {
            "acknowledged": True,
            "persistent": _shown(changed.persistent, flat),
            "transient": _shown(changed.transient, flat),
        }
    )


ROUTES = [
    Route("GET", "/_cluster/settings", get, (*common.CHANGE, "flat_settings", "include_defaults")),
    Route("PUT", "/_cluster/settings", put, (*common.CHANGE, "flat_settings")),
]
