"""Searches and documents by id over the copies of a real cluster: none fails while one copy of each shard lives."""

from __future__ import annotations

import contextlib
import json
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.client import Client
from tests.support.cluster import Running, until

SHARDS = 6
COUNT = 200
DFS = "search_type=dfs_query_then_fetch"


def fine(cluster: Running, name: str, method: str, path: str, body: Any = None) -> Any:
    status, answer = cluster.call(name, method, path, body)
    assert status < 300, answer
    return answer


class Reader:
    """Asks a node, over and over, for everything; notes what is not the whole answer."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.rounds = 0
        self.wrong: list[Any] = []

    def run(self, stop: threading.Event) -> None:
        body = {"size": COUNT, "sort": ["n"], "_source": False, "aggs": {"t": {"terms": {"field": "t.keyword"}}}}
        alike = {"size": COUNT, "query": {"match": {"t": "word3"}}, "_source": False}
        last = {"query": {"range": {"n": {"gte": COUNT - 3}}}, "sort": ["n"]}
        ids = [str(number) for number in range(0, COUNT, 7)]
        with contextlib.closing(Client(self.url)) as client:
            while not stop.is_set():
                self._expect(client, "POST", "/docs/_search", body, self._whole)
                self._expect(client, "POST", f"/docs/_search?{DFS}", alike, self._scored)
                self._expect(client, "POST", "/docs/_search", last, self._last)
                self._expect(client, "GET", "/docs/_count", None, lambda answer: answer["count"] == COUNT)
                found = {"docs": [{"_index": "docs", "_id": id} for id in ids]}
                self._expect(
                    client, "POST", "/_mget", found, lambda answer: all(doc["found"] for doc in answer["docs"])
                )
                self._expect(client, "GET", f"/docs/_doc/{self.rounds % COUNT}", None, lambda answer: answer["found"])
                self.rounds += 1

    def _expect(self, client: Client, method: str, path: str, body: Any, right: Any) -> None:
        answer = client.call(method, path, body)
        if answer.status != 200 or not right(answer.json):
            self.wrong.append((path, answer.status, json.dumps(answer.json)[:500]))

    def _whole(self, answer: Any) -> bool:
        shards = answer["_shards"]
        hits = [int(hit["_id"]) for hit in answer["hits"]["hits"]]
        counted = sum(bucket["doc_count"] for bucket in answer["aggregations"]["t"]["buckets"])
        return bool(
            shards["failed"] == 0 and shards["total"] == SHARDS and hits == list(range(COUNT)) and counted == COUNT
        )

    def _scored(self, answer: Any) -> bool:
        """Documents that are alike score alike, whatever shards they are on."""
        hits = answer["hits"]["hits"]
        found = {int(hit["_id"]) for hit in hits}
        return found == set(range(3, COUNT, 7)) and len({hit["_score"] for hit in hits}) == 1

    def _last(self, answer: Any) -> bool:
        """Shards that may not match are asked first whether they do."""
        return [int(hit["_id"]) for hit in answer["hits"]["hits"]] == list(range(COUNT - 3, COUNT))


@contextlib.contextmanager
def reading(cluster: Running, names: list[str]) -> Iterator[list[Reader]]:
    readers = [Reader(cluster.cluster[name].url) for name in names for _ in range(2)]
    stop = threading.Event()
    threads = [threading.Thread(target=reader.run, args=(stop,)) for reader in readers]
    for thread in threads:
        thread.start()
    try:
        yield readers
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def more_rounds(readers: list[Reader], count: int) -> None:
    before = [reader.rounds for reader in readers]
    until(lambda: all(reader.rounds >= seen + count for reader, seen in zip(readers, before, strict=True)), 120)


@pytest.mark.parametrize("with_signal", [signal.SIGKILL, signal.SIGSTOP])
def test_no_read_fails_while_one_copy_of_each_shard_lives(with_signal: int) -> None:
    with Running.temporary(masters=1, data=3, coordinators=1) as cluster:
        *others, victim = cluster.names("data")
        asked = [*others, *cluster.names("coordinator")]
        settings = {"number_of_shards": SHARDS, "number_of_replicas": 1}
        fine(cluster, asked[0], "PUT", "/docs", {"settings": settings})
        until(lambda: fine(cluster, asked[0], "GET", "/_cluster/health")["status"] == "green")
        rows = "".join(f'{{"index":{{"_id":"{n}"}}}}\n{{"n":{n},"t":"word{n % 7}"}}\n' for n in range(COUNT))
        assert not fine(cluster, asked[0], "POST", "/docs/_bulk?refresh=true", rows.encode())["errors"]
        with reading(cluster, asked) as readers:
            more_rounds(readers, 3)
            cluster.kill(victim, with_signal)
            more_rounds(readers, 3)
            until(
                lambda: (
                    fine(cluster, asked[0], "GET", "/_cat/nodes?format=json&h=name")
                    and _left(cluster, asked[0], victim)
                )
            )
            more_rounds(readers, 3)
            if with_signal == signal.SIGKILL:
                cluster.start(victim)
            else:
                cluster.kill(victim, signal.SIGCONT)
            until(lambda: fine(cluster, asked[0], "GET", "/_cluster/health")["status"] == "green", 120)
            more_rounds(readers, 3)
        assert [wrong for reader in readers for wrong in reader.wrong] == []


def _left(cluster: Running, asked: str, victim: str) -> bool:
    return victim not in {row["name"] for row in fine(cluster, asked, "GET", "/_cat/nodes?format=json&h=name")}


def _by_shard(cluster: Running, asked: str) -> list[set[str]]:
    """The ids of each shard's documents."""
    found = []
    for shard in range(SHARDS):
        path = f"/docs/_search?size={COUNT}&_source=false&preference=_shards:{shard}"
        found.append({hit["_id"] for hit in fine(cluster, asked, "GET", path)["hits"]["hits"]})
    return found


