"""Fields may have almost any name, also one that means something to the store: none of them ends the node or hides its values."""

from __future__ import annotations

import pytest

from tests.support.client import Client
from tests.support.node import Node

NAMES = ["-a", "-", "_nested", "_x", "a\u0001b", "\u0002", "ü", " a", "a b", "a:b", "@t", "%", "o.-a", "o._nested"]


@pytest.mark.parametrize("kind", ["keyword", "long", "double", "boolean", "ip", "date", "text"])
def test_any_name_of_any_type(client: Client, kind: str) -> None:
    value = {"keyword": "v", "long": 7, "double": 1.5, "boolean": True, "ip": "::1", "date": 1000, "text": "v"}[kind]
    index = f"/names-{kind}"
    properties = {name: {"type": kind} for name in NAMES}
    assert client.call("PUT", index, {"mappings": {"properties": properties}}).status == 200
    assert client.call("PUT", f"{index}/_doc/1?refresh=true", dict.fromkeys(NAMES, value)).status == 201
    for name in NAMES:
        body: dict[str, object] = {"query": {"bool": {"must": [{"exists": {"field": name}}, {"term": {name: value}}]}}}
        if kind != "text":
            body["sort"] = [name]
            body["aggs"] = {"n": {"value_count": {"field": name}}}
            body["docvalue_fields"] = [name]
        answer = client.call("POST", f"{index}/_search", body)
        assert answer.status == 200, (name, answer.data)
        assert answer.json["hits"]["total"]["value"] == 1, name
        if kind != "text":
            assert answer.json["aggregations"]["n"]["value"] == 1, name
            assert answer.json["hits"]["hits"][0]["fields"][name], name


def test_of_fields_that_come_with_a_document(client: Client, node: Node) -> None:
    for number, name in enumerate(NAMES):
        assert client.call("PUT", f"/grown/_doc/{number}?refresh=true", {name: "v"}).status == 201, name
        found = client.call("POST", "/grown/_search", {"query": {"match": {name: "v"}}})
        assert [hit["_id"] for hit in found.json["hits"]["hits"]] == [str(number)], name
    assert client.call("PUT", "/afterwards").status == 200
    assert node.running
