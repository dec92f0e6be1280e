from __future__ import annotations

from tests.unit.controlplane.cluster import Cluster

from quidditch.controlplane.core.commands import CloseIndices, UpdateIndexSettings
from quidditch.controlplane.core.health import at_least, cluster_health


def test_an_empty_cluster_is_green() -> None:
    health = cluster_health(Cluster().state)
    assert (health.status, health.percent, health.nodes, health.data_nodes) == ("green", 100.0, 1, 1)


def test_replicas_without_a_node_are_yellow() -> None:
    cluster = Cluster()
    cluster.create("a", {"number_of_shards": 2})
    cluster.create("b", {"number_of_replicas": 0})
    health = cluster_health(cluster.state)
    assert (health.status, health.counts.active, health.counts.active_primary, health.counts.unassigned) == (
        "yellow",
        3,
        3,
        2,
    )
    assert health.percent == 60.0
    only = cluster_health(cluster.state, [cluster.state.indices["b"]])
    assert (only.status, only.percent) == ("green", 100.0)
    assert [index.index.name for index in health.indices] == ["a", "b"]
    assert [shard.status for shard in health.indices[0].shards] == ["yellow", "yellow"]


def test_a_new_primary_is_yellow_until_it_starts() -> None:
    cluster = Cluster(starting=False)
    cluster.create("a")
    assert cluster_health(cluster.state).status == "yellow"
    assert cluster_health(cluster.state).counts.initializing == 1


def test_what_is_missing_is_red() -> None:
    health = cluster_health(Cluster().state, [], missing=True)
    assert (health.status, health.percent) == ("red", 100.0)


def test_closed_indices_count() -> None:
    cluster = Cluster()
    cluster.create("a")
    cluster.run(CloseIndices(indices=("a",)))
    assert cluster_health(cluster.state).status == "yellow"
    cluster.run(UpdateIndexSettings(indices=("a",), settings={"number_of_replicas": 0}))
    assert cluster_health(cluster.state).status == "green"


def test_order_of_statuses() -> None:
    assert at_least("green", "yellow")
    assert at_least("yellow", "yellow")
    assert not at_least("red", "yellow")
