"""A search that nobody wants any more ends in the kernels of all nodes that work on it."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.cluster import Running, until

DOCS = 60_000
LONG = {"size": 0, "aggs": {f"a{number}": {"cardinality": {"field": "k"}} for number in range(20_000)}}
"""Takes minutes on two nodes: what ends it within the patience of :func:`until` was told to."""
SEARCH = "indices:data/read/search"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Running]:
    with Running.temporary(masters=1, data=2, coordinators=1) as running:
        asked = running.names("coordinator")[0]
        settings = {"number_of_shards": 2, "number_of_replicas": 0}
        _fine(
            running,
            asked,
            "PUT",
            "/long",
            {"settings": settings, "mappings": {"properties": {"k": {"type": "keyword"}}}},
        )
        until(lambda: _fine(running, asked, "GET", "/_cluster/health")["status"] == "green")
        lines = "".join(f'{{"index":{{}}}}\n{{"k":"key{number}"}}\n' for number in range(DOCS))
        assert not _fine(running, asked, "POST", "/long/_bulk?refresh=true", lines.encode())["errors"]
        shards = _fine(running, asked, "GET", "/_cat/shards/long?format=json")
        assert {row["node"] for row in shards} == set(running.names("data"))
        yield running


def _fine(cluster: Running, name: str, method: str, path: str, body: Any = None) -> Any:
    status, answer = cluster.call(name, method, path, body)
    assert status < 300, answer
    return answer


def _works(cluster: Running) -> set[str]:
    """The nodes whose threads search."""
    asked = cluster.names("coordinator")[0]
    rows = _fine(cluster, asked, "GET", "/_cat/thread_pool/search?format=json&h=node_name,active,queue")
    return {row["node_name"] for row in rows if (row["active"], row["queue"]) != ("0", "0")}


def _all_work(cluster: Running) -> bool:
    return _works(cluster) == set(cluster.names("data"))


@pytest.mark.parametrize("path", ["/long/_search", "/long/_search?search_type=dfs_query_then_fetch"])
def test_one_that_is_cancelled_ends_on_both_nodes(cluster: Running, path: str) -> None:
    asked, other = cluster.names("coordinator")[0], cluster.names("data")[0]
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(cluster.call(asked, "POST", path, LONG)))
    thread.start()
    until(lambda: _all_work(cluster))
    _fine(cluster, other, "POST", f"/_tasks/_cancel?actions={SEARCH}")
    until(lambda: not _works(cluster))
    thread.join()
    [(status, answer)] = answers
    assert status == 400
    assert {cause["type"] for cause in answer["error"]["root_cause"]} == {"task_cancelled_exception"}


def test_one_whose_client_left_ends_on_both_nodes(cluster: Running) -> None:
    member = cluster.cluster[cluster.names("coordinator")[0]]
    body = json.dumps(LONG).encode()
    head = f"POST /long/_search HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection((member.host, member.http)) as connection:
        connection.sendall(head.encode() + body)
        until(lambda: _all_work(cluster))
    until(lambda: not _works(cluster))
    assert not _fine(cluster, member.name, "GET", f"/_tasks?actions={SEARCH}")["nodes"]
