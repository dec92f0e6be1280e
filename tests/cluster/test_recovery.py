"""Copies of shards that are built, rebuilt and moved by real processes, mostly while somebody writes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.cluster import Running, until
from tests.support.load import Load, copies, same

DOCUMENTS = 2000


@pytest.fixture(scope="module")
def shared() -> Iterator[Running]:
    with Running.temporary(masters=1, data=3) as cluster:
        fine(cluster, "PUT", "/_cluster/settings", {"persistent": {"cluster.routing.rebalance.enable": "none"}})
        yield cluster


@pytest.fixture
def cluster(shared: Running) -> Iterator[Running]:
    yield shared
    shared.call("data-1", "DELETE", "/docs")
    fine(shared, "PUT", "/_cluster/settings", {"persistent": {"indices.recovery.max_bytes_per_sec": None}})


def fine(cluster: Running, method: str, path: str, body: Any = None, asked: str = "data-1") -> Any:
    status, answer = cluster.call(asked, method, path, body)
    assert status < 300, answer
    return answer


def green(cluster: Running, asked: str = "data-1") -> None:
    until(lambda: fine(cluster, "GET", "/_cluster/health/docs", asked=asked)["status"] == "green")


def create(cluster: Running, replicas: int, nodes: list[str], documents: int = DOCUMENTS, **more: Any) -> None:
    """An index on these nodes, with documents of some size."""
    settings = {
        "number_of_shards": 1,
        "number_of_replicas": replicas,
        "routing.allocation.require._name": ",".join(nodes) if len(nodes) == 1 else None,
        "routing.allocation.include._name": ",".join(nodes),
        "unassigned.node_left.delayed_timeout": "0",
        **more,
    }
    fine(cluster, "PUT", "/docs", {"settings": {key: value for key, value in settings.items() if value is not None}})
    green(cluster)
    fill(cluster, 0, documents)


def fill(cluster: Running, first: int, count: int) -> None:
    lines = "".join(
        f'{{"index":{{"_id":"d{n}"}}}}\n{{"n":{n},"t":"word{n} {n * 7919 % 104729} {"filler " * 10}"}}\n'
        for n in range(first, first + count)
    )
    assert not fine(cluster, "POST", "/docs/_bulk", lines.encode())["errors"]


def settings(cluster: Running, **changed: Any) -> None:
    fine(cluster, "PUT", "/docs/_settings", {f"index.{key}": value for key, value in changed.items()})


def recovery(cluster: Running, node: str, asked: str = "data-1") -> dict[str, Any]:
    """How the copy on a node came to be there."""
    shards = fine(cluster, "GET", "/docs/_recovery?detailed", asked=asked)["docs"]["shards"]
    return dict(next(shard for shard in shards if shard["target"]["name"] == node))


def nodes_of(cluster: Running) -> tuple[str, list[str]]:
    """The node of the primary, and those of the replicas."""
    rows = fine(cluster, "GET", "/_cat/shards/docs?format=json")
    primary = next(row["node"] for row in rows if row["prirep"] == "p")
    return str(primary), [str(row["node"]) for row in rows if row["prirep"] == "r"]


def urls(cluster: Running, *names: str) -> list[str]:
    return [cluster.cluster[name].url for name in names]


def test_a_replica_is_added_while_documents_are_written(cluster: Running) -> None:
    create(cluster, 0, ["data-1", "data-2"])
    primary, _ = nodes_of(cluster)
    with Load(urls(cluster, "data-1", "data-3"), "docs").running() as load:
        load.more(20)
        settings(cluster, number_of_replicas=1)
        green(cluster)
        load.more(20)
    assert load.refused == []
    found = same(cluster, "data-1", "docs")
    load.check(found)
    assert len(found) == DOCUMENTS + len(load.acknowledged)
    (replica,) = nodes_of(cluster)[1]
    told = recovery(cluster, replica)
    assert (told["type"], told["stage"], told["source"]["name"]) == ("PEER", "DONE", primary)
    files, size = told["index"]["files"], told["index"]["size"]
    assert files["total"] == files["recovered"] == len(files["details"]) > 0
    assert size["total_in_bytes"] == size["recovered_in_bytes"] == sum(f["length_in_bytes"] for f in files["details"])
    assert (files["percent"], size["percent"], told["translog"]["percent"]) == ("100.0%",) * 3
    rows = fine(cluster, "GET", "/_cat/recovery/docs?format=json&bytes=b")
    row = next(row for row in rows if row["target_node"] == replica)
    assert (row["type"], row["stage"], row["source_node"]) == ("peer", "done", primary)
    assert int(row["bytes_recovered"]) == size["total_in_bytes"]


def test_a_node_back_from_a_short_absence_takes_operations_only(cluster: Running) -> None:
    create(cluster, 1, ["data-2", "data-3"])
    primary, (replica,) = nodes_of(cluster)
    asked = "data-1"
    before = same(cluster, asked, "docs")
    cluster.kill(replica)
    fill(cluster, DOCUMENTS, 30)
    cluster.start(replica)
    green(cluster)
    told = recovery(cluster, replica)
    assert (told["type"], told["stage"], told["source"]["name"]) == ("PEER", "DONE", primary)
    assert told["index"]["files"]["total"] == told["index"]["size"]["total_in_bytes"] == 0
    assert 30 <= told["translog"]["recovered"] == told["translog"]["total"] < DOCUMENTS
    assert len(same(cluster, asked, "docs")) == len(before) + 30


def test_files_are_copied_where_the_history_is_gone_but_only_those_that_lack(cluster: Running) -> None:
    create(cluster, 1, ["data-2", "data-3"], **{"translog.retention.size": "0b", "translog.retention.age": "0s"})
    fine(cluster, "POST", "/docs/_flush?force=true")
    primary, (replica,) = nodes_of(cluster)
    cluster.kill(replica)
    fill(cluster, DOCUMENTS, 500)
    settings(cluster, **{"translog.retention.size": "0b"})
    for _ in range(3):
        fine(cluster, "POST", "/docs/_flush?force=true")
        fill(cluster, DOCUMENTS, 10)
    cluster.start(replica)
    green(cluster)
    told = recovery(cluster, replica)
    assert (told["type"], told["source"]["name"]) == ("PEER", primary)
    files = told["index"]["files"]
    assert files["recovered"] > 0
    assert files["total"] == files["recovered"] + files["reused"]
    assert len(same(cluster, "data-1", "docs")) == DOCUMENTS + 500


@pytest.mark.parametrize("role", ["p", "r"])
def test_a_copy_moves_while_documents_are_written(cluster: Running, role: str) -> None:
    create(cluster, 1, ["data-1", "data-2", "data-3"])
    primary, (replica,) = nodes_of(cluster)
    free = next(name for name in cluster.names("data") if name not in (primary, replica))
    moved = primary if role == "p" else replica
    _, before = cluster.call("data-1", "GET", "/_cluster/state/routing_table/docs")
    with Load(urls(cluster, "data-1", "data-2", "data-3"), "docs").running() as load:
        load.more(20)
        command = {"index": "docs", "shard": 0, "from_node": moved, "to_node": free}
        fine(cluster, "POST", "/_cluster/reroute", {"commands": [{"move": command}]})
        until(lambda: free in [nodes_of(cluster)[0], *nodes_of(cluster)[1]])
        green(cluster)
        load.more(20)
    assert load.refused == []
    primary_now, (replica_now,) = nodes_of(cluster)
    assert (primary_now, replica_now) == ((free, replica) if role == "p" else (primary, free))
    found = same(cluster, "data-1", "docs")
    load.check(found)
    assert len(found) == DOCUMENTS + len(load.acknowledged)
    terms = {document[1] for document in copies(cluster, "data-1", "docs", [free])[free].values()}
    assert terms == {1}
    assert before


def test_a_recovery_is_throttled_shown_and_cancelled(cluster: Running) -> None:
    create(cluster, 0, ["data-1", "data-2"])
    fine(cluster, "POST", "/docs/_flush")
    slow = {"persistent": {"indices.recovery.max_bytes_per_sec": "10kb"}}
    fine(cluster, "PUT", "/_cluster/settings", slow)
    primary, _ = nodes_of(cluster)
    target = next(name for name in ("data-1", "data-2") if name != primary)
    settings(cluster, number_of_replicas=1)

    def under_way() -> dict[str, Any] | None:
        shards = fine(cluster, "GET", "/docs/_recovery?active_only")["docs"]["shards"]
        return next((shard for shard in shards if shard["index"]["size"]["total_in_bytes"]), None)

    shown = until(under_way)
    assert shown["target"]["name"] == target
    assert shown["index"]["size"]["recovered_in_bytes"] < shown["index"]["size"]["total_in_bytes"]
    assert fine(cluster, "GET", "/_cluster/health/docs")["initializing_shards"] == 1
    (row,) = [row for row in fine(cluster, "GET", "/_cat/shards/docs?format=json") if row["prirep"] == "r"]
    assert row["state"] == "INITIALIZING"
    settings(cluster, number_of_replicas=0)
    green(cluster)
    until(lambda: "docs" not in fine(cluster, "GET", "/docs/_recovery?active_only"))
    fine(cluster, "PUT", "/_cluster/settings", {"persistent": {"indices.recovery.max_bytes_per_sec": "0"}})
    settings(cluster, number_of_replicas=1)
    green(cluster)
    assert len(same(cluster, "data-1", "docs")) == DOCUMENTS


def test_a_source_that_dies_is_followed_by_another_recovery(cluster: Running) -> None:
    create(cluster, 1, ["data-1", "data-2", "data-3"])
    fine(cluster, "POST", "/docs/_flush")
    primary, (replica,) = nodes_of(cluster)
    asked = replica
    fine(cluster, "PUT", "/_cluster/settings", {"persistent": {"indices.recovery.max_bytes_per_sec": "20kb"}})
    settings(cluster, number_of_replicas=2)
    until(lambda: any(s["stage"] == "INDEX" for s in active(cluster, asked)))
    cluster.kill(primary)
    fine(cluster, "PUT", "/_cluster/settings", {"persistent": {"indices.recovery.max_bytes_per_sec": "0"}}, asked)
    cluster.start(primary)
    green(cluster, asked)
    assert len(same(cluster, asked, "docs")) == DOCUMENTS


def active(cluster: Running, asked: str) -> list[dict[str, Any]]:
    found = fine(cluster, "GET", "/docs/_recovery?active_only", asked=asked)
    return list(found["docs"]["shards"]) if "docs" in found else []


def test_after_a_full_restart_the_copy_that_missed_writes_does_not_become_primary() -> None:
    with Running.temporary(masters=1, data=3) as cluster:
        create(cluster, 1, ["data-2", "data-3"], documents=50)
        primary, (replica,) = nodes_of(cluster)
        cluster.kill(replica)
        fill(cluster, 50, 50)
        cluster.stop(primary)
        cluster.start(replica)
        health = until(lambda: fine(cluster, "GET", "/_cluster/health/docs"))
        assert health["status"] == "red"
        asked = "/docs/_shard_stores"
        (store,) = until(lambda: fine(cluster, "GET", asked)["indices"]["docs"]["shards"]["0"]["stores"])
        assert store["allocation"] == "unused"
        cluster.start(primary)
        green(cluster)
        assert nodes_of(cluster) == (primary, [replica])
        assert len(same(cluster, "data-1", "docs")) == 100
