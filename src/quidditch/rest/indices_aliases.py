"""Aliases: put, get, exists and delete one; `_aliases` with a list of actions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quidditch.controlplane.core.commands import RemoveAlias, UpdateAliases
from quidditch.model import expressions
from quidditch.model.errors import ApiError, illegal_argument
from quidditch.model.expressions import STRICT_EXPAND_HIDDEN
from quidditch.model.wildcard import is_pattern, matches, matches_any
from quidditch.rest import alias_actions
from quidditch.rest import index_params as common
from quidditch.rest.index_view import alias_json
from quidditch.rest.node import Node
from quidditch.rest.request import Request
from quidditch.rest.response import Response
from quidditch.rest.route import Route

_MEMBERS = ("index", "alias", "routing", "index_routing", "search_routing", "filter", "is_write_index", "is_hidden")


# --- change ---------------------------------------------------------------------------------------------------------


async def update(request: Request, node: Node) -> Response:
    timeout = common.manager_timeout(request)
    actions = alias_actions.parse(request.json_object())
    await node.control.submit(UpdateAliases(actions=tuple(actions)), timeout)
    return Response.json({"acknowledged": True})


async def put(request: Request, node: Node) -> Response:
    """The body may name index and alias too; then it wins over the path."""
    timeout = common.manager_timeout(request)
    body = request.json_object_or_empty()
    for key in body:
        if key not in _MEMBERS:
            raise illegal_argument(f"unknown field [{key}]")
    indices = expressions.split(alias_actions.text(body.get("index"))) or list(common.names(request))
    alias = alias_actions.text(body.get("alias")) or request.param("name") or ""
    if not indices:
        raise illegal_argument("[indices] can't be empty")
    if not alias:
        raise illegal_argument("[alias] can't be empty string")
    action = alias_actions.add(tuple(indices), (alias,), body)
    await node.control.submit(UpdateAliases(actions=(action,)), timeout)
    return Response.json({"acknowledged": True})


async def delete(request: Request, node: Node) -> Response:
    command = UpdateAliases(
        actions=(RemoveAlias(indices=common.names(request), aliases=common.names(request, "name")),)
    )
    await node.control.submit(command, common.manager_timeout(request))
    return Response.json({"acknowledged": True})


# --- look -----------------------------------------------------------------------------------------------------------


async def get(request: Request, node: Node) -> Response:
    """Aliases by index. Names without a wildcard that no index has make a 404 that still shows the others."""
    found = _found(request, node)
    asked = common.names(request, "name")
    if not asked or asked == ("_all",):
        names = found if asked else _index_names(request, node)
        return Response.json(_shown({index: found.get(index, {}) for index in names}))
    missing = _missing(asked, found)
    if not missing:
        return Response.json(_shown(found))
    text = f"alias{'es' if len(missing) > 1 else ''} [{','.join(missing)}] missing"
    return Response.json({"error": text, "status": 404, **_shown(found)}, 404)


def _shown(found: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {index: {"aliases": aliases} for index, aliases in found.items()}


async def exists(request: Request, node: Node) -> Response:
    try:
        return Response.empty(200 if _found(request, node) else 404)
    except ApiError as error:
        if error.status != 404:
            raise
        return Response.empty(404)


def _index_names(request: Request, node: Node) -> list[str]:
    return [index.name for index in common.readable(request, node, STRICT_EXPAND_HIDDEN)]


def _found(request: Request, node: Node) -> dict[str, dict[str, Any]]:
    """Index → alias → how it is shown, for indices that have one of the aliases asked for."""
    state = node.control.state
    asked = common.names(request, "name")
    answer: dict[str, dict[str, Any]] = {}
    for index in _index_names(request, node):
        names = [alias.name for alias in state.aliases_of(index)]
        chosen = _choose(asked, names)
        if chosen:
            answer[index] = {name: alias_json(state.aliases[name], index) for name in chosen}
    return answer


def _parts(asked: tuple[str, ...]) -> list[tuple[bool, str]]:
    """(takes away, pattern) of each part: `-` takes away in a pattern, or behind one."""
    parts = []
    pattern_seen = False
    for part in asked:
        pattern_seen |= is_pattern(part)
        takes = part.startswith("-") and pattern_seen
        parts.append((takes, part[1:] if takes else part))
    return parts


def _choose(asked: tuple[str, ...], names: list[str]) -> list[str]:
    """The names that are asked for."""
    if not asked:
        return names
    chosen: set[str] = set()
    for takes, pattern in _parts(asked):
        matching = {name for name in names if pattern == "_all" or matches(pattern, name)}
        chosen = chosen - matching if takes else chosen | matching
    return [name for name in names if name in chosen]


def _missing(asked: tuple[str, ...], found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Names written out that nothing was found for, sorted; those that a later part takes away do not count."""
    shown = {name for aliases in found.values() for name in aliases}
    parts = _parts(asked)
    missing = set()
    for position, (takes, name) in enumerate(parts):
        if takes or name == "_all" or is_pattern(name) or name in shown:
            continue
        later = [pattern for taken, pattern in parts[position + 1 :] if taken]
        if not matches_any(later, name):
            missing.add(name)
    return sorted(missing)


_LOOK = (*common.EXPAND, "local")
_PUT_PATHS = ("/{index}/_alias/{name}", "/{index}/_aliases/{name}", "/_alias/{name}", "/_aliases/{name}")
_GET_PATHS = ("/_alias", "/_aliases", "/_alias/{name}", "/_aliases/{name}", "/{index}/_alias", "/{index}/_alias/{name}")
ROUTES = [
    Route("POST", "/_aliases", update, common.CHANGE),
    *(Route(method, path, put, common.CHANGE) for method in ("PUT", "POST") for path in _PUT_PATHS),
    *(
        Route("PUT", path, put, common.CHANGE)
        for path in ("/{index}/_alias", "/{index}/_aliases", "/_alias", "/_aliases")
    ),
    *(Route("DELETE", path, delete, common.CHANGE) for path in _PUT_PATHS[:2]),
    *(Route("GET", path, get, _LOOK) for path in _GET_PATHS),
    *(Route("HEAD", path, exists, _LOOK) for path in ("/_alias/{name}", "/{index}/_alias", "/{index}/_alias/{name}")),
]
