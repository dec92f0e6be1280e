"""Writers that go on while a cluster changes, and the question what of theirs is on each copy."""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Iterator
from typing import Any

from tests.support.client import Client
from tests.support.cluster import Running, until


class Load:
    """Each writer has documents of its own, whose number `n` only rises; it forgets no acknowledgement. `refused` are answers that
    were errors: they are no loss, but may have no place in a test.
    """

    def __init__(self, urls: list[str], index: str, documents: int = 20) -> None:
        self._index = index
        self._documents = documents
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._write, args=(writer, url), daemon=True) for writer, url in enumerate(urls)
        ]
        self.acknowledged: dict[str, int] = {}
        self.attempted: dict[str, int] = {}
        self.refused: list[str] = []
        self.count = 0

    def _write(self, writer: int, url: str) -> None:
        number = 0
        client = Client(url, timeout=90)
        with contextlib.closing(client):
            while not self._ended.is_set():
                id = f"w{writer}-{number % self._documents}"
                self.attempted[id] = number
                try:
                    answer = client.call("PUT", f"/{self._index}/_doc/{id}", {"n": number}, repeat=False)
                except (OSError, http.client.HTTPException) as error:
                    self.refused.append(str(error))
                else:
                    if answer.status in (200, 201):
                        self.acknowledged[id] = number
                        self.count += 1
                    else:
                        self.refused.append(answer.data.decode())
                number += 1

    def more(self, count: int) -> None:
        """Returns when so many more writes have been acknowledged."""
        wanted = self.count + count
        until(lambda: self.count >= wanted)

    @contextlib.contextmanager
    def running(self) -> Iterator[Load]:
        for thread in self._threads:
            thread.start()
        try:
            yield self
        finally:
            self._ended.set()
            for thread in self._threads:
                thread.join()

    def check(self, found: dict[str, Any]) -> None:
        """`found`: the sources by id. Of each document the last acknowledged write is there, or a later one."""
        for id, number in self.acknowledged.items():
            assert id in found, f"[{id}] was acknowledged with {number} and is not there"
            assert number <= found[id]["n"] <= self.attempted[id], (id, number, found[id])


def copies(cluster: Running, asked: str, index: str, nodes: list[str]) -> dict[str, dict[str, Any]]:
    """By node the documents that its copies have, with sequence number, term and version."""
    found = {}
    for node in nodes:
        body = {"size": 10_000, "version": True, "seq_no_primary_term": True}
        status, answer = cluster.call(asked, "POST", f"/{index}/_search?preference=_only_nodes:{node}", body)
        assert status == 200, answer
        assert answer["_shards"]["failed"] == 0, answer
        found[node] = {
            hit["_id"]: (hit["_seq_no"], hit["_primary_term"], hit["_version"], hit["_source"])
            for hit in answer["hits"]["hits"]
        }
    return found


def same(cluster: Running, asked: str, index: str) -> dict[str, Any]:
    """The sources by id of an index whose copies are all started, after it was refreshed; all copies of a shard have the same."""
    status, answer = cluster.call(asked, "POST", f"/{index}/_refresh")
    assert (status, answer["_shards"]["failed"]) == (200, 0), answer
    _, rows = cluster.call(asked, "GET", f"/_cat/shards/{index}?format=json")
    assert {row["state"] for row in rows} == {"STARTED"}, rows
    nodes = sorted({row["node"] for row in rows})
    assert len(rows) == len(nodes) * len({row["shard"] for row in rows}), f"each node has a copy of each shard: {rows}"
    found = copies(cluster, asked, index, nodes)
    first = found[nodes[0]]
    for node in nodes[1:]:
        assert found[node] == first, _difference(found[node], first)
    return {id: document[3] for id, document in first.items()}


def _difference(one: dict[str, Any], other: dict[str, Any]) -> str:
    ids = [id for id in sorted({*one, *other}) if one.get(id) != other.get(id)]
    return "; ".join(f"{id}: {one.get(id)} and {other.get(id)}" for id in ids[:5])
