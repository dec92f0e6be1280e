"""`_prometheus/metrics` of masters, data nodes and coordinators: each tells of itself, the leader of the cluster."""

from __future__ import annotations

from tests.support.client import Client
from tests.support.cluster import Running, until
from tests.support.metrics import Scrape, documented


def look(cluster: Running, name: str) -> Scrape:
    with Client(cluster.cluster[name].url) as client:
        return Scrape(client)


def test_every_node_tells() -> None:
    with Running.temporary(masters=3, data=2, coordinators=1) as cluster:
        status, _ = cluster.call("coordinator-1", "PUT", "/m", {"settings": {"number_of_shards": 4}})
        assert status == 200
        green = "/_cluster/health/m?wait_for_status=green&timeout=60s"
        assert cluster.call("coordinator-1", "GET", green)[0] == 200
        leader = cluster.leader()
        names = [member.name for member in cluster.cluster.members]
        found = {name: look(cluster, name) for name in names}
        assert sum(scrape["quidditch_leader"] for scrape in found.values()) == 1
        assert found[leader]["quidditch_leader"] == 1
        assert {scrape["quidditch_leader_known"] for scrape in found.values()} == {1.0}
        assert {scrape["quidditch_leader_epoch"] for scrape in found.values()} == {
            found[leader]["quidditch_leader_epoch"]
        }
        until(lambda: len({look(cluster, name)["quidditch_state_version"] for name in names}) == 1)

        # Sums over the nodes are sums over the cluster.
        started = [scrape.of("quidditch_shards", state="started") for scrape in found.values()]
        assert sum(started) == 8
        assert [scrape.of("quidditch_cluster_shards", state="active") for scrape in found.values()].count(8) == 1
        # On a busy machine a node may not have been heard for a moment.
        until(lambda: look(cluster, leader).of("quidditch_cluster_nodes", health="healthy") == len(names))
        assert found[leader]["quidditch_cluster_active_primaries"] == 4

        for name, scrape in found.items():
            assert scrape["quidditch_heartbeat_seconds_count"] > 0
            master = name.startswith("master")
            assert ("quidditch_pending_tasks" in scrape.families) == master
            assert (scrape["quidditch_etcd_request_seconds_count"] > 0) == master
        heard = found[leader]["quidditch_heartbeats_received_total"]
        until(lambda: look(cluster, leader)["quidditch_heartbeats_received_total"] >= heard + len(names))
        assert look(cluster, leader)["quidditch_publication_nodes_behind"] == 0

        told = set().union(*(scrape.names() for scrape in found.values()))
        assert told == set(documented())

        cluster.kill(leader)
        followers = [name for name in names if name != leader]
        until(lambda: sum(look(cluster, name)["quidditch_leader"] for name in followers) == 1)
        until(lambda: all(look(cluster, name)["quidditch_leader_known"] for name in followers))
        assert look(cluster, cluster.leader())["quidditch_leader_epoch"] > found[leader]["quidditch_leader_epoch"]
