"""A search that is asked again and again is answered in a short way: what changes meanwhile shows all the same."""

from __future__ import annotations

from typing import Any

from tests.support.client import Client

INDEX = "repeated"
BODY = {"query": {"term": {"k": "v"}}}


def _ask(client: Client, **headers: str) -> Any:
    return client.call("POST", f"/{INDEX}/_search?size=1", BODY, {"Content-Type": "application/json", **headers})


def _total(client: Client) -> int:
    return int(_ask(client).json["hits"]["total"]["value"])


def _made(client: Client, count: int) -> None:
    client.call("DELETE", f"/{INDEX}")
    client.call("PUT", f"/{INDEX}", {"mappings": {"properties": {"k": {"type": "keyword"}}}})
    for number in range(count):
        client.call("PUT", f"/{INDEX}/_doc/{number}?refresh=true", {"k": "v"})


def test_documents_blocks_and_deletions_show_at_once(client: Client) -> None:
    _made(client, 1)
    assert [_total(client) for _ in range(4)] == [1] * 4
    client.call("PUT", f"/{INDEX}/_doc/more?refresh=true", {"k": "v"})
    assert _total(client) == 2
    client.call("PUT", f"/{INDEX}/_settings", {"index.blocks.read": True})
    assert _ask(client).json["error"]["type"] == "cluster_block_exception"
    client.call("PUT", f"/{INDEX}/_settings", {"index.blocks.read": False})
    assert [_total(client) for _ in range(3)] == [2] * 3
    client.call("POST", f"/{INDEX}/_close")
    assert _ask(client).json["error"]["type"] == "index_closed_exception"
    client.call("DELETE", f"/{INDEX}")
    assert _ask(client).status == 404
    _made(client, 3)
    assert [_total(client) for _ in range(3)] == [3] * 3


def test_it_is_counted_and_its_answer_is_the_same(client: Client) -> None:
    _made(client, 1)

    def counted() -> int:
        stats = client.call("GET", f"/{INDEX}/_stats/search").json
        return int(stats["_all"]["total"]["search"]["query_total"])

    before = counted()
    answers = [_ask(client) for _ in range(5)]
    assert counted() - before == 5
    first, *others = [{**answer.json, "took": 0} for answer in answers]
    assert all(other == first for other in others)
    assert {answer.headers["content-type"] for answer in answers} == {"application/json; charset=UTF-8"}
    tagged = _ask(client, **{"X-Opaque-Id": "mine", "Accept": "application/yaml"})
    assert tagged.headers["x-opaque-id"] == "mine"
    assert tagged.headers["content-type"].startswith("application/yaml")
    tagged = _ask(client, **{"X-Opaque-Id": "mine"})
    assert tagged.headers["x-opaque-id"] == "mine"


def test_parts_of_a_multi_search_too(client: Client) -> None:
    _made(client, 2)
    lines = [{"index": INDEX}, BODY, {"index": INDEX}, BODY]
    for _ in range(3):
        found = client.call("POST", "/_msearch", lines).json["responses"]
        assert [each["hits"]["total"]["value"] for each in found] == [2, 2]
        assert [each["status"] for each in found] == [200, 200]
