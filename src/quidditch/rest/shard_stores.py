"""`_shard_stores`: on which disks data of shards lies, and whose it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from quidditch.controlplane.core.health import shard_health
from quidditch.model.errors import illegal_argument
from quidditch.model.expressions import STRICT_EXPAND_OPEN
from quidditch.model.objects import Copy, Index, ShardRouting
from quidditch.rest import index_params as common
from quidditch.rest.node import Node
from quidditch.rest.request import Request
from quidditch.rest.response import Response
from quidditch.rest.route import Route

STORES = "nodes/shard_stores"
_STATUSES = ("green", "yellow", "red", "all")
_ORDER = ("primary", "replica", "unused")
_Shard = tuple[Index, int, ShardRouting]


async def shard_stores(request: Request, node: Node) -> Response:
    """Without `status` only shards that lack copies are shown."""
    wanted = common.names(request, "status") or ("yellow", "red")
    for status in wanted:
        if status not in _STATUSES:
            raise illegal_argument(f"unknown cluster health status [{status}]")
    shards = list(_shards(node, common.resolve(request, node, STRICT_EXPAND_OPEN), wanted))
    holders = [each.id for each in node.control.state.nodes.values() if each.holds_data] if shards else []
    asked = [[index.uuid, number] for index, number, _ in shards]
    told = await node.nodes.gather(holders, STORES, asked)
    shown: dict[str, Any] = {}
    for at, (index, number, shard) in enumerate(shards):
        found = {id: answer[at] for id, answer in told.answers.items() if answer[at] is not None}
        numbers = shown.setdefault(index.name, {"shards": {}})["shards"]
        numbers[str(number)] = {"stores": _stores(node, shard, found)}
    answer: dict[str, Any] = {"indices": shown}
    if told.errors:
        answer["failures"] = [
            {"node": id, "shard": number, "index": index.name, "reason": error.body()}
            for id, error in told.errors.items()
            for index, number, _ in shards
        ]
    return Response.json(answer)


def _shards(node: Node, indices: Sequence[Index], wanted: Sequence[str]) -> Iterator[_Shard]:
    for index in indices:
        routing = node.control.state.routing.get(index.name)
        for number, shard in enumerate(routing.spec.shards if routing else ()):
            if "all" in wanted or shard_health(number, shard).status in wanted:
                yield index, number, shard


def _stores(node: Node, shard: ShardRouting, found: dict[str, Any]) -> list[dict[str, Any]]:
    """`found`: by node, the allocation ids that its data answers to, and why it cannot be opened."""
    stores = []
    for id, (ids, fault) in found.items():
        copy = next((each for each in shard.placed if each.node == id), None)
        own = [each for each in (copy.allocation_id if copy else None, *ids) if each]
        store: dict[str, Any] = {id: _about(node, id)}
        if own:
            store["allocation_id"] = own[0]
        store["allocation"] = _allocation(copy)
        if fault is not None:
            store["store_exception"] = {"type": "corrupt_index_exception", "reason": fault}
        stores.append(store)
    return sorted(stores, key=_rank)


def _rank(store: Mapping[str, Any]) -> tuple[bool, bool, int, str]:
    """The data that is best comes first."""
    id = store.get("allocation_id", "")
    return "store_exception" in store, not id, _ORDER.index(store["allocation"]), id


def _allocation(copy: Copy | None) -> str:
    if copy is None:
        return "unused"
    return "primary" if copy.primary else "replica"


def _about(node: Node, id: str) -> dict[str, Any]:
    holder = node.control.state.nodes.get(id)
    if holder is None:
        return {}
    return {
        "name": holder.name,
        "ephemeral_id": holder.spec.ephemeral_id,
        "transport_address": holder.spec.transport_address,
        "attributes": dict(holder.spec.attributes),
    }


async def tell(node: Node, asked: list[list[Any]]) -> list[tuple[list[str], str | None] | None]:
    """The allocation ids of the shards' data on this node's disk, and why it cannot be opened; None where there is no data."""
    held = {(each.uuid, each.shard): each.ids for each in node.data.folder.allocations.held()}
    return [
        (list(held[uuid, number] or ()), await node.data.settling.fault(uuid, number))
        if (uuid, number) in held
        else None
        for uuid, number in asked
    ]


ROUTES = [
    Route("GET", path, shard_stores, (*common.EXPAND, "status"))
    for path in ("/_shard_stores", "/{index}/_shard_stores")
]
