"""The status of a QuidditchNode."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from quidditch.controlplane.core.allocation.info import Disk
from quidditch.model.objects import Copy, Node, NodeSpec, NodeStatus, Routing, RoutingSpec, ShardRouting, metadata_for
from quidditch.model.state import ClusterState
from quidditch.operator.node_status import Times, is_news, node_status, quantity, shards_of

T0, T1 = "2026-01-01T00:00:00Z", "2026-01-01T00:00:09Z"
NOW, LATER = Times(T0, T0), Times(T0, T1)


def node(health: str = "HEALTHY", reason: str = "") -> Node:
    spec = NodeSpec(id="n1", name="data-0", attributes={"zone": "a"})
    return Node(metadata=metadata_for("n1"), spec=spec, status=NodeStatus(health=health, reason=reason))  # type: ignore[arg-type]


def test_a_move_counts_at_both_ends() -> None:
    moves = Copy(
        primary=True, state="RELOCATING", node="n1", relocating_node="n2", allocation_id="a", relocation_id="b"
    )
    shards = (ShardRouting(copies=(moves, Copy(primary=False))), ShardRouting(copies=(Copy(primary=True, node="n1"),)))
    routing = Routing(metadata=metadata_for("i"), spec=RoutingSpec(index="i", uuid="u", shards=shards))
    assert shards_of(ClusterState().apply([routing], 1)) == {"n1": 2, "n2": 1}


def test_only_the_heartbeat_is_no_news() -> None:
    first = node_status(node(), 3, Disk(total=500 << 30, free=450 << 30), {}, NOW)
    assert (first["state"], first["allocatedShards"], first["zone"]) == ("HEALTHY", 3, "a")
    assert first["resources"] == {"diskUsed": "51200Mi", "diskTotal": "500Gi"}
    again = node_status(node(), 3, Disk(total=500 << 30, free=450 << 30), first, Times(T1, T1))
    assert not is_news(again, first)
    assert again["lastHeartbeat"] == T1
    ill = node_status(node("UNHEALTHY", "not heard of"), 3, None, first, LATER)
    assert is_news(ill, first)
    assert ill["lastHeartbeat"] == T0  # not when that is told
    (ready,) = ill["conditions"]
    assert (ready["status"], ready["message"], ready["lastTransitionTime"]) == ("False", "not heard of", T1)


@pytest.mark.parametrize(("size", "text"), [(0, "0"), (1023, "1023"), (200 << 10, "200Ki"), (100 << 40, "100Ti")])
def test_quantities(size: int, text: str) -> None:
    assert quantity(size) == text


@pytest.mark.parametrize(("roles", "tier"), [(("data",), None), (("data_hot", "ingest"), "hot"), (("ingest",), None)])
def test_a_node_of_one_tier_shows_it(roles: tuple[str, ...], tier: str | None) -> None:
    made = node()
    shown = node_status(replace(made, spec=replace(made.spec, roles=roles)), 0, None, {}, NOW)
    assert shown.get("tier") == tier
