"""`_delete_by_query` and `_update_by_query`."""

from __future__ import annotations

import asyncio
import math
from typing import Any

from quidditch.coordinator import by_query
from quidditch.coordinator.by_query import Job, Kind
from quidditch.coordinator.options import WriteOptions, parse_active_shards
from quidditch.coordinator.search import Ask
from quidditch.model.errors import illegal_argument, validation
from quidditch.query.uri import SEARCH_PARAMS
from quidditch.rest import tasks
from quidditch.rest.node import Node
from quidditch.rest.request import Request
from quidditch.rest.response import Response
from quidditch.rest.route import Route
from quidditch.transport.shards import ShardCalls

_OWN = (
    "conflicts", "max_docs", "scroll_size", "slices", "wait_for_completion", "refresh", "requests_per_second", "pipeline",
    "wait_for_active_shards", "timeout", "search_timeout",
)  # fmt: skip
_SEARCH = (
    frozenset(SEARCH_PARAMS) - frozenset(_OWN) - {"scroll", "size", "from", "typed_keys", "rest_total_hits_as_int"}
)
"""What of the URL shapes the search."""
DEFAULT_PAGE = 1000


async def delete(request: Request, node: Node) -> Response:
    return await _run(request, node, "delete")


async def update(request: Request, node: Node) -> Response:
    return await _run(request, node, "update")


async def _run(request: Request, node: Node, kind: Kind) -> Response:
    body = request.json_object_or_empty()
    if body.get("script") is not None:
        raise illegal_argument("scripts are not supported")
    conflicts = request.query.get("conflicts", "abort")
    max_docs = request.int("max_docs")
    for key in ("conflicts", "max_docs"):
        value = body.pop(key, None)
        if value is not None and key not in request.query:
            conflicts, max_docs = (str(value), max_docs) if key == "conflicts" else (conflicts, _count(value))
    if kind == "delete" and "query" not in body and not request.query.get("q"):
        raise validation("query is missing")
    job = Job(
        kind,
        request.path_params["index"],
        body,
        {name: value for name, value in request.query.items() if name in _SEARCH},
        proceed=proceeds(conflicts),
        max_docs=check_max_docs(max_docs, request),
        page_size=request.int("scroll_size") or DEFAULT_PAGE,
        pipeline=request.query.get("pipeline"),
        **shared(request),
    )
    described = f"{kind}-by-query [{job.expression}]"
    return await perform(job, request, node, f"indices:data/write/{kind}/byquery", described)


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise illegal_argument(f"[max_docs] must be a number, got [{value}]")
    return value


def shared(request: Request) -> dict[str, Any]:
    """What a request says of pace, refresh and waiting."""
    return {
        "scroll": request.query.get("scroll") or "5m",
        "per_second": _per_second(request),
        "refreshes": request.flag("refresh"),
        "options": WriteOptions(
            timeout_ms=request.time("timeout", 60_000) or 0,
            active_shards=parse_active_shards(request.query.get("wait_for_active_shards")),
        ),
    }


def proceeds(conflicts: str) -> bool:
    if conflicts not in ("abort", "proceed"):
        raise illegal_argument(f'conflicts may only be "proceed" or "abort" but was [{conflicts}]')
    return conflicts == "proceed"


def check_max_docs(max_docs: int | None, request: Request) -> int | None:
    """`max_docs` against `slices`; the slices themselves are one stream of work here."""
    slices = 1
    text = request.query.get("slices", "1")
    if text != "auto":
        if not text.isdigit() or int(text) < 1:
            raise illegal_argument('[slices] must be a positive integer or the string "auto"')
        slices = int(text)
    if max_docs is not None and max_docs < slices:
        raise illegal_argument("[max_docs] should be >= [slices]")
    return max_docs


def _per_second(request: Request) -> float | None:
    given = request.float("requests_per_second")
    if given is None or given == -1 or given == math.inf:
        return None
    if not given > 0:
        raise illegal_argument("[requests_per_second] must be a float greater than 0. Use -1 to disable throttling.")
    return given


async def perform(job: Job, request: Request, node: Node, action: str, described: str) -> Response:
    """Does the work, or begins it where the client does not wait for it."""

    async def call(shards: ShardCalls, uuid: str, number: int) -> None:
        await shards.refresh(uuid, number)

    async def refresh(names: set[str]) -> None:
        state = node.control.state
        await node.shards.broadcast([state.indices[name] for name in sorted(names) if name in state.indices], call)

    stop = asyncio.Event()

    async def work() -> Response:
        answer, status = await by_query.run(job, node.search.scrolls, node.write, refresh, stop)
        return Response.json(answer, status)

    if request.flag("wait_for_completion", default=True):
        return await work()
    node.search.searcher.targets(Ask(job.expression, job.params, b""))  # What cannot begin is told at once.
    return tasks.start(node, action, described, work, stop.set)


ROUTES = [
    Route("POST", "/{index}/_delete_by_query", delete, (*SEARCH_PARAMS, *_OWN), load="search"),
    Route("POST", "/{index}/_update_by_query", update, (*SEARCH_PARAMS, *_OWN), load="search"),
]
