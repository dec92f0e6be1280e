"""What Elasticsearch's own clients and shippers ask beyond OpenSearch's API."""

from __future__ import annotations

from tests.support.client import Client


def test_a_licence_that_holds_nothing_back(client: Client) -> None:
    licence = client.call("GET", "/_license").json["license"]
    assert (licence["status"], licence["issuer"]) == ("active", "quidditch")


def test_points_in_time_by_the_other_path(client: Client) -> None:
    client.call("PUT", "/elastic/_doc/1?refresh=true", {"n": 1})
    opened = client.call("POST", "/elastic/_pit?keep_alive=1m").json
    assert opened["_shards"]["successful"] == 1
    client.call("PUT", "/elastic/_doc/2?refresh=true", {"n": 2})
    found = client.call("POST", "/_search", {"pit": {"id": opened["id"], "keep_alive": "1m"}}).json
    assert found["hits"]["total"]["value"] == 1
    assert client.call("DELETE", "/_pit", {"id": opened["id"]}).json == {"succeeded": True, "num_freed": 1}
    assert client.call("POST", "/_search", {"pit": {"id": opened["id"]}}).status == 404


def test_vectors_left_in_the_source(client: Client) -> None:
    client.call("PUT", "/elastic-vectors/_doc/1?refresh=true", {"n": 1})
    body = {"_source": {"exclude_vectors": False, "includes": ["n"]}}
    assert client.call("POST", "/elastic-vectors/_search", body).json["hits"]["hits"][0]["_source"] == {"n": 1}


def test_no_name_is_a_data_stream(client: Client) -> None:
    assert client.call("GET", "/_data_stream").json == {"data_streams": []}
    assert client.call("GET", "/_data_stream/log*?expand_wildcards=all").json == {"data_streams": []}
    missing = client.call("GET", "/_data_stream/logs")
    assert (missing.status, missing.json["error"]["type"]) == (404, "index_not_found_exception")
