"""How full the disk is. Above the flood stage nothing more is indexed, so that there is room left to commit and to delete.

The control plane blocks indices by what nodes report of their disks; this looks at each write, which may be faster than reports.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from quidditch.controlplane.core.allocation.rules import watermark
from quidditch.model.errors import ApiError

_FLOOD_STAGE = "cluster.routing.allocation.disk.watermark.flood_stage"
_ENABLED = "cluster.routing.allocation.disk.threshold_enabled"
_LOOK_EVERY = 0.05
"""Seconds for which an answer of the system is good."""


class Disk:
    """The file system of a data folder."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._looked = float("-inf")
        self._total = self._free = 0

    def check_flood(self, index: str, setting: Callable[[str], Any]) -> None:
        """Raises cluster_block_exception above the flood stage; `setting` answers cluster settings by name."""
        if str(setting(_ENABLED)).lower() == "false":
            return
        now = time.monotonic()
        if now - self._looked > _LOOK_EVERY:
            self._look(now)
        if self._free < watermark(setting(_FLOOD_STAGE) or "95%").least_free(self._total):
            raise ApiError(
                429,
                "cluster_block_exception",
                f"index [{index}] blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark, "
                "index has read-only-allow-delete block];",
            )

    def _look(self, now: float) -> None:
        found = os.statvfs(self._path)
        self._total, self._free = found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize
        self._looked = now
