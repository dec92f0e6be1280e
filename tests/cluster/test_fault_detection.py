"""Nodes stand still as on a slow machine: how long that is borne is a cluster setting, which changes while they do."""

from __future__ import annotations

import signal
from typing import Any

from tests.support.client import Client
from tests.support.cluster import Running, until
from tests.support.metrics import Scrape

_CHECK = "cluster.fault_detection.follower_check"


def names(cluster: Running) -> set[str]:
    _, rows = cluster.call("data-1", "GET", "/_cat/nodes?h=name&format=json")
    return {row["name"] for row in rows}


def silence(cluster: Running, leader: str) -> float:
    with Client(cluster.cluster[leader].url) as client:
        return Scrape(client)["quidditch_heartbeat_longest_silence_seconds"]


def put(cluster: Running, settings: dict[str, Any]) -> None:
    status, answer = cluster.call("data-1", "PUT", "/_cluster/settings?timeout=1s", {"persistent": settings})
    assert status == 200, answer


def test_a_node_that_stands_still_stays_as_long_as_the_settings_say() -> None:
    with Running.temporary(masters=1, data=2) as cluster:
        leader = cluster.leader()
        put(cluster, {f"{_CHECK}.timeout": "60s", f"{_CHECK}.interval": "1s"})
        cluster.kill("data-2", signal.SIGSTOP)
        until(lambda: silence(cluster, leader) > 4)
        assert "data-2" in names(cluster), "by default it would have left after two seconds"
        _, health = cluster.call("data-1", "GET", "/_cluster/health")
        assert health["number_of_nodes"] == 3
        put(cluster, {f"{_CHECK}.*": None})
        until(lambda: "data-2" not in names(cluster), timeout=90)
        cluster.kill("data-2", signal.SIGCONT)
        until(lambda: "data-2" in names(cluster))
