"""`_validate/query`: whether a query could be run, and what it means."""

from __future__ import annotations

from quidditch.query.uri import QUERY_PARAMS
from quidditch.rest.node import Node
from quidditch.rest.request import Request
from quidditch.rest.response import Response
from quidditch.rest.route import Route
from quidditch.rest.search import ask_of

_PARAMS = (
    "explain", "ignore_unavailable", "allow_no_indices", "expand_wildcards", "ignore_throttled", "rewrite", "all_shards",
    *QUERY_PARAMS,
)  # fmt: skip


async def validate(request: Request, node: Node) -> Response:
    return Response.json(await node.search.queries.validate(ask_of(request)))


ROUTES = [
    Route(method, path, validate, _PARAMS, load="search", reads=True)
    for method in ("GET", "POST")
    for path in ("/_validate/query", "/{index}/_validate/query")
]
