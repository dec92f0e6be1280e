"""What `kubectl get qnode` shows of nodes beyond how they registered. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec

from quidditch.controlplane.core.allocation.info import Disk
from quidditch.controlplane.core.allocation.static import tiers_of
from quidditch.model.objects import Node
from quidditch.model.state import ClusterState
from quidditch.operator.conditions import Condition, merged

_UNITS = (("Ti", 40), ("Gi", 30), ("Mi", 20), ("Ki", 10))


def shards_of(state: ClusterState) -> Counter[str]:
    """Copies of shards by the id of the node that has them, or to which they move."""
    return Counter(
        copy.node or "" for routing in state.routing.values() for shard in routing.spec.shards for copy in shard.placed
    )


class Times(msgspec.Struct, frozen=True):
    """When a node was heard of last, and when that is told (RFC 3339)."""

    heard: str
    now: str


def node_status(node: Node, shards: int, disk: Disk | None, known: Mapping[str, Any], times: Times) -> dict[str, Any]:
    """The status of a QuidditchNode; `known` is the status there is."""
    health = node.status.health
    ready = Condition("Ready", "False" if health == "UNHEALTHY" else "True", health.capitalize(), node.status.reason)
    status: dict[str, Any] = {
        "state": health,
        "lastHeartbeat": times.heard,
        "allocatedShards": shards,
        "conditions": merged(known.get("conditions", ()), [ready], 0, times.now),
    }
    tiers = [] if "data" in node.spec.roles else tiers_of(node)
    if tiers:
        status["tier"] = ",".join(tier.removeprefix("data_") for tier in tiers)
    if "zone" in node.spec.attributes:
        status["zone"] = node.spec.attributes["zone"]
    if disk is not None:
        status["resources"] = {"diskUsed": quantity(disk.total - disk.free), "diskTotal": quantity(disk.total)}
    return status


def is_news(status: Mapping[str, Any], known: Mapping[str, Any]) -> bool:
    """Whether more changed than when the node was heard of."""
    return {**status, "lastHeartbeat": ""} != {**known, "lastHeartbeat": ""}


def quantity(size: int) -> str:
    """Bytes in the greatest unit that leaves three digits or more, as Kubernetes writes them: what changes less is no news."""
    for unit, shift in _UNITS:
        if size >= 100 << shift:
            return f"{size >> shift}{unit}"
    return str(size)
