"""Get and put mappings, and the mapping of single fields."""

from __future__ import annotations

from typing import Any

from quidditch.controlplane.core.commands import PutMapping
from quidditch.mapping import RootMapping, parse
from quidditch.mapping.tree import Leaf
from quidditch.mapping.types.text import analyzers
from quidditch.model.errors import illegal_argument
from quidditch.model.expressions import STRICT_EXPAND_OPEN, IndicesOptions
from quidditch.model.wildcard import matches
from quidditch.rest import index_params as common
from quidditch.rest.node import Node
from quidditch.rest.request import Request
from quidditch.rest.response import Response
from quidditch.rest.route import Route

METADATA_FIELDS = (
    "_data_stream_timestamp",
    "_doc_count",
    "_feature",
    "_field_names",
    "_id",
    "_ignored",
    "_index",
    "_nested_path",
    "_routing",
    "_seq_no",
    "_source",
    "_version",
)


async def get(request: Request, node: Node) -> Response:
    found = common.readable(request, node, STRICT_EXPAND_OPEN)
    return Response.json({index.name: {"mappings": index.spec.mappings} for index in found})


_CHANGED = IndicesOptions(allow_no_indices=False, expand_closed=True)


async def put(request: Request, node: Node) -> Response:
    timeout = common.manager_timeout(request)
    body = request.json_object()
    if len(body) == 1 and "_doc" in body:
        raise illegal_argument("Types cannot be provided in put mapping requests")
    await node.control.submit(
        PutMapping(
            indices=common.names(request),
            mapping=body,
            options=common.options(request, _CHANGED),
            write_index_only=request.flag("write_index_only"),
        ),
        timeout,
    )
    return Response.json({"acknowledged": True})


async def get_fields(request: Request, node: Node) -> Response:
    patterns = common.names(request, "fields")
    defaults = request.flag("include_defaults")
    answer = {
        index.name: {"mappings": _fields(parse(index.spec.mappings), patterns, defaults)}
        for index in common.readable(request, node, STRICT_EXPAND_OPEN)
    }
    return Response.json(answer, 200 if answer else 404)


def _fields(mapping: RootMapping, patterns: tuple[str, ...], defaults: bool) -> dict[str, Any]:
    """Fields by full name; of names without a wildcard those that exist."""
    known = sorted([*mapping.leaves, *mapping.aliases, *METADATA_FIELDS])
    found: dict[str, Any] = {}
    for pattern in patterns:
        for name in known:
            if name not in found and matches(pattern, name):
                found[name] = {"full_name": name, "mapping": _definition(mapping, name, defaults)}
    return found


def _definition(mapping: RootMapping, name: str, defaults: bool) -> dict[str, Any]:
    last = name.rpartition(".")[2]
    if name in mapping.aliases:
        return {last: mapping.aliases[name].to_json()}
    if name not in mapping.leaves:
        return {}
    leaf = mapping.leaves[name]
    return {last: _with_defaults(leaf) if defaults else leaf.to_json()}


def _with_defaults(leaf: Leaf) -> dict[str, Any]:
    """Every parameter of the field, also where it was not set."""
    shown: dict[str, Any] = {"type": leaf.type.name}
    for param in leaf.type.params:
        shown[param.name] = leaf.get(param.name)
    if "search_analyzer" in leaf.type.by_name:
        names = ("analyzer", "search_analyzer", "search_quote_analyzer")
        shown.update(zip(names, analyzers(leaf.values), strict=True))
    if "normalizer" in leaf.type.by_name and shown["normalizer"] is None:
        shown["normalizer"] = "default"
    if leaf.fields:
        shown["fields"] = {name: _with_defaults(leaf.fields[name]) for name in sorted(leaf.fields)}
    if leaf.copy_to:
        shown["copy_to"] = list(leaf.copy_to)
    return shown


_GET = (*common.EXPAND, "local", *common.MANAGER)
_PUT = (*common.CHANGE, *common.EXPAND, "write_index_only")
ROUTES = [
    *(Route("GET", path, get, _GET) for path in ("/_mapping", "/_mappings", "/{index}/_mapping", "/{index}/_mappings")),
    *(
        Route(method, path, put, _PUT)
        for method in ("PUT", "POST")
        for path in ("/{index}/_mapping", "/{index}/_mappings")
    ),
    *(
        Route("GET", path, get_fields, (*_GET, "include_defaults"))
        for path in ("/_mapping/field/{fields}", "/{index}/_mapping/field/{fields}")
    ),
]
