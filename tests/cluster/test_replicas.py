"""Replicas over the processes of a real cluster: nothing acknowledged is lost when a node dies, hangs or is cut off, and writes go on."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support import netns
from tests.support.cluster import Running, until

INDEX = "copied"


def fine(cluster: Running, name: str, method: str, path: str, body: Any = None) -> Any:
    status, answer = cluster.call(name, method, path, body)
    assert status < 300, answer
    return answer


def copies(cluster: Running, asked: str) -> dict[str, str]:
    """Node by role, of the copies that are started."""
    rows = fine(cluster, asked, "GET", f"/_cat/shards/{INDEX}?format=json")
    return {row["prirep"]: row["node"] for row in rows if row["state"] == "STARTED"}


def made(cluster: Running, asked: str) -> dict[str, str]:
    settings = {"number_of_shards": 1, "number_of_replicas": 1}
    fine(
        cluster, asked, "PUT", f"/{INDEX}", {"settings": settings, "mappings": {"properties": {"n": {"type": "long"}}}}
    )
    until(lambda: len(copies(cluster, asked)) == 2)
    return copies(cluster, asked)


class Writer:
    """Writes documents one after the other, and keeps the ids of those that were acknowledged."""

    def __init__(self, cluster: Running, name: str) -> None:
        self.acknowledged: list[int] = []
        self._cluster = cluster
        self._name = name
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        number = 0
        while not self._end.is_set():
            status, _ = self._cluster.call(self._name, "PUT", f"/{INDEX}/_doc/{number}", {"n": number})
            if status < 300:
                self.acknowledged.append(number)
            number += 1

    def go_on(self, count: int = 20) -> None:
        """Waits for so many more acknowledged writes."""
        goal = len(self.acknowledged) + count
        until(lambda: len(self.acknowledged) >= goal)

    def end(self) -> set[int]:
        self._end.set()
        self._thread.join()
        return set(self.acknowledged)


def held(cluster: Running, asked: str, node: str) -> set[int]:
    """What the copy on one node has."""
    path = f"/{INDEX}/_search?preference=_only_nodes:{node}"
    found = fine(cluster, asked, "POST", path, {"size": 10_000, "query": {"match_all": {}}})
    assert found["_shards"]["failed"] == 0
    return {hit["_source"]["n"] for hit in found["hits"]["hits"]}


@contextlib.contextmanager
def three(fault: str) -> Iterator[Running]:
    """A master and three data nodes, on networks of their own where one is to be cut off; this thread reaches all of them."""
    with contextlib.ExitStack() as stack:
        networks = None
        if fault == "cut off":
            try:
                networks = stack.enter_context(netns.Networks.temporary())
            except netns.Missing as missing:
                pytest.skip(str(missing))
            stack.enter_context(networks.inside())
        yield stack.enter_context(Running.temporary(masters=1, data=3, networks=networks))


def fail(cluster: Running, name: str, fault: str) -> None:
    if cluster.networks is not None:
        cluster.networks.cut(name)
    else:
        cluster.kill(name, signal.SIGKILL if fault == "killed" else signal.SIGSTOP)


def heal(cluster: Running, name: str, fault: str) -> None:
    if cluster.networks is not None:
        cluster.networks.mend(name)
    elif fault == "killed":
        cluster.start(name)
    else:
        cluster.kill(name, signal.SIGCONT)


@pytest.mark.parametrize("fault", ["killed", "hangs", "cut off"])
@pytest.mark.parametrize("role", ["p", "r"])
def test_every_acknowledged_write_is_on_both_copies_after_one_was_lost(fault: str, role: str) -> None:
    with three(fault) as cluster:
        nodes = cluster.names("data")
        where = made(cluster, nodes[0])
        lost = where[role]
        asked = next(name for name in nodes if name not in where.values())
        writer = Writer(cluster, asked)
        try:
            writer.go_on()
            fail(cluster, lost, fault)
            writer.go_on()
            if role == "p":
                assert copies(cluster, asked)["p"] == where["r"]
            heal(cluster, lost, fault)
            writer.go_on()
        finally:
            acknowledged = writer.end()
        until(lambda: fine(cluster, asked, "GET", "/_cluster/health")["status"] == "green", 90)
        fine(cluster, asked, "POST", f"/{INDEX}/_refresh")
        found = [held(cluster, asked, node) for node in copies(cluster, asked).values()]
        assert len(found) == 2
        assert acknowledged <= found[0]
        assert found[0] == found[1]


def test_the_items_of_a_bulk_say_how_many_copies_they_reached() -> None:
    with Running.temporary(masters=1, data=2) as cluster:
        nodes = cluster.names("data")
        where = made(cluster, nodes[0])
        line = b'{"index":{"_id":"%d"}}\n{"n":%d}\n'
        path = f"/{INDEX}/_bulk?refresh=true"
        answer = fine(cluster, nodes[1], "POST", path, b"".join(line % (n, n) for n in range(10)))
        shards = [item["index"]["_shards"] for item in answer["items"]]
        assert shards == [{"total": 2, "successful": 2, "failed": 0}] * 10
        assert [held(cluster, nodes[0], node) for node in where.values()] == [set(range(10))] * 2
        both = fine(cluster, nodes[0], "PUT", f"/{INDEX}/_doc/10?wait_for_active_shards=all", {"n": 10})
        assert both["_shards"]["successful"] == 2
        cluster.kill(where["r"])
        answer = fine(cluster, where["p"], "POST", f"/{INDEX}/_bulk", line % (11, 11))
        assert answer["items"][0]["index"]["_shards"] == {"total": 2, "successful": 1, "failed": 0}
        status, refused = cluster.call(
            where["p"], "PUT", f"/{INDEX}/_doc/12?wait_for_active_shards=all&timeout=200ms", {"n": 12}
        )
        assert (status, refused["error"]["type"]) == (503, "unavailable_shards_exception")
        assert "Not enough active copies to meet shard count of [ALL] (have 1, needed 2)" in refused["error"]["reason"]
