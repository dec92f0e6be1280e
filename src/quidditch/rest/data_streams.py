"""`_data_stream`, read only: there are none, and clients ask whether a name is one."""

from __future__ import annotations

from quidditch.model.errors import index_not_found
from quidditch.rest.node import Node
from quidditch.rest.request import Request
from quidditch.rest.response import Response
from quidditch.rest.route import Route


async def get(request: Request, _node: Node) -> Response:
    for name in request.list("name") or ():
        if "*" not in name and name != "_all":
            raise index_not_found(name)
    return Response.json({"data_streams": []})


ROUTES = [
    Route("GET", "/_data_stream", get, ("expand_wildcards",), body=False),
    Route("GET", "/_data_stream/{name}", get, ("expand_wildcards",), body=False),
]
