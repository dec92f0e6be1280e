"""Create, get, exists, delete, open, close and block indices."""

from __future__ import annotations

from typing import Any

from quidditch.controlplane.core.commands import (
    AddBlock,
    CloseIndices,
    CreateIndex,
    DeleteIndices,
    OpenIndices,
)
from quidditch.model import expressions
from quidditch.model.errors import ApiError, illegal_argument, validation
from quidditch.model.expressions import STRICT_EXPAND, STRICT_EXPAND_OPEN, IndicesOptions
from quidditch.rest import index_params as common
from quidditch.rest import index_view as view
from quidditch.rest import tasks
from quidditch.rest.node import Node
from quidditch.rest.request import Request
from quidditch.rest.response import Response
from quidditch.rest.route import Route

BLOCKS = ("read_only", "read", "write", "metadata", "read_only_allow_delete")
_OPEN = IndicesOptions(expand_open=False, expand_closed=True)
_SHOWN = (*common.EXPAND, "local", "flat_settings", "include_defaults", *common.MANAGER)


def _part(body: dict[str, Any], key: str) -> dict[str, Any]:
    value = body.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ApiError(400, "parse_exception", f"key [{key}] must be an object")
    return value


def untyped(mapping: dict[str, Any]) -> dict[str, Any]:
    """Refuses a mapping with a type around it, as clients of older versions send it."""
    if len(mapping) == 1 and "_doc" in mapping:
        raise illegal_argument("The mapping definition cannot be nested under a type")
    return mapping


async def create(request: Request, node: Node) -> Response:
    timeout = common.manager_timeout(request)
    body = request.json_object_or_empty()
    for key in body:
        if key not in ("settings", "mappings", "aliases"):
            raise ApiError(400, "parse_exception", f"unknown key [{key}] for create index")
    created = await node.control.submit(
        CreateIndex(
            name=request.path_params["index"],
            settings=_part(body, "settings"),
            mappings=untyped(_part(body, "mappings")),
            aliases=_part(body, "aliases"),
            wait_for_active_shards=common.active_shards(request),
        ),
        timeout,
    )
    ready = await common.wait_active(request, node, [created.index], created.wait_for_active_shards)
    return Response.json({"acknowledged": True, "shards_acknowledged": ready, "index": created.index})


async def get(request: Request, node: Node) -> Response:
    flat, human = request.flag("flat_settings"), request.flag("human")
    answer: dict[str, Any] = {}
    for index in common.readable(request, node, STRICT_EXPAND_OPEN):
        shown: dict[str, Any] = {
            "aliases": view.aliases_json(node.control.state, index.name),
            "mappings": index.spec.mappings,
            "settings": view.settings_json(index, flat=flat, human=human),
        }
        if request.flag("include_defaults"):
            shown["defaults"] = view.defaults_json(index, flat=flat)
        if index.spec.data_stream is not None:
            shown["data_stream"] = index.spec.data_stream
        answer[index.name] = shown
    return Response.json(answer)


async def exists(request: Request, node: Node) -> Response:
    """404 for what does not exist; a wildcard always does."""
    try:
        common.readable(request, node, STRICT_EXPAND_OPEN)
    except ApiError as error:
        if error.status != 404:
            raise
        return Response.empty(404)
    return Response.empty(200)


async def delete(request: Request, node: Node) -> Response:
    options = common.options(request, STRICT_EXPAND)
    await node.control.submit(
        DeleteIndices(indices=common.names(request), options=options), common.manager_timeout(request)
    )
    return Response.json({"acknowledged": True})


async def open_(request: Request, node: Node) -> Response:
    options = common.options(request, _OPEN)
    wait = common.active_shards(request)
    command = OpenIndices(indices=common.names(request), options=options)
    if not request.flag("wait_for_completion", default=True):
        what = f"open indices [{', '.join(command.indices)}]"
        return tasks.start(node, "indices:admin/open", what, lambda: _open(request, node, command, wait))
    return await _open(request, node, command, wait)


async def _open(request: Request, node: Node, command: OpenIndices, wait: str | None) -> Response:
    names = await common.change(request, node, command)
    return Response.json(
        {"acknowledged": True, "shards_acknowledged": await common.wait_active(request, node, names, wait)}
    )


async def _nothing_named(_request: Request, _node: Node) -> Response:
    """Nobody closes or opens everything by leaving out a name."""
    raise validation("index is missing")


