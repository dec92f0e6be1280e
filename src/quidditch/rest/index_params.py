"""Parameters that the endpoints of index administration share: names of indices, how wildcards are read, timeouts."""

from __future__ import annotations

from collections.abc import Iterable

from quidditch.controlplane.core.blocks import blocked
from quidditch.controlplane.core.commands import Acknowledging
from quidditch.controlplane.core.wait import enough_active, parse_wait
from quidditch.model import expressions
from quidditch.model.errors import ApiError
from quidditch.model.expressions import IndicesOptions
from quidditch.model.objects import Index
from quidditch.rest.node import Node
from quidditch.rest.request import Request

MANAGER = ("master_timeout", "cluster_manager_timeout")
EXPAND = ("ignore_unavailable", "allow_no_indices", "expand_wildcards")
CHANGE = (*MANAGER, "timeout")


def names(request: Request, parameter: str = "index") -> tuple[str, ...]:
    """The parts of a comma-separated name; empty if the path has none, which means all."""
    return tuple(expressions.split(request.param(parameter)))


def options(request: Request, defaults: IndicesOptions) -> IndicesOptions:
    return expressions.parse_options(request.query, defaults)


def resolve(request: Request, node: Node, defaults: IndicesOptions) -> list[Index]:
    """The concrete indices that the request names, by name."""
    found = expressions.resolve(node.control.state, names(request), options(request, defaults), node.clock.now_ms())
    return sorted(found, key=lambda index: index.name)


def readable(request: Request, node: Node, defaults: IndicesOptions) -> list[Index]:
    """As `resolve`, for requests that read metadata. Raises cluster_block_exception where that is blocked."""
    found = resolve(request, node, defaults)
    for index in found:
        refused = blocked(node.control.state, index, "metadata_read")
        if refused is not None:
            raise refused
    return found


def manager_timeout(request: Request) -> float:
    """Seconds to wait for the control plane. The two spellings of the parameter exclude each other."""
    if all(name in request.query for name in MANAGER):
        raise ApiError(
            400,
            "parse_exception",
            "Please only use one of the request parameters [master_timeout, cluster_manager_timeout].",
        )
    name = "cluster_manager_timeout" if "cluster_manager_timeout" in request.query else "master_timeout"
    return (request.time(name, 30_000) or 0) / 1000


def active_shards(request: Request) -> str | None:
    """`wait_for_active_shards`, checked; None if it is not given."""
    text = request.query.get("wait_for_active_shards")
    if text is not None:
        parse_wait(text)
    return text


async def wait_active(request: Request, node: Node, indices: Iterable[str], spec: str | None) -> bool:
    """Whether so many copies of each shard are active before the request's `timeout` is over."""
    waited = tuple(indices)
    seconds = (request.time("timeout", 30_000) or 0) / 1000
    return await node.control.wait_for(lambda state: enough_active(state, waited, spec), seconds)


async def change(request: Request, node: Node, command: Acknowledging) -> tuple[str, ...]:
    """Has the control plane do it; the concrete indices that it touched."""
    done = await node.control.submit(command, manager_timeout(request))
    return done.indices
