"""`_search/scroll`: the next page of a scroll, and its end."""

from __future__ import annotations

from typing import Any

from quidditch.model.errors import illegal_argument, validation
from quidditch.rest.node import Node
from quidditch.rest.request import Request, kind_of
from quidditch.rest.response import Response
from quidditch.rest.route import Route


async def scroll(request: Request, node: Node) -> Response:
    body = request.json_object_or_empty()
    id: str | None = request.param("scroll_id")
    alive = request.param("scroll")
    for key, value in body.items():
        if key == "scroll_id" and isinstance(value, str):
            id = value
        elif key == "scroll" and isinstance(value, str):
            alive = value
        else:
            raise unknown(key, value)
    if not id:
        raise validation("scrollId is missing")
    return Response.raw(
        await node.search.scrolls.page(id, alive, request.flag("rest_total_hits_as_int"), request.cancel)
    )


async def clear(request: Request, node: Node) -> Response:
    body = request.json_object_or_empty()
    ids = request.list("scroll_id") or []
    for key, value in body.items():
        if key == "scroll_id" and isinstance(value, str):
            ids = [value]
        elif key == "scroll_id" and isinstance(value, list):
            ids = [_text(item) for item in value]
        else:
            raise unknown(key, value)
    if not ids:
        raise validation("no scroll ids specified")
    freed = await node.search.scrolls.clear(ids)
    everything = ids == ["_all"]
    return Response.json({"succeeded": True, "num_freed": freed}, 200 if freed or everything else 404)


def _text(item: Any) -> str:
    if isinstance(item, str):
        return item
    raise illegal_argument("scroll_id array element should only contain scroll_id")


def unknown(key: str, value: Any) -> Exception:
    return illegal_argument(
        f"Unknown parameter [{key}] in request body or parameter is of the wrong type[{kind_of(value)}] "
    )


_PATHS = ("/_search/scroll", "/_search/scroll/{scroll_id}")
_PARAMS = ("scroll", "scroll_id", "rest_total_hits_as_int")
ROUTES = [
    Route(method, path, scroll, _PARAMS, load="search", action="indices:data/read/scroll", reads=True)
    for method in ("GET", "POST")
    for path in _PATHS
] + [Route("DELETE", path, clear, ("scroll_id",), reads=True) for path in _PATHS]
