"""`_bulk`: many operations in one body of lines."""

from __future__ import annotations

from typing import Any

from quidditch.model.errors import ApiError
from quidditch.rest import documents, source
from quidditch.rest.node import Node
from quidditch.rest.request import Request
from quidditch.rest.response import Response
from quidditch.rest.route import Route

_PARAMS = (*documents.WRITE_PARAMS, "pipeline", "batch_size", *source.PARAMS)


async def bulk(request: Request, node: Node) -> Response:
    if not request.body:
        raise ApiError(400, "parse_exception", "request body is required")
    defaults: dict[str, Any] = {}
    if request.query:
        query = request.query
        if query.get("routing"):
            defaults["routing"] = query["routing"]
        if query.get("pipeline"):
            defaults["pipeline"] = query["pipeline"]
        if request.flag("require_alias"):
            defaults["require_alias"] = True
        if any(name in query for name in source.PARAMS):
            defaults["_source"] = source.from_params(request)
    options = documents.write_options(request)
    answer, _failed = await node.write.bulk(request.body, request.path_params.get("index"), defaults, options)
    return Response.raw(answer)


ROUTES = [
    Route(method, path, bulk, _PARAMS, stream=True, load="write", action="indices:data/write/bulk")
    for method in ("POST", "PUT")
    for path in ("/_bulk", "/{index}/_bulk")
]