def _failed(answer: Any) -> int:
    """How many shards did not answer; that they did not is explained, once for all that failed alike."""
    shards = answer["_shards"]
    assert shards["total"] == SHARDS
    assert bool(shards["failed"]) == bool(shards.get("failures"))
    return int(shards["failed"])


@pytest.mark.parametrize("with_signal", [signal.SIGKILL, signal.SIGSTOP])
def test_a_scroll_and_a_point_in_time_go_on_without_the_shards_of_a_lost_node(with_signal: int) -> None:
    with Running.temporary(masters=1, data=3, coordinators=1) as cluster:
        victim, other, _ = cluster.names("data")
        asked = cluster.names("coordinator")[0]
        settings = {"number_of_shards": SHARDS, "number_of_replicas": 1}
        fine(cluster, asked, "PUT", "/docs", {"settings": settings})
        until(lambda: fine(cluster, asked, "GET", "/_cluster/health")["status"] == "green")
        rows = "".join(f'{{"index":{{"_id":"{n}"}}}}\n{{"n":{n}}}\n' for n in range(COUNT))
        assert not fine(cluster, asked, "POST", "/docs/_bulk?refresh=true", rows.encode())["errors"]
        shards = _by_shard(cluster, asked)
        copies = fine(cluster, asked, "GET", "/_cat/shards/docs?format=json")
        theirs = {int(row["shard"]) for row in copies if row["prirep"] == "p" and row["node"] == victim}
        assert 0 < len(theirs) < SHARDS
        everything = {"size": COUNT, "_source": False}

        # Of each one that this node has, and one that the lost node has itself.
        page = fine(cluster, asked, "POST", "/docs/_search?scroll=5m&preference=_primary", {"size": 20})
        lost_page = fine(cluster, victim, "POST", "/docs/_search?scroll=5m", {"size": 20})
        point = fine(cluster, asked, "POST", "/docs/_search/point_in_time?keep_alive=5m&preference=_primary")["pit_id"]
        lost_point = fine(cluster, victim, "POST", "/docs/_search/point_in_time?keep_alive=5m")["pit_id"]
        inside = {**everything, "pit": {"id": point}}
        assert _failed(fine(cluster, asked, "POST", "/_search", inside)) == 0
        cluster.kill(victim, with_signal)

        seen = [hit["_id"] for hit in page["hits"]["hits"]]
        left = {id for shard, ids in enumerate(shards) if shard not in theirs for id in ids}
        while page["hits"]["hits"]:
            turned = {"scroll_id": page["_scroll_id"], "scroll": "5m"}
            page = fine(cluster, other, "POST", "/_search/scroll", turned)
            assert _failed(page) == len(theirs)
            seen += [hit["_id"] for hit in page["hits"]["hits"]]
        assert len(seen) == len(set(seen))
        assert left <= set(seen)
        for _ in range(2):
            found = fine(cluster, asked, "POST", "/_search", inside)
            assert _failed(found) == len(theirs)
            assert {hit["_id"] for hit in found["hits"]["hits"]} == left
        whole = fine(cluster, asked, "POST", "/docs/_search", everything)
        assert (_failed(whole), len(whole["hits"]["hits"])) == (0, COUNT)

        gone = {"scroll_id": lost_page["_scroll_id"], "scroll": "5m"}
        for path, body in (("/_search/scroll", gone), ("/_search", {**everything, "pit": {"id": lost_point}})):
            status, answer = cluster.call(other, "POST", path, body)
            assert status == 404
            assert answer["error"]["root_cause"][0]["type"] == "search_context_missing_exception"
        fine(cluster, asked, "DELETE", "/_search/scroll/_all")
        fine(cluster, asked, "DELETE", "/_search/point_in_time", {"pit_id": [point]})
