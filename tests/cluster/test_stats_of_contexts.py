"""`_stats` and `_nodes/stats` of readers that are kept and of recoveries, wherever in the cluster they are."""

from __future__ import annotations

from typing import Any

from tests.support.cluster import Running, until


def fine(cluster: Running, method: str, path: str, body: Any = None, asked: str = "data-1") -> Any:
    status, answer = cluster.call(asked, method, path, body)
    assert status == 200, answer
    return answer


def contexts(cluster: Running, asked: str = "data-1") -> dict[str, int]:
    search = fine(cluster, "GET", "/kept/_stats/search", asked=asked)["_all"]["total"]["search"]
    nodes = fine(cluster, "GET", "/_nodes/stats/indices/search", asked=asked)["nodes"].values()
    names = [name for name in search if name.startswith(("open", "scroll", "point")) and "time_in_millis" not in name]
    for name in names:
        assert sum(each["indices"]["search"][name] for each in nodes) == search[name]
    return {name: search[name] for name in names if search[name]}


def test_readers_that_are_kept_count_where_their_shards_are() -> None:
    with Running.temporary(masters=1, data=2) as cluster:
        fine(cluster, "PUT", "/kept", {"settings": {"number_of_shards": 4, "number_of_replicas": 0}})
        fine(cluster, "GET", "/_cluster/health/kept?wait_for_status=green&timeout=60s")
        for at in range(20):
            cluster.call("data-1", "POST", "/kept/_doc", {"n": at})
        fine(cluster, "POST", "/kept/_refresh")
        assert contexts(cluster) == {}
        scroll = fine(cluster, "POST", "/kept/_search?scroll=5m", {"size": 3})["_scroll_id"]
        assert contexts(cluster) == {"open_contexts": 4, "scroll_current": 4}
        fine(cluster, "POST", "/_search/scroll", {"scroll_id": scroll, "scroll": "5m"}, asked="data-2")
        point = fine(cluster, "POST", "/kept/_search/point_in_time?keep_alive=5m", asked="data-2")["pit_id"]
        found = {"open_contexts": 8, "scroll_current": 4, "point_in_time_current": 4}
        assert contexts(cluster) == found
        fine(cluster, "POST", "/_search", {"size": 2, "sort": ["n"], "pit": {"id": point}})
        assert contexts(cluster, "data-2") == found
        assert fine(cluster, "DELETE", "/_search/scroll", {"scroll_id": scroll})["num_freed"] == 4
        found = {"open_contexts": 4, "scroll_total": 4, "point_in_time_current": 4}
        until(lambda: contexts(cluster) == found)
        columns = "/_cat/pit_segments{}?format=json&h=index,shard,prirep,id,segment,docs.count&s=shard"
        seen = fine(cluster, "GET", columns.format(""), {"pit_id": [point]})
        assert {row["shard"] for row in seen} == {"0", "1", "2", "3"}
        assert sum(int(row["docs.count"]) for row in seen) == 20
        cluster.call("data-1", "POST", "/kept/_doc?refresh=true", {"n": 20})
        fine(cluster, "POST", "/kept/_forcemerge?max_num_segments=1")
        assert fine(cluster, "GET", columns.format("/_all")) == seen, "a point in time keeps its segments"
        routing = fine(cluster, "GET", "/_cat/shards/kept?format=json&h=shard,id")
        assert {(row["shard"], row["id"]) for row in seen} == {(row["shard"], row["id"]) for row in routing}
        assert cluster.call("data-1", "GET", columns.format(""), {"pit_id": ["xx"]})[0] == 400
        fine(cluster, "DELETE", "/_search/point_in_time/_all")
        assert fine(cluster, "GET", columns.format("/_all")) == []
        until(lambda: contexts(cluster) == {"scroll_total": 4, "point_in_time_total": 4})
        status, _ = cluster.call("data-1", "DELETE", "/_search/scroll", {"scroll_id": scroll})
        assert status == 404

        transport = {
            name: each["transport"] for name, each in fine(cluster, "GET", "/_nodes/stats/transport")["nodes"].items()
        }
        assert len(transport) == 3
        assert all(min(each.values()) > 0 for each in transport.values())

        # A copy that is built slowly, from one node on the other.
        fine(cluster, "PUT", "/_cluster/settings", {"persistent": {"indices.recovery.max_bytes_per_sec": "1b"}})
        fine(cluster, "POST", "/kept/_flush")
        fine(cluster, "PUT", "/kept/_settings", {"number_of_replicas": 1})
        recovery = until(lambda: under_way(cluster))
        assert recovery["current_as_source"] == recovery["current_as_target"]
        fine(cluster, "PUT", "/_cluster/settings", {"persistent": {"indices.recovery.max_bytes_per_sec": None}})
        fine(cluster, "GET", "/_cluster/health/kept?wait_for_status=green&timeout=60s")
        until(lambda: not under_way(cluster))
        assert set(recoveries(cluster)) == {"current_as_source", "current_as_target", "throttle_time_in_millis"}
        assert recoveries(cluster)["throttle_time_in_millis"] > 0


def recoveries(cluster: Running) -> dict[str, int]:
    found: dict[str, int] = fine(cluster, "GET", "/kept/_stats/recovery")["_all"]["total"]["recovery"]
    return found


def under_way(cluster: Running) -> dict[str, int] | None:
    found = recoveries(cluster)
    settled = found["current_as_source"] == found["current_as_target"]
    return found if found["current_as_source"] and settled else None
