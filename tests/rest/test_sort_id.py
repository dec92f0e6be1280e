"""`_id` as a sort key, as clients use it to break ties; what highlights and scores do with odd values."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from tests.support.client import Client

INDEX = "sort-id"


def _search(client: Client, body: dict[str, Any]) -> Any:
    return client.call("POST", f"/{INDEX}/_search", body)


def _hits(client: Client, body: dict[str, Any]) -> list[tuple[str, list[Any]]]:
    return [(hit["_id"], hit["sort"]) for hit in _search(client, body).json["hits"]["hits"]]


def _filled(client: Client, documents: dict[str, dict[str, Any]], shards: int = 1) -> None:
    client.call("DELETE", f"/{INDEX}")
    properties = {"tag": {"type": "keyword"}, "t": {"type": "text"}, "n": {"type": "double"}}
    body = {"settings": {"number_of_shards": shards}, "mappings": {"properties": properties}}
    client.call("PUT", f"/{INDEX}", body)
    for id, document in documents.items():
        client.call("PUT", f"/{INDEX}/_doc/{quote(id)}?refresh=true", document)


def test_ids_sort_as_text_over_segments_and_shards(client: Client) -> None:
    ids = ["b", "10", "9", "a", "ü", "aa"]
    _filled(client, {id: {"tag": "x" if id in "ab" else "y"} for id in ids}, shards=2)
    ordered = sorted(ids, key=str.encode)
    assert _hits(client, {"sort": ["_id"]}) == [(id, [id]) for id in ordered]
    assert _hits(client, {"sort": [{"_id": "desc"}], "size": 2}) == [(id, [id]) for id in reversed(ordered[-2:])]
    both = [(id, ["x" if id in "ab" else "y", id]) for id in ("a", "b", "10", "9", "aa", "ü")]
    assert _hits(client, {"sort": ["tag", "_id"]}) == both


def test_pages_go_on_behind_an_id_that_may_be_gone(client: Client) -> None:
    _filled(client, {id: {"tag": "x"} for id in ("a", "b", "c", "d")})
    after = {"sort": ["_id"], "search_after": ["b"]}
    assert [id for id, _ in _hits(client, after)] == ["c", "d"]
    client.call("DELETE", f"/{INDEX}/_doc/b?refresh=true")
    assert [id for id, _ in _hits(client, after)] == ["c", "d"]
    assert [id for id, _ in _hits(client, {"sort": ["_id"], "search_after": ["bb"]})] == ["c", "d"]
    assert [id for id, _ in _hits(client, {"sort": [{"_id": "desc"}], "search_after": ["bb"]})] == ["a"]
    assert _hits(client, {"sort": ["_id"], "search_after": ["z"]}) == []


def test_no_fragment_crosses_a_value(client: Client) -> None:
    _filled(client, {"1": {"t": ["brown fox beta", "zeta quick theta"]}, "2": {"t": ["alpha fox gamma", "brown beta"]}})
    body = {"query": {"match": {"t": "quick fox"}}, "sort": ["_id"], "highlight": {"fields": {"t": {}}}}
    found = [hit["highlight"]["t"] for hit in _search(client, body).json["hits"]["hits"]]
    assert found == [["brown <em>fox</em> beta", "zeta <em>quick</em> theta"], ["alpha <em>fox</em> gamma"]]


def test_a_score_that_is_no_number_is_told(client: Client) -> None:
    _filled(client, {"1": {"n": -4.0}})
    factor = {"field": "n", "modifier": "sqrt"}
    answer = _search(client, {"query": {"function_score": {"field_value_factor": factor}}})
    assert answer.status == 400
    assert "invalid score: NaN" in str(answer.json)
