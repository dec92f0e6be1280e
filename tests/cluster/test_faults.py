"""Full disks and damaged files under a real node: clear errors, the node goes on, nothing acknowledged is lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.client import Client
from tests.support.disk import fill, mounted
from tests.support.node import Node

ONE = {"settings": {"number_of_shards": 1, "number_of_replicas": 0}}


def _until(holds: Callable[[], Any], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _status(client: Client, index: str = "") -> str:
    return str(client.call("GET", f"/_cluster/health/{index}").json["status"])


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder whose `data` is a file system of 64 MiB."""
    with mounted(tmp_path / "data", 64):
        yield tmp_path


def test_the_flood_stage_comes_before_the_end_of_the_disk(small_disk: Path) -> None:
    with Node(small_disk) as node, Client(node.url) as client:
        # Room for the segments of all that the translog holds.
        prefix = "cluster.routing.allocation.disk.watermark."
        marks = {"low": "26mb", "high": "25mb", "flood_stage": "24mb"}
        stage = {"persistent": {prefix + name: value for name, value in marks.items()}}
        assert client.call("PUT", "/_cluster/settings", stage).status == 200
        for name in ("keep", "full"):
            assert client.call("PUT", f"/{name}", ONE).status == 200
        assert client.call("PUT", "/keep/_doc/1", {"n": 1}).status == 201
        acknowledged: set[str] = set()
        errors: list[dict[str, Any]] = []
        text = "x" * 20_000
        for number in range(200):
            lines: list[Any] = []
            for each in range(20):
                source = {"text": text, "bytes": [number * each % 251, number, each] * 200}
                lines += [{"index": {"_index": "full", "_id": f"{number}-{each}"}}, source]
            for item in client.call("POST", "/_bulk", lines).json["items"]:
                answer = item["index"]
                if answer["status"] == 201:
                    acknowledged.add(answer["_id"])
                else:
                    errors.append(answer)
            if errors:
                break
        assert errors
        assert {(error["status"], error["error"]["type"]) for error in errors} == {(429, "cluster_block_exception")}
        assert "flood-stage" in errors[0]["error"]["reason"]
        assert client.call("PUT", "/keep/_doc/2", {"n": 2}).status == 429
        node.kill()
        node.start()
        _until(lambda: _status(client) == "green")
        client.call("POST", "/full/_refresh")
        assert client.call("GET", "/full/_count").json["count"] == len(acknowledged)
        assert client.call("DELETE", "/full").status == 200
        _until(lambda: client.call("PUT", "/keep/_doc/2", {"n": 2}).status == 201)
        assert client.call("GET", "/keep/_doc/1").json["_source"] == {"n": 1}


def test_a_disk_that_others_filled(small_disk: Path) -> None:
    with Node(small_disk) as node, Client(node.url) as client:
        off = {"persistent": {"cluster.routing.allocation.disk.threshold_enabled": False}}
        assert client.call("PUT", "/_cluster/settings", off).status == 200
        fields = {"properties": {"n": {"type": "long"}, "text": {"type": "text"}}}
        assert client.call("PUT", "/a", {**ONE, "mappings": fields}).status == 200
        for number in range(50):
            assert client.call("PUT", f"/a/_doc/{number}", {"n": number}).status == 201
        ballast = fill(small_disk / "data")
        pid = node.pid
        long = {"text": "x" * 100_000}
        answer = client.call("PUT", "/a/_doc/lost?timeout=1s", long)
        assert answer.status in (500, 503)
        assert (
            "No space left on device" in answer.data.decode() or "primary shard is not active" in answer.data.decode()
        )
        assert client.call("GET", "/").status == 200
        answer = client.call("PUT", "/a/_doc/lost?timeout=1s", long)
        assert (answer.status, answer.json["error"]["type"]) == (503, "unavailable_shards_exception")
        ballast.unlink()
        _until(lambda: client.call("POST", "/_cluster/reroute?retry_failed=true").status == 200)
        _until(lambda: _status(client, "a") == "green")
        assert client.call("PUT", "/a/_doc/more", {"n": 99}).status == 201
        node.kill()
        node.start()
        assert node.pid != pid
        _until(lambda: _status(client, "a") == "green")
        for number in range(50):
            assert client.call("GET", f"/a/_doc/{number}").json["_source"] == {"n": number}
        assert client.call("GET", "/a/_doc/more").json["found"]


def _flip(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at, 2 if at < 0 else 0)
        position = file.tell()
        byte = file.read(1)
        file.seek(position)
        file.write(bytes([byte[0] ^ 0x55]))


def _remove(path: Path, _at: int) -> None:
    path.unlink()


def _cut(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.truncate(at)


@pytest.mark.parametrize(
    ("pattern", "harm", "at", "names"),
    [
        ("segments/_*/*.store", _flip, 40, ".store at offset 0"),
        ("segments/_*/*.store", _cut, 9, ".store at offset 9"),
        ("segments/_*/*.term", _remove, 0, ".term at offset 0"),
        ("segments/_*/manifest", _flip, 30, "manifest at offset"),
        ("commit-*", _flip, 30, "at offset 20"),
        ("commit-*", _remove, 0, "there is no commit"),
        ("translog/*.tlog", _flip, 100, ".tlog at offset"),
        ("translog/*.tlog", _cut, 12, ".tlog at offset 0"),
        ("translog/*.tlog", _remove, 0, ".tlog at offset 0"),
    ],
)
def test_damage_is_refused_and_named(
    tmp_path: Path, pattern: str, harm: Callable[[Path, int], None], at: int, names: str
) -> None:
    with Node(tmp_path) as node, Client(node.url) as client:
        for name in ("hurt", "sound"):
            assert client.call("PUT", f"/{name}", ONE).status == 200
            for number in range(20):
                assert client.call("PUT", f"/{name}/_doc/{number}", {"text": f"some words {number}"}).status == 201
            assert client.call("POST", f"/{name}/_flush").status == 200
            for number in range(20):
                assert client.call("PUT", f"/{name}/_doc/t{number}", {"text": f"more words {number}"}).status == 201
        uuid = client.call("GET", "/hurt/_settings").json["hurt"]["settings"]["index"]["uuid"]
        assert node.stop() == 0
        # The oldest segment: the commit has it.
        harm(min((tmp_path / "data" / "nodes" / "0" / "indices" / uuid / "0").glob(pattern)), at)
        node.start()
        _until(lambda: _status(client, "sound") == "green")
        _until(lambda: client.call("GET", "/_cat/shards/hurt?h=state").data.strip() == b"UNASSIGNED")
        assert _status(client, "hurt") == "red"
        details = client.call("GET", "/_cat/shards/hurt?h=unassigned.details").data.decode()
        assert names in details
        answer = client.call("PUT", "/hurt/_doc/1?timeout=10ms", {"text": "x"})
        assert (answer.status, answer.json["error"]["type"]) == (503, "unavailable_shards_exception")
        assert client.call("GET", "/sound/_count").json["count"] == 40
