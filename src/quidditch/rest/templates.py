"""Templates of new indices: composable, component and legacy; put, get, exists, delete."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from quidditch.controlplane.core.commands import DeleteTemplate, PutTemplate
from quidditch.mapping import settings
from quidditch.model.errors import ApiError
from quidditch.model.objects import Template, TemplateKind
from quidditch.model.wildcard import is_pattern, matches
from quidditch.rest import index_params as common
from quidditch.rest.indices_admin import untyped
from quidditch.rest.node import Node
from quidditch.rest.request import Request
from quidditch.rest.response import Response
from quidditch.rest.route import Route

_LISTS: dict[TemplateKind, tuple[str, str]] = {
    "index": ("index_templates", "index_template"),
    "component": ("component_templates", "component_template"),
}
_MISSING: dict[TemplateKind, str] = {"index": "index template", "component": "component template"}


def _select(node: Node, kind: TemplateKind, patterns: tuple[str, ...]) -> list[Template]:
    found = node.control.state.templates_of(kind)
    if not patterns:
        return [found[name] for name in sorted(found)]
    return [found[name] for name in sorted(found) if any(matches(pattern, name) for pattern in patterns)]


# --- composable and component ---------------------------------------------------------------------------------------


def _putter(kind: TemplateKind) -> Callable[[Request, Node], Any]:
    async def put(request: Request, node: Node) -> Response:
        timeout = common.manager_timeout(request)
        body = request.json_object()
        part = body.get("template")
        if isinstance(part, dict) and isinstance(part.get("mappings"), dict):
            untyped(part["mappings"])
        command = PutTemplate(
            template_kind=kind, name=request.path_params["name"], body=body, create=request.flag("create")
        )
        await node.control.submit(command, timeout)
        return Response.json({"acknowledged": True})

    return put


def _getter(kind: TemplateKind) -> Callable[[Request, Node], Any]:
    outer, inner = _LISTS[kind]

    async def get(request: Request, node: Node) -> Response:
        common.manager_timeout(request)
        name = request.param("name")
        found = _select(node, kind, (name,) if name else ())
        if not found and name and not is_pattern(name):
            raise ApiError(404, "resource_not_found_exception", f"{_MISSING[kind]} matching [{name}] not found")
        shown = [{"name": template.spec.name, inner: template.spec.body} for template in found]
        return Response.json({outer: shown}, 404 if name and not found else 200)

    return get


def _exister(kind: TemplateKind) -> Callable[[Request, Node], Any]:
    async def exists(request: Request, node: Node) -> Response:
        return Response.empty(200 if _select(node, kind, common.names(request, "name")) else 404)

    return exists


def _deleter(kind: TemplateKind) -> Callable[[Request, Node], Any]:
    async def delete(request: Request, node: Node) -> Response:
        command = DeleteTemplate(template_kind=kind, name=request.path_params["name"])
        await node.control.submit(command, common.manager_timeout(request))
        return Response.json({"acknowledged": True})

    return delete


# --- legacy ---------------------------------------------------------------------------------------------------------


async def put_legacy(request: Request, node: Node) -> Response:
    timeout = common.manager_timeout(request)
    body = request.json_object()
    order = request.int("order")
    if order is not None:
        body = {"order": order, **body}
    if isinstance(body.get("mappings"), dict):
        untyped(body["mappings"])
    command = PutTemplate(
        template_kind="legacy", name=request.path_params["name"], body=body, create=request.flag("create")
    )
    await node.control.submit(command, timeout)
    return Response.json({"acknowledged": True})


async def get_legacy(request: Request, node: Node) -> Response:
    common.manager_timeout(request)
    flat = request.flag("flat_settings")
    names = common.names(request, "name")
    found = _select(node, "legacy", names)
    answer = {template.spec.name: _shown_legacy(template.spec.body, flat) for template in found}
    return Response.json(answer, 404 if names and not found else 200)


def _shown_legacy(body: dict[str, Any], flat: bool) -> dict[str, Any]:
    stored = settings.normalize(body.get("settings") or {})
    shown: dict[str, Any] = {"order": body.get("order", 0)}
    if body.get("version") is not None:
        shown["version"] = body["version"]
    shown["index_patterns"] = body.get("index_patterns", [])
    shown["settings"] = settings.shown({key: value for key, value in stored.items() if value is not None}, flat)
    shown["mappings"] = body.get("mappings") or {}
    shown["aliases"] = body.get("aliases") or {}
    return shown


_LOOK = ("local", "flat_settings", *common.MANAGER)


def _routes(kind: TemplateKind, base: str) -> list[Route]:
    path = f"{base}/{{name}}"
    put = (*common.CHANGE, "create", "cause")
    return [
        *(Route(method, path, _putter(kind), put) for method in ("PUT", "POST")),
        Route("GET", base, _getter(kind), _LOOK),
        Route("GET", path, _getter(kind), _LOOK),
        Route("HEAD", path, _exister(kind), _LOOK),
        Route("DELETE", path, _deleter(kind), common.CHANGE),
    ]


ROUTES = [
    *_routes("index", "/_index_template"),
    *_routes("component", "/_component_template"),
    *(
        Route(method, "/_template/{name}", put_legacy, (*common.CHANGE, "create", "order"))
        for method in ("PUT", "POST")
    ),
    Route("GET", "/_template", get_legacy, _LOOK),
    Route("GET", "/_template/{name}", get_legacy, _LOOK),
    Route("HEAD", "/_template/{name}", _exister("legacy"), _LOOK),
    Route("DELETE", "/_template/{name}", _deleter("legacy"), common.CHANGE),
]
