"""`_mget`: several documents by id."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from quidditch.coordinator.get import GetOptions, error_entry
from quidditch.model.errors import ApiError, parsing, validation
from quidditch.model.json_text import parse_json
from quidditch.rest import documents, source
from quidditch.rest.errors import from_kernel, is_kernel_error
from quidditch.rest.node import Node
from quidditch.rest.request import Request, kind_of
from quidditch.rest.response import Response
from quidditch.rest.route import Route

_PARAMS = ("preference", "realtime", "refresh", "routing", "stored_fields", *source.PARAMS)
_AT_ONCE = 500
"""Documents that are asked for at the same time: a large request does not take all places of the nodes."""
_Item = tuple[str, str, str | None, GetOptions]


async def mget(request: Request, node: Node) -> Response:
    content = request.content()
    if not content:
        raise ApiError(400, "parse_exception", "request body or source parameter is required")
    items = _items(request, parse_json(content))
    if len(node.control.state.nodes) > 1 and not any(options.refresh for *_, options in items):
        # Documents may be on other nodes: many are asked for at once.
        entries = []
        for at in range(0, len(items), _AT_ONCE):
            entries += await asyncio.gather(*(_one(node, *item) for item in items[at : at + _AT_ONCE]))
        return Response.raw(b'{"docs":[' + b",".join(entries) + b"]}")
    refreshed: set[str] = set()
    entries = []
    for index, id, routing, options in items:
        if options.refresh and index in refreshed:
            options = replace(options, refresh=False)
        refreshed.add(index)
        entries.append(await _one(node, index, id, routing, options))
    return Response.raw(b'{"docs":[' + b",".join(entries) + b"]}")


async def _one(node: Node, index: str, id: str, routing: str | None, options: GetOptions) -> bytes:
    try:
        return (await node.get.get(index, id, routing, options)).body()
    except ApiError as error:
        return error_entry(index, id, error)
    except Exception as error:
        if not is_kernel_error(error):
            raise
        return error_entry(index, id, from_kernel(error))


def _items(request: Request, body: Any) -> list[_Item]:
    if not isinstance(body, dict):
        raise parsing(f"unexpected token [{kind_of(body)}], expected [START_OBJECT]", 1, 1)
    defaults = documents.get_options(request)
    index = request.path_params.get("index")
    routing = request.query.get("routing")
    found: list[tuple[Any, Any, str | None, GetOptions]] = []
    for name, value in body.items():
        if name not in ("docs", "ids") or not isinstance(value, list):
            what = kind_of(value)
            if isinstance(value, list):
                raise parsing(f"unknown key [{name}] for a START_ARRAY, expected [docs] or [ids]", 1, 1)
            raise parsing(f"unexpected token [{what}], expected [FIELD_NAME] or [START_ARRAY]", 1, 1)
        for member in value:
            if name == "docs":
                if not isinstance(member, dict):
                    raise ApiError(400, "illegal_argument_exception", "docs array element should include an object")
                found.append(_item(member, index, routing, defaults))
            else:
                if not isinstance(member, (str, int, float)):
                    raise ApiError(400, "illegal_argument_exception", "ids array element should only contain ids")
                found.append((index, str(member), routing, defaults))
    if not found:
        raise validation("no documents to get")
    problems = []
    for number, (name, id, _, _) in enumerate(found):
        if name is None:
            problems.append(f"index is missing for doc {number}")
        if id is None:
            problems.append(f"id is missing for doc {number}")
    if problems:
        raise validation(*problems)
    return found


def _item(
    member: dict[str, Any], index: str | None, routing: str | None, options: GetOptions
) -> tuple[Any, Any, str | None, GetOptions]:
    id: str | None = None
    for name, value in member.items():
        if name == "_index":
            index = value if isinstance(value, str) else index
        elif name == "_id":
            id = None if value is None else str(value)
        elif name == "routing":
            routing = None if value is None else str(value)
        elif name == "stored_fields":
            names = [value] if isinstance(value, str) else value
            stored = tuple(each for each in names if each != "_source")
            options = replace(options, stored_fields=stored, source="_source" in member or "_source" in names)
        elif name == "_source":
            options = replace(options, source=source.from_body(value))
        elif name == "version":
            options = replace(options, version=value)
        elif name == "version_type":
            options = replace(options, version_type=documents.version_type(value))
        elif name == "fields":
            raise ApiError(
                400, "parsing_exception", "Unsupported field [fields] used, expected [stored_fields] instead"
            )
        else:
            raise ApiError(400, "parse_exception", f"failed to parse multi get request. unknown field [{name}]")
    return index, id, routing, options


ROUTES = [
    Route(method, path, mget, _PARAMS, reads=True)
    for method in ("GET", "POST")
    for path in ("/_mget", "/{index}/_mget")
]
