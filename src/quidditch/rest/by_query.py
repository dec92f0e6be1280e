"""`_delete_by_query` and `_update_by_query`."""

from __future__ import annotations

import asyncio
import math
from typing import Any

from quidditch.coordinator import by_query
from quidditch.coordinator.by_query import Job, Kind
from quidditch.coordinator.options import WriteOptions, parse_active_shards
from quidditch.coordinator.search import Ask
from quidditch.model.errors import ApiError, illegal_argument, validation
from quidditch.query.uri import SEARCH_PARAMS
from quidditch.rest import params, tasks
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
AUTO_SLICES = 20
"""More are not made by `slices=auto`."""
_NO_PACE = "[requests_per_second] must be a float greater than 0. Use -1 to disable throttling."


async def delete(request: Request, node: Node) -> Response:
    return await _run(request, node, "delete")


async def update(request: Request, node: Node) -> Response:
    return await _run(request, node, "update")


async def _run(request: Request, node: Node, kind: Kind) -> Response:
    body = request.json_object_or_empty()
    if body.get("script") is not None:
        raise illegal_argument("scripts are not supported")
    conflicts = str(body.pop("conflicts", None) or "abort")
    max_docs = most_docs(request, body.pop("max_docs", None))
    if (request.int("from") or 0) > 0:
        raise validation("using [from] is not allowed in a scroll context", "from is not supported in this context")
    if kind == "delete" and "query" not in body and not request.query.get("q"):
        raise validation("query is missing")
    expression = request.path_params["index"]
    urls = {name: value for name, value in request.query.items() if name in _SEARCH}
    job = Job(
        kind,
        expression,
        body,
        urls,
        proceed=proceeds(request.query.get("conflicts", conflicts)),
        max_docs=max_docs,
        page_size=page_size(request.int("scroll_size", body.pop("size", None))),
        pipeline=request.query.get("pipeline"),
        slices=slices_of(request, node, Ask(expression, urls, b""), "slice" in body, max_docs),
        **shared(request),
    )
    described = f"{kind}-by-query [{job.expression}]"
    return await perform(job, request, node, f"indices:data/write/{kind}/byquery", described)


def most_docs(request: Request, of_body: Any) -> int | None:
    """`max_docs` of the body or the URL, which still may call it `size`."""
    found = [request.int("max_docs"), request.int("size")]
    if of_body is not None:
        found.insert(0, params.to_int(str(of_body), "max_docs"))
    given = [each for each in found if each is not None]
    negative = next((each for each in given if each < 0), None)
    if negative is not None:
        raise illegal_argument(f"[max_docs] parameter cannot be negative, found [{negative}]")
    if len(set(given)) > 1:
        raise illegal_argument(f"[max_docs] set to two different values [{given[0]}] and [{given[1]}]")
    return given[0] if given else None


def page_size(given: Any) -> int:
    """Documents of a batch."""
    if given is not None and (isinstance(given, bool) or not isinstance(given, int) or given < 0):
        raise illegal_argument(f"[size] parameter cannot be negative, found [{given}]")
    if given == 0:
        raise validation("[size] cannot be [0] in a scroll context")
    return given or DEFAULT_PAGE


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


def slices_of(request: Request, node: Node, ask: Ask, sliced: bool, max_docs: int | None) -> int:
    """Into how many parts the work is split; `sliced`: it is such a part itself. `auto` goes by the shards of what is asked."""
    text = request.query.get("slices", "1")
    if text == "auto":
        counts = [target.index.number_of_shards for target in node.search.searcher.targets(ask)]
        slices = min([*counts, AUTO_SLICES]) if counts else 1
    else:
        slices = _slices(text)
    if sliced and text != "1":
        raise validation("can't specify both manual and automatic slicing at the same time")
    if max_docs is not None and max_docs < slices:
        raise illegal_argument("[max_docs] should be >= [slices]")
    return slices


def _slices(text: str) -> int:
    reason = f'[slices] must be a positive integer or the string "auto", but was [{text}]'
    try:
        slices = params.to_int(text, "slices")
    except ApiError as error:
        raise ApiError(400, "illegal_argument_exception", reason, error.details) from None
    if slices < 1:
        raise illegal_argument(reason)
    return slices


def _per_second(request: Request) -> float | None:
    try:
        given = request.float("requests_per_second")
    except ApiError as error:
        raise ApiError(400, "illegal_argument_exception", _NO_PACE, error.details) from None
    if given is None or given == -1 or given == math.inf:
        return None
    if not given > 0:
        raise illegal_argument(_NO_PACE)
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
