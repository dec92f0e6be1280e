"""`_shard_stores` of data that is corrupt, as OpenSearch 3.6.0 shows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.client import Client
from tests.support.node import Node


def store(client: Client, index: str, status: str) -> dict[str, Any]:
    answer = client.call("GET", f"/{index}/_shard_stores?status={status}")
    assert answer.status == 200, answer.data
    (found,) = answer.json["indices"][index]["shards"]["0"]["stores"]
    return dict(found)


def damage(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)


def test_data_that_cannot_be_opened_says_why() -> None:
    """Whether opening it was tried (`opened`, `part`) or not (`closed`)."""
    with Node.temporary() as node:
        with node.client() as client:
            for index in ("opened", "part", "closed", "sound"):
                client.call("PUT", f"/{index}", {"settings": {"number_of_replicas": 0}})
                client.call("POST", f"/{index}/_doc?refresh=true", {"a": "b"})
                client.call("POST", f"/{index}/_flush")
            client.call("POST", "/closed/_close")
            folders = {each["index"]: each["uuid"] for each in client.call("GET", "/_cat/indices?format=json").json}
        node.stop()
        shards = {name: node.data / "data/nodes/0/indices" / uuid / "0" for name, uuid in folders.items()}
        for index in ("opened", "closed"):
            damage(next(shards[index].glob("commit-*")))
        damage(next(shards["part"].glob("segments/*/manifest")))
        node.start()
        with node.client() as client:
            client.call("GET", "/_cluster/health?wait_for_no_initializing_shards=true&timeout=30s")
            for index in ("opened", "part"):
                found = store(client, index, "red")
                assert list(found)[1:] == ["allocation_id", "allocation", "store_exception"]
                assert found["allocation"] == "unused"
                assert found["store_exception"]["type"] == "corrupt_index_exception"
                assert str(shards[index]) in found["store_exception"]["reason"]
            assert "commit-" in store(client, "closed", "all")["store_exception"]["reason"]
            assert "store_exception" not in store(client, "sound", "green")
            assert client.call("GET", "/sound/_shard_stores").json == {"indices": {}}
            client.call("DELETE", "/opened")
            client.call("PUT", "/opened", {"settings": {"number_of_replicas": 0}})
            assert "store_exception" not in store(client, "opened", "all")
