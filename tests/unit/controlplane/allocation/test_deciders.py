"""Each decider with the sentences of OpenSearch 3.6.0 (asked of real nodes; those of shutdowns are Elasticsearch's)."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.controlplane.allocation.support import explain, refusing, sentence
from tests.unit.controlplane.cluster import Cluster

from quidditch.controlplane.core.allocation.info import ClusterInfo, Disk
from quidditch.controlplane.core.commands import (
    NodeLeft,
    PutClusterSettings,
    PutShutdown,
    Reroute,
    ShardFailed,
    UpdateIndexSettings,
)

PREFIX = "cluster.routing.allocation."
GB = 1 << 30


def put(cluster: Cluster, **settings: Any) -> None:
    """`enable="none"` stands for `cluster.routing.allocation.enable`; `__` for a dot."""
    flat = {PREFIX + key.replace("__", "."): value for key, value in settings.items()}
    cluster.run(PutClusterSettings(transient=flat))


def zoned(*zones: str) -> Cluster:
    cluster = Cluster(nodes=0)
    for number, zone in enumerate(zones):
        cluster.join(number, attributes={"zone": zone}, ip=f"10.0.0.{number}")
    return cluster


def placed(cluster: Cluster, name: str = "a") -> list[list[str | None]]:
    return [[copy.node for copy in shard.copies] for shard in cluster.state.routing[name].spec.shards]


def test_same_shard() -> None:
    cluster = Cluster()
    cluster.create("a")
    copy = cluster.state.routing["a"].spec.shards[0].primary
    assert sentence(cluster, "same_shard", "a", primary=False) == (
        "NO: a copy of this shard is already allocated to this node"
        f" [[a][0], node[n0], [P], s[STARTED], a[id={copy.allocation_id}]]"
    )
    assert refusing(cluster, "a", primary=False) == {"n0": ["same_shard"]}


def test_same_host() -> None:
    cluster = Cluster(nodes=0)
    for number in range(2):
        cluster.join(number, host="shared")
    put(cluster, same_shard__host="true")
    cluster.create("a")
    assert refusing(cluster, "a", primary=False).keys() == {"n0", "n1"}
    other = next(id for id in ("n0", "n1") if id != placed(cluster)[0][0])
    assert "already allocated to host address [shared]" in sentence(cluster, "same_shard", "a", False, other)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"exclude._name": "node-0,node-1", "exclude.zone": "q"},
         'node matches cluster setting [cluster.routing.allocation.exclude] filters [_name:"node-0 OR node-1",zone:"q"]'),
        ({"require.zone": "z1,z2"},
         'node does not match cluster setting [cluster.routing.allocation.require] filters [zone:"z1 AND z2"]'),
        ({"include.zone": "z7"}, 'node does not cluster setting [cluster.routing.allocation.include] filters [zone:"z7"]'),
        ({"require._ip": "10.9.*"},
         'node does not match cluster setting [cluster.routing.allocation.require] filters [_ip:"10.9.*"]'),
    ],
)  # fmt: skip
def test_cluster_filters(settings: dict[str, str], expected: str) -> None:
    cluster = zoned("z1", "z2")
    cluster.run(PutClusterSettings(transient={PREFIX + key: value for key, value in settings.items()}))
    cluster.create("a", {"number_of_replicas": 0})
    assert sentence(cluster, "filter", "a") == f"NO: {expected}"


def test_index_filters_take_wildcards_and_lists_and_move_copies_when_they_change() -> None:
    cluster = zoned("z1", "z2", "z3")
    cluster.create("a", {"number_of_replicas": 0, "routing.allocation.include.zone": "*2,x"})
    assert placed(cluster) == [["n1"]]
    cluster.run(
        UpdateIndexSettings(
            indices=("a",),
            settings={"routing.allocation.include.zone": None, "routing.allocation.require._host": "h2"},
        )
    )
    assert placed(cluster) == [["n2"]]
    cluster.create("b", {"number_of_replicas": 0, "routing.allocation.require.zone": "z9"})
    assert sentence(cluster, "filter", "b") == (
        'NO: node does not match index setting [index.routing.allocation.require] filters [zone:"z9"]'
    )


def test_awareness_spreads_and_forced_values_keep_places_free() -> None:
    cluster = zoned("z1", "z1", "z2")
    put(cluster, awareness__attributes="zone")
    cluster.create("a", {"number_of_shards": 4})
    zones = {"n0": "z1", "n1": "z1", "n2": "z2"}
    assert all({zones[str(node)] for node in nodes} == {"z1", "z2"} for nodes in placed(cluster))
    put(cluster, **{"awareness__force__zone__values": "z1,z2,z3"})
    cluster.create("b", {"number_of_replicas": 2})
    assert sentence(
        cluster, "awareness", "b", primary=False, node="n0" if "n0" not in placed(cluster, "b")[0] else "n1"
    ) == (
        "NO: there are too many copies of the shard allocated to nodes with attribute [zone], there are [3] total"
        " configured shard copies for this shard id and [3] total attribute values, expected the allocated shard count"
        " per attribute [2] to be less than or equal to the upper bound of the required number of shards per attribute"
        " [1]"
    )


def test_awareness_wants_the_attribute() -> None:
    cluster = Cluster()
    put(cluster, awareness__attributes="zone,rack")
    cluster.create("a", {"number_of_replicas": 0})
    assert sentence(cluster, "awareness", "a") == (
        "NO: node does not contain the awareness attribute [zone]; required attributes cluster setting"
        " [cluster.routing.allocation.awareness.attributes=zone,rack]"
    )


def test_shards_limits() -> None:
    cluster = Cluster(nodes=2)
    cluster.create("a", {"number_of_shards": 4, "number_of_replicas": 0, "routing.allocation.total_shards_per_node": 1})
    assert sorted(map(str, (nodes[0] for nodes in placed(cluster)))) == ["None", "None", "n0", "n1"]
    missing = next(number for number, nodes in enumerate(placed(cluster)) if nodes[0] is None)
    body = explain(cluster, "a", missing)
    assert body["node_allocation_decisions"][0]["deciders"][0]["explanation"] == (
        "too many shards [1] allocated to this node for index [a], index setting"
        " [index.routing.allocation.total_shards_per_node=1]"
    )
    put(cluster, total_shards_per_node=1)
    cluster.create("b", {"number_of_replicas": 0})
    assert sentence(cluster, "shards_limit", "b") == (
        "NO: too many shards [1] allocated to this node, cluster setting"
        " [cluster.routing.allocation.total_shards_per_node=1]"
    )
    free = Cluster()
    free.create("a")
    assert sentence(free, "shards_limit", "a", primary=False) == (
        "YES: total shard limits are disabled: [index: -1, index primary: -1, cluster: -1, cluster primary: -1] <= 0"
    )


def test_throttling() -> None:
    cluster = Cluster(starting=False)
    cluster.create("a", {"number_of_shards": 6, "number_of_replicas": 0})
    assert sum(nodes[0] is not None for nodes in placed(cluster)) == 4
    waiting = next(number for number, nodes in enumerate(placed(cluster)) if nodes[0] is None)
    body = explain(cluster, "a", waiting)
    assert body["can_allocate"] == "throttled"
    assert body["allocate_explanation"] == "allocation temporarily throttled"
    assert body["node_allocation_decisions"][0]["deciders"] == [
        {
            "decider": "throttling",
            "decision": "THROTTLE",
            "explanation": "reached the limit of ongoing initial primary recoveries [4], cluster setting"
            " [cluster.routing.allocation.node_initial_primaries_recoveries=4]",
        }
    ]
    cluster.start_all()
    assert all(nodes[0] is not None for nodes in placed(cluster))


def test_replicas_of_new_indices_have_a_limit_of_their_own() -> None:
    cluster = Cluster()
    cluster.create("a", {"number_of_shards": 6, "number_of_replicas": 1})
    cluster.create("b", {"number_of_shards": 6, "number_of_replicas": 0})
    cluster.starting = False
    cluster.join(1)
    assert sum(nodes[1] is not None for nodes in placed(cluster)) == 4
    waiting = next(number for number, nodes in enumerate(placed(cluster)) if nodes[1] is None)
    told = explain(cluster, "a", waiting, primary=False)["node_allocation_decisions"]
    assert [one["explanation"] for one in told[0]["deciders"] if one["decision"] == "THROTTLE"] == [
        "reached the limit of incoming shard recoveries [4], cluster setting"
        " [cluster.routing.allocation.node_initial_replicas_recoveries=4] (can also be set via"
        " [cluster.routing.allocation.node_concurrent_recoveries])"
    ]
    cluster.run(UpdateIndexSettings(indices=("b",), settings={"number_of_replicas": 1}))
    assert sum(nodes[1] is not None for nodes in placed(cluster, "b")) == 2
    assert "below primary recovery limit of [4]" in sentence(switched_off(), "throttling", "x")


def switched_off() -> Cluster:
    cluster = Cluster()
    put(cluster, enable="none")
    cluster.create("x", {"number_of_replicas": 0})
    return cluster


def test_enable() -> None:
    cluster = switched_off()
    assert sentence(cluster, "enable", "x") == (
        "NO: no allocations are allowed due to cluster setting [cluster.routing.allocation.enable=none]"
    )
    cluster.run(UpdateIndexSettings(indices=("x",), settings={"routing.allocation.enable": "new_primaries"}))
    assert placed(cluster, "x") == [["n0"]]
    cluster.join(1)
    cluster.create("y", {"routing.allocation.enable": "primaries"})
    assert sentence(cluster, "enable", "y", primary=False) == (
        "NO: replica allocations are forbidden due to index setting [index.routing.allocation.enable=primaries]"
    )


def test_replica_after_primary_active_and_max_retry() -> None:
    cluster = Cluster(nodes=2, starting=False)
    cluster.create("a")
    assert sentence(cluster, "replica_after_primary_active", "a", primary=False) == (
        "NO: primary shard for this replica is not yet active"
    )
    for _ in range(5):
        copy = cluster.state.routing["a"].spec.shards[0].primary
        cluster.run(
            ShardFailed(
                index="a",
                uuid=cluster.state.indices["a"].uuid,
                shard=0,
                allocation_id=copy.allocation_id or "",
                reason="x",
            )
        )
    assert sentence(cluster, "max_retry", "a").startswith(
        "NO: shard has exceeded the maximum number of retries [5] on failed allocation attempts - manually call"
        " [/_cluster/reroute?retry_failed=true] to retry"
    )
    cluster.run(Reroute(retry_failed=True))
    assert cluster.state.routing["a"].spec.shards[0].primary.state == "INITIALIZING"


def test_in_sync_copy() -> None:
    cluster = Cluster(nodes=1)
    cluster.create("a", {"number_of_replicas": 0})
    cluster.run(NodeLeft(node_id="n0"))
    cluster.join(1)
    body = explain(cluster, "a")
    assert body["can_allocate"] == "no_valid_shard_copy"
    assert refusing(cluster, "a") == {"n1": ["in_sync_copy"]}


def disks(cluster: Cluster, **free: int) -> None:
    """100 GB disks of which so many are free; every shard has 10 GB."""
    sizes = {
        (index.uuid, number): 10 * GB
        for index in cluster.state.indices.values()
        for number in range(index.number_of_shards)
    }
    cluster.info = ClusterInfo({id: Disk(100 * GB, value * GB) for id, value in free.items()}, sizes)
    cluster.run(Reroute())


def test_disk_watermarks_in_percent() -> None:
    cluster = Cluster(nodes=2)
    cluster.create("a", {"number_of_replicas": 0})
    disks(cluster, n0=12, n1=12)
    cluster.run(UpdateIndexSettings(indices=("a",), settings={"number_of_replicas": 1}))
    other = "n1" if placed(cluster)[0][0] == "n0" else "n0"
    assert sentence(cluster, "disk_threshold", "a", False, other) == (
        "NO: the node is above the low watermark cluster setting [cluster.routing.allocation.disk.watermark.low=85%],"
        " using more disk space than the maximum allowed [85.0%], actual free: [12.0%]"
    )
    disks(cluster, **{"n0": 12, "n1": 12, other: 18})
    assert sentence(cluster, "disk_threshold", "a", False, other) == (
        "NO: allocating the shard to this node will bring the node above the high watermark cluster setting"
        " [cluster.routing.allocation.disk.watermark.high=90%] and cause it to use more disk space than the maximum allowed"
        " [90.0%] (free space after shard added: [8.0%])"
    )
    disks(cluster, n0=50, n1=50)
    assert None not in placed(cluster)[0]


def test_a_new_primary_passes_the_low_watermark_but_not_the_high_one() -> None:
    cluster = Cluster(nodes=2)
    disks(cluster, n0=12, n1=8)
    cluster.create("a", {"number_of_replicas": 0})
    assert placed(cluster) == [["n0"]]
    disks(cluster, n0=7, n1=8)
    put(cluster, disk__watermark__low="20gb", disk__watermark__high="15gb", disk__watermark__flood_stage="1gb")
    cluster.create("b", {"number_of_replicas": 0})
    assert sentence(cluster, "disk_threshold", "b", node="n1") == (
        "NO: the node is above the high watermark cluster setting [cluster.routing.allocation.disk.watermark.high=15gb],"
        " having less than the minimum required [15gb] free space, actual free: [8gb]"
    )


def test_above_the_high_watermark_copies_leave_no_more_than_needed() -> None:
    cluster = Cluster(nodes=2)
    cluster.create("a", {"number_of_shards": 4, "number_of_replicas": 0, "routing.allocation.include._name": "node-0"})
    cluster.join(2)
    cluster.run(PutClusterSettings(persistent={"cluster.routing.rebalance.enable": "none"}))
    cluster.run(UpdateIndexSettings(indices=("a",), settings={"routing.allocation.include._name": None}))
    disks(cluster, n0=5, n1=90, n2=90)
    moved = [nodes[0] for nodes in placed(cluster) if nodes[0] != "n0"]
    assert len(moved) == 1
    body = explain(cluster, "a", next(n for n, nodes in enumerate(placed(cluster)) if nodes[0] == "n0"))
    assert body["can_remain_on_current_node"] == "no"  # the measurement is still the old one
    assert body["can_remain_decisions"][0]["explanation"] == (
        "the shard cannot remain on this node because it is above the high watermark cluster setting"
        " [cluster.routing.allocation.disk.watermark.high=90%] and there is less than the required [10.0%] free disk on"
        " node, actual free: [5.0%]"
    )


def test_one_data_node_knows_no_watermark() -> None:
    cluster = Cluster()
    disks(cluster, n0=1)
    cluster.create("a", {"number_of_replicas": 0})
    assert placed(cluster) == [["n0"]]


def test_tiers() -> None:
    cluster = Cluster(nodes=0)
    cluster.join(0, roles=("data_hot",))
    cluster.join(1, roles=("data_cold",))
    cluster.create("a", {"number_of_replicas": 1, "routing.allocation.include._tier_preference": "data_warm,data_cold"})
    assert placed(cluster) == [["n1", None]]
    assert sentence(cluster, "data_tier", "a", False, "n0") == (
        "NO: index has a preference for tiers [data_warm,data_cold] and node does not meet the required [data_cold] tier"
    )
    cluster.run(UpdateIndexSettings(indices=("a",), settings={"number_of_replicas": 0}))
    cluster.join(2, roles=("data_warm",))
    assert placed(cluster) == [["n2"]]
    cluster.create("b", {"number_of_replicas": 0, "routing.allocation.include._tier_preference": "data_frozen"})
    assert "no nodes for any of those tiers are available" in sentence(cluster, "data_tier", "b")


def test_shutdown_and_replacement() -> None:
    cluster = Cluster(nodes=2)
    cluster.create("a", {"number_of_shards": 3, "number_of_replicas": 0})
    cluster.join(2)
    cluster.run(PutShutdown(node="n0", kind="replace", reason="new disk", target_node_name="node-2"))
    assert "n0" not in {nodes[0] for nodes in placed(cluster)}
    cluster.create("b", {"number_of_replicas": 2})
    nodes = placed(cluster, "b")[0]
    assert set(nodes) == {"n1", None}
    assert sentence(cluster, "node_shutdown", "b", False, "n0") == (
        "NO: node [n0] is preparing to be removed from the cluster"
    )
    assert sentence(cluster, "node_replacement", "b", False, "n2") == (
        "NO: node [n2] is replacing the vacating nodes [n0], only data currently allocated to the source nodes may be"
        " allocated to it until the replacement is complete"
    )


def test_nodes_that_cannot_copy_build_no_replicas_and_move_nothing() -> None:
    cluster = Cluster(nodes=2)
    cluster.copies = False
    cluster.create("a", {"number_of_shards": 2})
    assert all(nodes[1] is None for nodes in placed(cluster))
    other = "n1" if placed(cluster)[0][0] == "n0" else "n0"
    assert refusing(cluster, "a", primary=False)[other] == ["peer_recovery"]
    assert sentence(cluster, "peer_recovery", "a", False, other) == (
        "NO: the nodes of this cluster cannot copy shards from each other yet"
    )
    before = cluster.state.routing["a"]
    put(cluster, **{"exclude___name": placed(cluster)[0][0]})
    assert cluster.state.routing["a"].spec == before.spec


def test_rebalance_deciders() -> None:
    cluster = Cluster(nodes=2)
    cluster.create("a", {"number_of_replicas": 2})
    body = explain(cluster, "a", yes_decisions=True)
    assert [
        (one["decider"], one["decision"], one["explanation"]) for one in body["can_rebalance_cluster_decisions"]
    ] == [
        ("rebalance_only_when_active", "NO", "rebalancing is not allowed until all replicas in the cluster are active"),
        (
            "cluster_rebalance",
            "NO",
            "the cluster has unassigned shards and cluster setting [cluster.routing.allocation.allow_rebalance] is set to"
            " [indices_all_active]",
        ),
        (
            "concurrent_rebalance",
            "YES",
            "below threshold [2] for concurrent rebalances, current rebalance shard count [0]",
        ),
        ("enable", "YES", "all rebalancing is allowed"),
    ]
    assert (body["can_rebalance_to_other_node"], body["rebalance_explanation"]) == ("no", "rebalancing is not allowed")
