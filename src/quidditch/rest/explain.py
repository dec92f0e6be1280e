"""`_explain/{id}`: how the score of one document comes about."""

from __future__ import annotations

from quidditch.query.uri import QUERY_PARAMS
from quidditch.rest import source
from quidditch.rest.node import Node
from quidditch.rest.request import Request
from quidditch.rest.response import Response
from quidditch.rest.route import Route
from quidditch.rest.search import ask_of

_PARAMS = ("stored_fields", "preference", "routing", *QUERY_PARAMS, *source.PARAMS)


async def explain(request: Request, node: Node) -> Response:
    wanted = source.from_params(request, default=False)
    fields = request.list("stored_fields")
    status, body = await node.search.queries.explain(ask_of(request), request.path_params["id"], wanted, fields)
    return Response.json(body, status)


ROUTES = [
    Route(
        method,
        "/{index}/_explain/{id}",
        explain,
        _PARAMS,
        load="search",
        action="indices:data/read/explain",
        reads=True,
    )
    for method in ("GET", "POST")
]
