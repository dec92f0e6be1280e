"""`_index_template/_simulate…`: what a new index would get from templates, without making any."""

from __future__ import annotations

from typing import Any

from quidditch.controlplane.core import template_resolution, templates
from quidditch.controlplane.core.draft import Checks, Draft, Env
from quidditch.lib.ids import RandomIds
from quidditch.mapping import compose, settings
from quidditch.model.errors import illegal_argument, validation
from quidditch.model.objects import Template, TemplateSpec, metadata_for
from quidditch.model.state import ClusterState
from quidditch.rest import index_params as common
from quidditch.rest.node import Node
from quidditch.rest.request import Request
from quidditch.rest.response import Response
from quidditch.rest.route import Route

_NEW = "simulate_template_"


def _checked(node: Node, name: str, body: dict[str, Any]) -> Template:
    """The template as it would be stored; raises as putting it would."""
    checks = node.extra.get("checks") or Checks()
    env = Env(now_ms=node.clock.now_ms(), ids=RandomIds(), checks=checks)
    stored = templates.checked_body(Draft(node.control.state, env), "index", name, body)
    templates.refuse_conflicts(node.control.state, name, stored)
    return Template(metadata=metadata_for(name), spec=TemplateSpec(template_kind="index", name=name, body=stored))


def _shown(state: ClusterState, template: Template, overlapping: list[dict[str, Any]]) -> dict[str, Any]:
    resolved = template_resolution.compose(state, template)
    inner: dict[str, Any] = {
        "settings": settings.nest({key: value for key, value in resolved.settings.items() if value is not None})
    }
    if resolved.mappings:
        inner["mappings"] = compose(list(resolved.mappings)).to_json()
    inner["aliases"] = {name: dict(body) for name, body in resolved.aliases.items()}
    return {"template": inner, "overlapping": overlapping}


def _overlapping(state: ClusterState, template: Template, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """Other templates for the same names, legacy before composable; `names` are left out."""
    patterns = template.spec.body["index_patterns"]
    return [
        {"name": name, "index_patterns": found}
        for kind in ("legacy", "index")
        for name, found in templates.overlapping(state, patterns, kind).items()
        if kind == "legacy" or name not in names
    ]


async def simulate_index(request: Request, node: Node) -> Response:
    """For an index of this name; a template in the body takes part as if it were there."""
    common.manager_timeout(request)
    state = node.control.state
    index = request.path_params["name"]
    body = request.json_object_or_empty()
    if body:
        extra = _checked(node, _NEW + index, body)
        state = state.apply([extra], state.version)
    template = template_resolution.matching_composable(state, index)
    if template is None:
        return Response.json({})
    return Response.json(_shown(state, template, _overlapping(state, template, (template.spec.name,))))


async def simulate(request: Request, node: Node) -> Response:
    """A template of this name, or the one in the body (which may replace one of this name)."""
    common.manager_timeout(request)
    state = node.control.state
    name = request.param("name")
    body = request.json_object_or_empty()
    if not body:
        if name is None:
            raise validation("either index name or index template body must be specified for simulation")
        found = state.template("index", name)
        if found is None:
            raise illegal_argument(f"unable to simulate template [{name}] that does not exist")
        return Response.json(_shown(state, found, _overlapping(state, found, (name,))))
    template = _checked(node, name or _NEW + "new", body)
    return Response.json(_shown(state, template, _overlapping(state, template, (template.spec.name,))))


_PARAMS = ("cause", "create", *common.MANAGER)
ROUTES = [
    Route("POST", "/_index_template/_simulate_index/{name}", simulate_index, _PARAMS, reads=True),
    Route("POST", "/_index_template/_simulate", simulate, _PARAMS, reads=True),
    Route("POST", "/_index_template/_simulate/{name}", simulate, _PARAMS, reads=True),
]
