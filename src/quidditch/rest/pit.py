"""Points in time: `_search/point_in_time`."""

from __future__ import annotations

from quidditch.model.errors import illegal_argument, validation
from quidditch.rest.node import Node
from quidditch.rest.request import Request
from quidditch.rest.response import Response
from quidditch.rest.route import Route
from quidditch.rest.scroll import unknown

PARAMS = (
    "keep_alive", "preference", "routing", "allow_partial_pit_creation", "expand_wildcards", "ignore_unavailable",
    "allow_no_indices",
)  # fmt: skip


async def create(request: Request, node: Node) -> Response:
    alive = request.query.get("keep_alive")
    if not alive:
        raise validation("keep alive not specified")
    return Response.json(await node.search.points.create(request.path_params["index"], request.query, alive))


def ids_of(request: Request) -> list[str]:
    """The `pit_id` of the body. Raises :class:`ApiError` where there is none."""
    ids: list[str] = []
    for key, value in request.json_object_or_empty().items():
        if key != "pit_id":
            raise unknown(key, value)
        items = value if isinstance(value, list) else [value]
        if not all(isinstance(item, str) for item in items):
            raise illegal_argument("pit_id array element should only contain pit_id")
        ids = items
    if not ids:
        raise validation("no pit ids specified")
    return ids


async def delete(request: Request, node: Node) -> Response:
    return Response.json({"pits": await node.search.points.delete(ids_of(request))})


async def delete_all(_request: Request, node: Node) -> Response:
    return Response.json({"pits": await node.search.points.delete_all()})


async def list_all(_request: Request, node: Node) -> Response:
    return Response.json({"pits": await node.search.points.open_points()})


ROUTES = [
    Route("POST", "/{index}/_search/point_in_time", create, PARAMS, load="search", reads=True),
    Route("DELETE", "/_search/point_in_time", delete, reads=True),
    Route("DELETE", "/_search/point_in_time/_all", delete_all, reads=True),
    Route("GET", "/_search/point_in_time/_all", list_all),
]
