"""What nodes measure and an allocation weighs: free disk, the sizes of shards, how much is written to them.

Not stored: heartbeats bring it, and an allocation without it decides by counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import msgspec

ShardKey: TypeAlias = tuple[str, int]
"""(uuid of the index, number of the shard)."""


class Disk(msgspec.Struct, frozen=True):
    """The file system of a node's data folder, in bytes."""

    total: int
    free: int
    path: str = ""


class ShardLoad(msgspec.Struct, frozen=True, array_like=True):
    """One copy of a shard: its `size` in bytes, and how much is written to it, in thousandths of a busy thread."""

    uuid: str
    number: int
    size: int
    writes: int = 0


class NodeLoad(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a node is. `disk` is None where it cannot be told. `shards`: all open copies as they were measured last; None
    leaves what was said before.
    """

    disk: Disk | None = None
    shards: tuple[ShardLoad, ...] | None = None


class ClusterInfo(msgspec.Struct, frozen=True):
    """`disks` by node id; `sizes` in bytes; `loads` in thousandths of a busy write thread. What is missing is unknown."""

    disks: Mapping[str, Disk] = {}
    sizes: Mapping[ShardKey, int] = {}
    loads: Mapping[ShardKey, int] = {}


UNKNOWN = ClusterInfo()
