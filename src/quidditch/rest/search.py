"""`_search` and `_search_shards`."""

from __future__ import annotations

from collections.abc import Mapping

from quidditch.coordinator.search import Ask
from quidditch.query.uri import SEARCH_PARAMS
from quidditch.rest.node import Node
from quidditch.rest.request import Request
from quidditch.rest.response import Response
from quidditch.rest.route import Route


def ask_of(request: Request) -> Ask:
    """The search that a request asks for."""
    return Ask(request.path_params.get("index"), request.query, request.content(), request.cancel)


async def search(request: Request, node: Node) -> Response:
    return Response.raw(await node.search.search(ask_of(request)))


def search_at_once(values: Mapping[str, str], query: Mapping[str, str], body: bytes, node: Node) -> bytes | None:
    return node.search.searcher.at_once(values.get("index"), query, body)


async def search_shards(request: Request, node: Node) -> Response:
    return Response.json(node.search.search_shards(ask_of(request)))


_SHARD_PARAMS = ("preference", "routing", "local", "ignore_unavailable", "allow_no_indices", "expand_wildcards")
ROUTES = [
    Route(
        method,
        path,
        search,
        SEARCH_PARAMS,
        load="search",
        action="indices:data/read/search",
        at_once=search_at_once,
        reads=True,
    )
    for method in ("GET", "POST")
    for path in ("/_search", "/{index}/_search")
] + [
    Route(method, path, search_shards, _SHARD_PARAMS, reads=True)
    for method in ("GET", "POST")
    for path in ("/_search_shards", "/{index}/_search_shards")
]
