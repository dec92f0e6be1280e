"""Searches that nobody waits for end; `_tasks` shows what runs; over the bounds the answer is 429."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.client import Answer, Client
from tests.support.node import Node

DOCS = 30_000
AGGS = {f"a{number}": {"cardinality": {"field": "k"}} for number in range(20_000)}
LONG = {"size": 0, "aggs": AGGS}
"""Takes a minute, so whatever ends it within a test was told to."""
PATIENCE = 120.0


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with Node.temporary(env={"QUIDDITCH_THREAD_POOL_SEARCH_QUEUE_SIZE": "4"}) as running:
        with Client(running.url) as client:
            mapping = {"properties": {"k": {"type": "keyword"}}}
            client.call("PUT", "/long", {"settings": {"number_of_shards": 1}, "mappings": mapping})
            lines = [line for number in range(DOCS) for line in ({"index": {}}, {"k": f"key{number}"})]
            assert not client.call("POST", "/long/_bulk?refresh=true", lines).json["errors"]
        yield running


def _searches(client: Client) -> dict[str, Any]:
    found: dict[str, Any] = client.call("GET", "/_tasks?actions=*search&group_by=parents&detailed").json["tasks"]
    return found


def _wait(client: Client, count: int) -> dict[str, Any]:
    """Until so many searches run."""
    deadline = time.monotonic() + PATIENCE
    while len(running := _searches(client)) != count:
        assert time.monotonic() < deadline, f"{len(running)} searches run, not {count}"
        time.sleep(0.02)
    return running


class Asked:
    """A search that another thread waits for."""

    def __init__(self, node: Node, body: Any, path: str = "/long/_search") -> None:
        self.answers: list[Answer] = []
        self._thread = threading.Thread(target=self._ask, args=(node, body, path))
        self._thread.start()

    def _ask(self, node: Node, body: Any, path: str) -> None:
        with Client(node.url, timeout=PATIENCE) as client:
            self.answers.append(client.call("POST", path, body, {"X-Opaque-Id": "me"}))

    def answer(self) -> Answer:
        self._thread.join(PATIENCE)
        [answer] = self.answers
        return answer


def test_a_search_is_seen_and_cancelled(client: Client, node: Node) -> None:
    asked = Asked(node, LONG)
    [(id, task)] = _wait(client, 1).items()
    assert (task["action"], task["cancellable"], task["cancelled"]) == ("indices:data/read/search", True, False)
    assert task["description"].startswith("indices[long], search_type[QUERY_THEN_FETCH], source[{")
    assert task["headers"] == {"X-Opaque-Id": "me"}
    assert id in client.call("GET", "/_cat/tasks?h=task_id,action").data.decode()
    assert not client.call("GET", f"/_tasks/{id}").json["completed"]
    told = client.call("POST", f"/_tasks/{id}/_cancel").json
    [shown] = [tasks["tasks"][id] for tasks in told["nodes"].values()]
    assert shown["cancelled"]
    answer = asked.answer()
    assert answer.status == 400
    assert answer.json["error"]["root_cause"][0]["type"] == "task_cancelled_exception"
    _wait(client, 0)
    gone = client.call("POST", f"/_tasks/{id}/_cancel").json
    assert gone["node_failures"][0]["caused_by"]["type"] == "resource_not_found_exception"


@pytest.mark.parametrize("path", ["/long/_search", "/_msearch"])
def test_a_client_that_leaves_takes_its_search_along(client: Client, node: Node, path: str) -> None:
    body = json.dumps(LONG).encode()
    if path == "/_msearch":
        body = b'{"index":"long"}\n' + body + b"\n"
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", node.port)) as connection:
        connection.sendall(head.encode() + body)
        _wait(client, 1)
    _wait(client, 0)


def test_one_whose_body_came_in_pieces_too(client: Client, node: Node) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", node.port)
    body = json.dumps(LONG).encode()
    connection.request("POST", "/long/_search", iter([body]), {"Content-Type": "application/json"}, encode_chunked=True)
    _wait(client, 1)
    connection.close()
    _wait(client, 0)


def test_a_search_may_have_an_end(client: Client) -> None:
    ended = client.call("POST", "/long/_search?cancel_after_time_interval=50ms", LONG)
    assert (ended.status, ended.json["error"]["root_cause"][0]["type"]) == (400, "task_cancelled_exception")
    late = client.call("POST", "/long/_search", {"timeout": "1nanos", "aggs": {"a": {"terms": {"field": "k"}}}})
    assert late.status == 200
    assert late.json["timed_out"] is True
    assert late.json["aggregations"]["a"]["buckets"] == []
    whole = client.call("POST", "/long/_search?allow_partial_search_results=false", {"timeout": "1nanos"})
    assert (whole.status, whole.json["error"]["reason"]) == (500, "all shards failed")
    assert whole.json["error"]["root_cause"] == [{"type": "query_phase_execution_exception", "reason": "Time exceeded"}]
    first = client.call("POST", "/long/_search", {"terminate_after": 10, "query": {"prefix": {"k": "key"}}})
    assert (first.json["terminated_early"], first.json["hits"]["total"]["value"]) == (True, 10)


def test_too_many_searches_are_refused(client: Client, node: Node) -> None:
    """Writes and everything else go on meanwhile."""
    asked = [Asked(node, LONG) for _ in range(4)]
    _wait(client, 4)
    refused = client.call("POST", "/long/_search", {"size": 0})
    assert (refused.status, refused.json["error"]["type"]) == (429, "rejected_execution_exception")
    assert client.call("PUT", "/other/_doc/1", {"a": 1}).status == 201
    assert client.call("GET", "/other/_doc/1").json["found"]
    [row] = client.call("GET", "/_cat/thread_pool/search?format=json&h=active,rejected").json
    assert (row["active"], row["rejected"]) == ("4", "1")
    assert len(client.call("POST", "/_tasks/_cancel?actions=*search").json["nodes"]) == 1
    assert {each.answer().status for each in asked} == {400}
    _wait(client, 0)
    assert client.call("POST", "/long/_search", {"size": 0}).status == 200


@pytest.mark.parametrize(
    ("method", "path", "reason"),
    [
        ("GET", "/_tasks/abc", "malformed task id abc"),
        ("GET", "/_tasks/a:b", "malformed task id a:b"),
        ("POST", "/_tasks/:/_cancel", "malformed task id :"),
        ("GET", "/_tasks?group_by=x", "[group_by] must be one of [nodes], [parents] or [none] but was [x]"),
    ],
)
def test_wrong_requests(client: Client, method: str, path: str, reason: str) -> None:
    answer = client.call(method, path)
    assert (answer.status, answer.json["error"]["reason"]) == (400, reason)
