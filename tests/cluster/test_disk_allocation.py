"""Which data becomes a primary after everything was down: that which the in-sync allocation ids name, wherever it lies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.cluster import Running, until

COUNT = 50


def fine(cluster: Running, method: str, path: str, body: Any = None) -> Any:
    status, answer = cluster.call("data-1", method, path, body)
    assert status < 300, answer
    return answer


def indices_of(cluster: Running, name: str) -> Path:
    return cluster.cluster.folder / name / "nodes" / "0" / "indices"


def holder(cluster: Running) -> str:
    """The node of the only shard of `docs`."""
    (row,) = fine(cluster, "GET", "/_cat/shards/docs?format=json")
    return str(row["node"])


def health(cluster: Running) -> str:
    return str(fine(cluster, "GET", "/_cluster/health/docs")["status"])


def prepare(cluster: Running) -> tuple[str, str]:
    """An index with documents; its uuid and its node."""
    settings = {"number_of_shards": 1, "number_of_replicas": 0}
    fine(cluster, "PUT", "/docs", {"settings": settings})
    until(lambda: health(cluster) == "green")
    lines = "".join(f'{{"index":{{"_id":"{n}"}}}}\n{{"n":{n}}}\n' for n in range(COUNT))
    assert not fine(cluster, "POST", "/docs/_bulk?refresh=true", lines.encode())["errors"]
    uuid = fine(cluster, "GET", "/docs/_settings")["docs"]["settings"]["index"]["uuid"]
    return uuid, holder(cluster)


def stop(cluster: Running) -> None:
    for name in cluster.names("data") + cluster.names("master"):
        cluster.stop(name)


def start(cluster: Running) -> None:
    cluster.start(*cluster.names("master"), *cluster.names("data"))


def test_a_primary_is_found_on_another_node_than_the_routing_remembers() -> None:
    with Running.temporary(masters=1, data=2) as cluster:
        uuid, before = prepare(cluster)
        after = next(name for name in cluster.names("data") if name != before)
        stop(cluster)
        indices_of(cluster, before).joinpath(uuid).rename(indices_of(cluster, after) / uuid)
        start(cluster)
        until(lambda: health(cluster) == "green")
        assert holder(cluster) == after
        assert fine(cluster, "GET", "/docs/_count")["count"] == COUNT


def history_of(cluster: Running) -> str:
    """By what name the data of the primary goes: copies that know it by another are no copies of it."""
    (copy,) = fine(cluster, "GET", "/docs/_stats?level=shards")["indices"]["docs"]["shards"]["0"]
    return str(copy["commit"]["user_data"]["history_uuid"])


def test_stale_data_is_served_only_when_a_user_accepts_the_loss() -> None:
    with Running.temporary(masters=1, data=2) as cluster:
        uuid, node = prepare(cluster)
        before = history_of(cluster)
        stop(cluster)
        file = indices_of(cluster, node) / uuid / "0.allocation.json"
        file.write_text(json.dumps({"format": 1, "ids": ["of-another-copy"]}))
        start(cluster)
        until(lambda: health(cluster) == "red")
        status, _ = cluster.call("data-1", "GET", "/docs/_doc/1")
        assert status == 503
        (store,) = fine(cluster, "GET", "/docs/_shard_stores")["indices"]["docs"]["shards"]["0"]["stores"]
        assert (store["allocation_id"], store["allocation"]) == ("of-another-copy", "unused")
        explained = fine(cluster, "GET", "/_cluster/allocation/explain")
        assert explained["can_allocate"] == "no_valid_shard_copy"

        def force(accept: bool) -> tuple[int, Any]:
            command = {"index": "docs", "shard": 0, "node": node, "accept_data_loss": accept}
            return cluster.call(
                "data-1", "POST", "/_cluster/reroute", {"commands": [{"allocate_stale_primary": command}]}
            )

        assert force(False)[0] == 400
        assert force(True)[0] == 200
        until(lambda: health(cluster) == "green")
        assert fine(cluster, "GET", "/docs/_count")["count"] == COUNT
        assert json.loads(file.read_text())["ids"] != ["of-another-copy"]
        assert history_of(cluster) != before


def test_a_folder_that_nobody_needs_is_removed_and_one_of_another_index_is_left_alone() -> None:
    with Running.temporary(masters=1, data=2) as cluster:
        uuid, node = prepare(cluster)
        other = next(name for name in cluster.names("data") if name != node)
        spare, dangling = indices_of(cluster, other) / uuid, indices_of(cluster, other) / "dangling"
        cluster.stop(other)
        for folder in (spare, dangling):
            (folder / "0").mkdir(parents=True)
            (folder / "0" / "file").write_text("x")
            (folder / "0.allocation.json").write_text(json.dumps({"format": 1, "ids": ["stale"]}))
        cluster.start(other)
        until(lambda: not (spare / "0").exists())
        assert (dangling / "0" / "file").exists()
        assert holder(cluster) == node
        assert fine(cluster, "GET", "/docs/_count")["count"] == COUNT
