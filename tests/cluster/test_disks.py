"""Disks that fill up under a running cluster: watermarks, the nodes' health, and what explains them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.cluster import Running, until
from tests.support.disk import free, leave_free, mounted

pytestmark = pytest.mark.timeout(300)
SIZE = 512
MARKS = {"low": "400mb", "high": "300mb", "flood_stage": "200mb"}
NEAR = 16 << 20
"""How much the nodes may write between two looks at a disk."""


class Small:
    """A cluster whose node `data-2` has a small disk."""

    def __init__(self, cluster: Running, disk: Path) -> None:
        self.cluster = cluster
        self.disk = disk
        _, rows = cluster.call("data-1", "GET", "/_cat/nodes?format=json&full_id=true&h=name,id")
        self.ids = {row["name"]: row["id"] for row in rows}

    def get(self, path: str, body: Any = None) -> Any:
        status, answer = self.cluster.call("data-1", "GET", path, body)
        assert status == 200, answer
        return answer

    def put(self, path: str, body: Any) -> tuple[int, Any]:
        return self.cluster.call("data-1", "PUT", path, body)

    def create(self, name: str) -> None:
        status, answer = self.put(f"/{name}", {"settings": {"number_of_shards": 2, "number_of_replicas": 0}})
        assert (status, answer["shards_acknowledged"]) == (200, True), answer

    def nodes(self, index: str) -> list[str]:
        return sorted(row["node"] for row in self.get(f"/_cat/shards/{index}?format=json&h=node"))

    def explain(self, index: str, node: str) -> Any:
        """The explanation of the index's shard on the node."""
        rows = self.get(f"/_cat/shards/{index}?format=json&h=node,shard")
        number = next(int(row["shard"]) for row in rows if row["node"] == node)
        path = "/_cluster/allocation/explain?include_disk_info=true&include_yes_decisions=true"
        return self.get(path, {"index": index, "shard": number, "primary": True})

    def leave(self, megabytes: int) -> None:
        """Leaves so much of the disk free, and waits until the control plane knows."""
        leave_free(self.disk, megabytes)

        def known() -> bool:
            nodes = self.explain("first", "data-1")["cluster_info"]["nodes"]
            found = nodes.get(self.ids["data-2"])
            return found is not None and abs(found["least_available"]["free_bytes"] - free(self.disk)) < NEAR

        until(known)

    def blocked(self) -> set[str]:
        settings = self.get("/_all/_settings?flat_settings=true")
        key = "index.blocks.read_only_allow_delete"
        return {name for name, each in settings.items() if each["settings"].get(key) == "true"}

    def health(self) -> str:
        shown = self.get("/_cluster/state/nodes")["nodes"][self.ids["data-2"]]
        return f"{shown['health']}: {shown['health_reason']}" if "health" in shown else "HEALTHY"


@pytest.fixture
def small() -> Iterator[Small]:
    with contextlib.ExitStack() as stack:
        disks: list[Path] = []

        def prepare(folder: Path) -> None:
            disks.append(folder / "data-2")
            stack.enter_context(mounted(disks[0], SIZE))

        cluster = Running.temporary(masters=1, data=2, prepare=prepare)
        running = cluster.__enter__()
        stack.push(cluster.__exit__)
        yield Small(running, disks[0])


def test_what_a_disk_that_fills_up_does(small: Small) -> None:
    prefix = "cluster.routing.allocation.disk.watermark."
    status, answer = small.put(
        "/_cluster/settings", {"persistent": {f"{prefix}{key}": value for key, value in MARKS.items()}}
    )
    assert status == 200, answer
    allowed = "cluster.routing.allocation.enable"
    assert small.put("/_cluster/settings", {"persistent": {allowed: "new_primaries"}})[0] == 200, "nothing moves"
    small.create("first")
    assert small.nodes("first") == ["data-1", "data-2"]
    (row,) = small.get("/_cat/allocation/data-2?format=json&bytes=b")
    assert int(row["disk.total"]) == SIZE << 20
    assert abs(int(row["disk.avail"]) - free(small.disk)) < NEAR

    small.leave(350)
    body = small.explain("first", "data-1")
    (other,) = body["node_allocation_decisions"]
    (verdict,) = [one for one in other["deciders"] if one["decider"] == "disk_threshold"]
    assert verdict["decision"] == "NO"
    start = (
        f"the node is above the low watermark cluster setting [{prefix}low=400mb], having less than the minimum required"
        " [400mb] free space, actual free: [3"
    )
    assert verdict["explanation"].startswith(start)
    small.create("above-low")
    assert small.nodes("above-low") == ["data-1", "data-2"], "new primaries go up to the high watermark"

    small.leave(250)
    until(lambda: small.health() == "DEGRADED: disk above the high watermark")
    body = small.explain("first", "data-2")
    assert body["can_remain_on_current_node"] == "no"
    (verdict,) = [one for one in body["can_remain_decisions"] if one["decision"] == "NO"]
    assert "because it is above the high watermark" in verdict["explanation"]
    small.create("above-high")
    assert small.nodes("above-high") == ["data-1", "data-1"]
    assert small.blocked() == set()

    small.leave(150)
    until(lambda: small.blocked() == {"first", "above-low"})
    status, answer = small.put("/first/_doc/1", {"n": 1})
    assert (status, answer["error"]["type"]) == (429, "cluster_block_exception")
    assert small.put("/above-high/_doc/1", {"n": 1})[0] == 201
    until(lambda: small.health() == "DEGRADED: disk above the flood stage watermark")

    small.leave(250)
    assert small.blocked() == {"first", "above-low"}, "only below the high watermark they are released"
    small.leave(350)
    until(lambda: small.blocked() == set())
    assert small.put("/first/_doc/1", {"n": 1})[0] == 201
    until(lambda: small.health() == "HEALTHY")

    assert small.put("/_cluster/settings", {"persistent": {allowed: None}})[0] == 200
    small.leave(250)
    until(lambda: small.nodes("first") == small.nodes("above-low") == ["data-1", "data-1"])
    (found,) = small.get("/first/_search?q=n:1")["hits"]["hits"]
    assert found["_id"] == "1"


def test_sizes_of_shards_reach_the_leader(small: Small) -> None:
    small.create("first")
    status, answer = small.put("/_cluster/settings", {"persistent": {"cluster.info.update.interval": "10s"}})
    assert status == 200, answer
    lines: list[Any] = []
    for number in range(2000):
        lines += [{"index": {}}, {"text": f"{number} " * 200}]
    status, answer = small.cluster.call("data-1", "POST", "/first/_bulk?refresh=true", lines)
    assert (status, answer["errors"]) == (200, False)
    small.cluster.call("data-1", "POST", "/first/_flush")

    def sizes() -> list[int]:
        found = small.explain("first", "data-1")["cluster_info"]["shard_sizes"]
        return [found.get(f"[first][{number}][p]_bytes", 0) for number in (0, 1)]

    def stored() -> list[int]:
        rows = small.get("/_cat/shards/first?format=json&bytes=b&h=shard,store")
        return [int(row["store"]) for row in sorted(rows, key=lambda row: str(row["shard"]))]

    until(lambda: min(sizes()) > 10_000 and sizes() == stored())
    desired = small.get("/_internal/desired_balance")["nodes"]
    assert sorted(node["desired_bytes"] for node in desired.values()) == sorted(sizes())
