"""`_msearch`: many searches in one body of lines."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import orjson

from quidditch.coordinator.search import Ask
from quidditch.coordinator.search_stop import Stop
from quidditch.model.errors import ApiError, illegal_argument, validation
from quidditch.model.json_text import parse_json
from quidditch.rest.errors import response_of
from quidditch.rest.node import Node
from quidditch.rest.request import Request
from quidditch.rest.response import Response
from quidditch.rest.route import Route

_DEFAULT_CONCURRENCY = 32
_MALFORMED = ("parsing_exception", "x_content_parse_exception")
_HEADER = {
    "search_type", "request_cache", "preference", "routing", "allow_partial_search_results", "expand_wildcards",
    "ignore_unavailable", "allow_no_indices", "ignore_throttled", "ccs_minimize_roundtrips", "search_pipeline",
    "cancel_after_time_interval",
}  # fmt: skip
_SHARED = ("search_type", "typed_keys", "rest_total_hits_as_int", "pre_filter_shard_size", "max_concurrent_shard_requests",
           "ccs_minimize_roundtrips")  # fmt: skip
_PARAMS = (
    *_SHARED, "max_concurrent_searches", "ignore_unavailable", "allow_no_indices", "expand_wildcards", "ignore_throttled", "routing",
    "preference", "cancel_after_time_interval", "search_pipeline",
)  # fmt: skip


async def msearch(request: Request, node: Node) -> Response:
    content = request.content()
    if not content:
        raise ApiError(400, "parse_exception", "request body or source parameter is required")
    started = time.perf_counter()
    asks = split(content, request.path_params.get("index"), shared_params(request), request.cancel)
    if not asks:
        raise validation("no requests added")
    limit = request.int("max_concurrent_searches")
    if limit is not None and limit < 1:
        raise illegal_argument("maxConcurrentSearchRequests must be positive")
    for ask in asks:
        node.search.searcher.read(ask)
    answers = await _run(asks, node, limit or _DEFAULT_CONCURRENCY)
    took = int((time.perf_counter() - started) * 1000)
    return Response.raw(b'{"took":%d,"responses":[' % took + b",".join(answers) + b"]}")


def shared_params(request: Request) -> dict[str, str]:
    """The parameters of the URL that every search takes over."""
    return {
        name: value for name, value in request.query.items() if name in _PARAMS and name != "max_concurrent_searches"
    }


def split(
    content: bytes, default_index: str | None, shared: dict[str, str], cancel: Callable[[], Stop] | None = None
) -> list[Ask]:
    """The searches of a body: a line of header, a line of body, and so on. Raises for headers nobody knows."""
    if not content.endswith(b"\n"):
        raise illegal_argument("The msearch request must be terminated by a newline [\n]")
    asks: list[Ask] = []
    lines = content.split(b"\n")[:-1]
    at = 0
    while at < len(lines):
        line = lines[at].strip()
        at += 1
        if not line and at >= len(lines):
            break
        expression, params = _header(line, default_index, shared)
        if at >= len(lines):
            break  # a header that no body follows is no search
        body = lines[at].strip()
        at += 1
        asks.append(Ask(expression, params, body, cancel))
    return asks


def _header(line: bytes, default_index: str | None, shared: dict[str, str]) -> tuple[str | None, dict[str, str]]:
    expression = default_index
    params = dict(shared)
    header = parse_json(line) if line else {}
    if not isinstance(header, dict):
        raise illegal_argument("Malformed msearch header: an object is expected")
    for key, value in header.items():
        if key in ("index", "indices"):
            expression = _names(key, value) or default_index
        elif key in _HEADER:
            if value is not None:
                params[key] = _text(value)
        elif key in ("expandWildcards", "ignoreUnavailable", "allowNoIndices", "ignoreThrottled"):
            params["".join("_" + char.lower() if char.isupper() else char for char in key)] = _text(value)
        else:
            raise illegal_argument(f"key [{key}] is not supported in the metadata section")
    return expression, params


def _names(key: str, value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ",".join(value)
    raise illegal_argument(
        f"explicit index in multi search is not allowed: [{key}] must be a string or a list of strings"
    )


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(str(item) for item in value) if isinstance(value, list) else str(value)


async def _run(asks: list[Ask], node: Node, limit: int) -> list[bytes]:
    gate = asyncio.Semaphore(limit)

    async def one(ask: Ask) -> bytes:
        async with gate:
            try:
                quick = node.search.searcher.at_once(ask.expression, ask.params, ask.raw)
                body = quick if quick is not None else await node.search.search(ask)
            except ApiError as error:
                if error.type in _MALFORMED:
                    # OpenSearch reads all bodies before it searches: one that cannot be read fails them all.
                    raise
                return orjson.dumps(response_of(error, "a search of _msearch", False).value)
            return body[:-1] + b',"status":200}'

    return list(await asyncio.gather(*(one(ask) for ask in asks)))


ROUTES = [
    Route(method, path, msearch, _PARAMS, stream=True, load="search", action="indices:data/read/msearch", reads=True)
    for method in ("GET", "POST")
    for path in ("/_msearch", "/{index}/_msearch")
]
