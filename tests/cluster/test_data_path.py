"""Documents over the processes of a real cluster: written and found from every node, and what is left when one is killed."""

from __future__ import annotations

import signal
from typing import Any

import pytest
from tests.support.cluster import Running, until

SHARDS = 6
COUNT = 300


def lines(first: int) -> bytes:
    rows = (
        f'{{"index":{{"_id":"{number}"}}}}\n{{"n":{number},"t":"word{number % 7}"}}\n'
        for number in range(first, COUNT, 3)
    )
    return "".join(rows).encode()


def fine(cluster: Running, name: str, method: str, path: str, body: Any = None) -> Any:
    status, answer = cluster.call(name, method, path, body)
    assert status < 300, answer
    return answer


@pytest.mark.parametrize("with_signal", [signal.SIGKILL, signal.SIGSTOP])
def test_documents_are_found_from_every_node_and_lost_ones_are_named(with_signal: int) -> None:
    with Running.temporary(masters=1, data=3, coordinators=1) as cluster:
        nodes = cluster.names("data") + cluster.names("coordinator")
        settings = {"number_of_shards": SHARDS, "number_of_replicas": 0}
        fine(cluster, nodes[0], "PUT", "/docs", {"settings": settings})
        until(lambda: fine(cluster, nodes[0], "GET", "/_cluster/health")["status"] == "green")
        for first, name in enumerate(nodes[1:]):
            assert not fine(cluster, name, "POST", "/docs/_bulk?refresh=true", lines(first))["errors"]
        body = {"size": COUNT, "sort": ["n"], "aggs": {"t": {"terms": {"field": "t.keyword"}}}}
        for name in nodes:
            found = fine(cluster, name, "POST", "/docs/_search", body)
            assert [hit["_source"]["n"] for hit in found["hits"]["hits"]] == list(range(COUNT))
            assert found["_shards"] == {"total": SHARDS, "successful": SHARDS, "skipped": 0, "failed": 0}
            assert sum(bucket["doc_count"] for bucket in found["aggregations"]["t"]["buckets"]) == COUNT
            assert fine(cluster, name, "GET", "/docs/_doc/17")["_source"]["n"] == 17

        rows = fine(cluster, nodes[0], "GET", "/_cat/shards/docs?format=json")
        held = [row for row in rows if row["node"] == nodes[-2]]
        assert 0 < len(held) < SHARDS
        cluster.kill(nodes[-2], with_signal)
        found = fine(cluster, nodes[-1], "POST", "/docs/_search", {"size": COUNT})
        assert found["_shards"]["failed"] == len(held)
        left = COUNT - sum(int(row["docs"]) for row in held)
        assert found["hits"]["total"]["value"] == left
        if with_signal == signal.SIGKILL:
            cluster.start(nodes[-2])
        else:
            cluster.kill(nodes[-2], signal.SIGCONT)
        until(lambda: fine(cluster, nodes[-1], "POST", "/docs/_search", {"size": 0})["_shards"]["failed"] == 0)
        assert fine(cluster, nodes[-1], "GET", "/docs/_count")["count"] == COUNT


def test_bytes_of_copies_are_counted_where_they_are_written() -> None:
    with Running.temporary(masters=1, data=2) as cluster:
        first, second = cluster.names("data")
        settings = {
            "number_of_shards": 1,
            "number_of_replicas": 1,
        }
        fine(cluster, first, "PUT", "/docs", {"settings": settings})
        until(lambda: fine(cluster, first, "GET", "/_cluster/health")["status"] == "green")
        copies = fine(cluster, first, "GET", "/_cat/shards/docs?format=json")
        [primary] = [row["node"] for row in copies if row["prirep"] == "p"]
        other = second if primary == first else first
        rows = "".join(f'{{"index":{{"_id":"{n}"}}}}\n{{"t":"{"x" * 100}"}}\n' for n in range(50))
        assert not fine(cluster, primary, "POST", "/docs/_bulk", rows.encode())["errors"]
        nodes = fine(cluster, first, "GET", "/_nodes/stats/indexing_pressure")["nodes"].values()
        total = {node["name"]: node["indexing_pressure"]["memory"]["total"] for node in nodes}
        assert total[primary]["coordinating_in_bytes"] >= len(rows)
        assert total[primary]["replica_in_bytes"] == 0
        assert total[other]["replica_in_bytes"] >= 50 * 100
        assert total[other]["combined_coordinating_and_primary_in_bytes"] == 0

        def at_work() -> int:
            nodes = fine(cluster, first, "GET", "/_nodes/stats/indexing_pressure")["nodes"].values()
            return sum(node["indexing_pressure"]["memory"]["current"]["all_in_bytes"] for node in nodes)

        until(lambda: at_work() == 0)
