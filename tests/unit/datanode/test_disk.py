from __future__ import annotations

from pathlib import Path

import pytest

from quidditch.datanode.disk import Disk
from quidditch.model.errors import ApiError


def test_the_flood_stage_blocks_as_opensearch_does(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    stage = "cluster.routing.allocation.disk.watermark.flood_stage"
    with pytest.raises(ApiError) as raised:
        disk.check_flood("a", {stage: "0%"}.get)
    assert (raised.value.status, raised.value.type) == (429, "cluster_block_exception")
    assert raised.value.reason == (
        "index [a] blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark, "
        "index has read-only-allow-delete block];"
    )
    disk.check_flood("a", {stage: "100%"}.get)
    disk.check_flood("a", {stage: "0%", "cluster.routing.allocation.disk.threshold_enabled": "false"}.get)
