"""Calls that go to all shards of the indices: refresh, flush, force merge, clearing of caches."""

from __future__ import annotations

from quidditch.model.errors import validation
from quidditch.model.expressions import STRICT_EXPAND_OPEN_FORBID_CLOSED
from quidditch.model.objects import Index
from quidditch.rest import index_params as common
from quidditch.rest import tasks
from quidditch.rest.node import Node
from quidditch.rest.request import Request
from quidditch.rest.response import Response
from quidditch.rest.route import Route
from quidditch.transport.shards import ShardCalls

_EXPUNGE_AND_COUNT = (
    "setting only_expunge_deletes and max_num_segments at the same time is deprecated "
    "and will be rejected in a future version"
)


def _indices(request: Request, node: Node) -> list[Index]:
    return common.resolve(request, node, STRICT_EXPAND_OPEN_FORBID_CLOSED)


async def refresh(request: Request, node: Node) -> Response:
    async def call(shards: ShardCalls, uuid: str, number: int) -> None:
        await shards.refresh(uuid, number)

    return Response.json({"_shards": await node.shards.broadcast(_indices(request, node), call)})


async def flush(request: Request, node: Node) -> Response:
    force = request.flag("force")
    wait = request.flag("wait_if_ongoing", default=True)
    if force and not wait:
        raise validation("wait_if_ongoing must be true for a force flush")

    async def call(shards: ShardCalls, uuid: str, number: int) -> None:
        await shards.flush(uuid, number, force, wait)

    return Response.json({"_shards": await node.shards.broadcast(_indices(request, node), call)})


async def force_merge(request: Request, node: Node) -> Response:
    segments = request.int("max_num_segments", -1)
    expunge = request.flag("only_expunge_deletes")
    flushes = request.flag("flush", default=True)

    primary_only = request.flag("primary_only")
    indices = _indices(request, node)

    async def call(shards: ShardCalls, uuid: str, number: int) -> None:
        await shards.force_merge(uuid, number, -1 if segments is None else segments, expunge, flushes)

    async def work() -> Response:
        answer = await node.shards.broadcast(indices, call)
        if primary_only:
            answer["total"] = sum(index.number_of_shards for index in indices)
        response = Response.json({"_shards": answer})
        return response.warning(_EXPUNGE_AND_COUNT) if expunge and segments != -1 else response

    if request.flag("wait_for_completion", default=True):
        return await work()
    names = ", ".join(common.names(request))
    options = f"onlyExpungeDeletes[{_text(expunge)}], flush[{_text(flushes)}], primaryOnly[{_text(primary_only)}]"
    what = f"Force-merge indices [{names}], maxSegments[{segments}], {options}"
    return tasks.start(node, "indices:admin/forcemerge", what, work)


def _text(flag: bool) -> str:
    return "true" if flag else "false"


async def clear_cache(request: Request, node: Node) -> Response:
    """There is nothing to clear: what is cached is bound to a reader and goes with it. Answers for every shard."""
    for name in ("fielddata", "query", "request", "file"):
        request.flag(name)

    async def call(_shards: ShardCalls, _uuid: str, _number: int) -> None:
        return None

    return Response.json({"_shards": await node.shards.broadcast(_indices(request, node), call)})


_FLUSH = (*common.EXPAND, "force", "wait_if_ongoing")
_MERGE = (
    *common.EXPAND,
    "max_num_segments",
    "only_expunge_deletes",
    "flush",
    "primary_only",
    "wait_for_completion",
)
_CLEAR = (*common.EXPAND, "fielddata", "fields", "query", "request", "file")
ROUTES = [
    *(
        Route(method, path, refresh, common.EXPAND, reads=False)
        for method in ("GET", "POST")
        for path in ("/_refresh", "/{index}/_refresh")
    ),
    *(
        Route(method, path, flush, _FLUSH, reads=False)
        for method in ("GET", "POST")
        for path in ("/_flush", "/{index}/_flush")
    ),
    *(Route("POST", path, force_merge, _MERGE) for path in ("/_forcemerge", "/{index}/_forcemerge")),
    *(Route("POST", path, clear_cache, _CLEAR) for path in ("/_cache/clear", "/{index}/_cache/clear")),
]