async def resize(request: Request, _node: Node) -> Response:
    """`_clone`, `_shrink`, `_split`: a shard's files cannot be laid into another index."""
    kind = request.path.split("/")[2].removeprefix("_")
    source, target = request.path_params["index"], request.path_params["target"]
    raise illegal_argument(
        f"[{kind}] of [{source}] to [{target}] is not supported; create [{target}] and copy the documents with _reindex"
    )


async def close(request: Request, node: Node) -> Response:
    options = common.options(request, STRICT_EXPAND_OPEN)
    wait = common.active_shards(request)
    names = await common.change(request, node, CloseIndices(indices=common.names(request), options=options))
    closed = {name: {"closed": True} for name in names}
    active = bool(closed) and await common.wait_active(request, node, names, wait)
    return Response.json({"acknowledged": True, "shards_acknowledged": active, "indices": closed})


async def block(request: Request, node: Node) -> Response:
    name = request.path_params["block"].lower()
    if name not in BLOCKS:
        raise illegal_argument(f"No block found with name {request.path_params['block']}")
    if name == "read_only_allow_delete":
        raise validation("read_only_allow_delete block is for internal use only")
    options = common.options(request, STRICT_EXPAND_OPEN)
    command = AddBlock(indices=common.names(request), block=name, options=options)  # type: ignore[arg-type]
    blocked = [{"name": index, "blocked": True} for index in await common.change(request, node, command)]
    return Response.json({"acknowledged": True, "shards_acknowledged": bool(blocked), "indices": blocked})


async def resolve_index(request: Request, node: Node) -> Response:
    """`_resolve/index`: the indices, aliases and data streams behind names and patterns; what is missing is left out."""
    state = node.control.state
    options = common.options(request, STRICT_EXPAND_OPEN)
    options = expressions.IndicesOptions(
        ignore_unavailable=True,
        allow_no_indices=True,
        expand_open=options.expand_open,
        expand_closed=options.expand_closed,
        expand_hidden=options.expand_hidden,
    )
    asked = common.names(request, "name")
    found = expressions.resolve_names(state, asked, options, node.clock.now_ms(), keep_aliases=True)
    if expressions.is_all(asked) and (options.expand_open or options.expand_closed):
        found = [*found, *(alias.name for alias in state.aliases.values() if options.expand_hidden or not alias.hidden)]
    indices = [_resolved_index(node, name) for name in sorted(set(found)) if name in state.indices]
    aliases = [
        {"name": name, "indices": sorted(state.aliases[name].spec.indices)}
        for name in sorted(set(found))
        if name in state.aliases
    ]
    streams = [
        {
            "name": name,
            "backing_indices": list(state.data_streams[name].spec.indices),
            "timestamp_field": state.data_streams[name].spec.timestamp_field,
        }
        for name in sorted(set(found))
        if name in state.data_streams
    ]
    return Response.json({"indices": indices, "aliases": aliases, "data_streams": streams})


def _resolved_index(node: Node, name: str) -> dict[str, Any]:
    state = node.control.state
    index = state.indices[name]
    shown: dict[str, Any] = {"name": name}
    aliases = [alias.name for alias in state.aliases_of(name)]
    if aliases:
        shown["aliases"] = aliases
    shown["attributes"] = [*(["hidden"] if index.hidden else []), "open" if index.open else "closed"]
    return shown


_CHANGE_MANY = (*common.CHANGE, *common.EXPAND)
_RESIZE = (*common.CHANGE, "wait_for_active_shards", "copy_settings", "wait_for_completion", "task_execution_timeout")
ROUTES = [
    Route("PUT", "/{index}", create, (*common.CHANGE, "wait_for_active_shards")),
    Route("GET", "/{index}", get, _SHOWN),
    Route("HEAD", "/{index}", exists, _SHOWN),
    Route("DELETE", "/{index}", delete, _CHANGE_MANY),
    Route(
        "POST",
        "/{index}/_open",
        open_,
        (*_CHANGE_MANY, "wait_for_active_shards", "wait_for_completion", "task_execution_timeout"),
    ),
    Route("POST", "/_open", _nothing_named, (*_CHANGE_MANY, "wait_for_active_shards")),
    Route("POST", "/{index}/_close", close, (*_CHANGE_MANY, "wait_for_active_shards")),
    Route("POST", "/_close", _nothing_named, (*_CHANGE_MANY, "wait_for_active_shards")),
    *(
        Route(method, f"/{{index}}/_{kind}/{{target}}", resize, _RESIZE)
        for kind in ("clone", "shrink", "split")
        for method in ("PUT", "POST")
    ),
    Route("PUT", "/{index}/_block/{block}", block, _CHANGE_MANY),
    Route("GET", "/_resolve/index/{name}", resolve_index, common.EXPAND),
]
