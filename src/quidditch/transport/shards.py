"""What may be asked of the shards of a node, wherever the node is: the data node's service as its callers see it, and the
messages that carry it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from quidditch.transport.recovery import Progress
from quidditch_kernel import Slice, SliceResult

WRITE = "shard/write"
RETRY = "shard/retry"
GET = "shard/get"
REFRESH = "shard/refresh"
REFRESHED = "shard/refreshed"
FLUSH = "shard/flush"
FORCE_MERGE = "shard/force_merge"
DESCRIBE = "shards/describe"

RETRY_ON_PRIMARY = "retry_on_primary_exception"
"""The error of a copy that applied a write and then found itself the primary no longer: whether the write stays is not known."""


class ShardMissing(Exception):
    """The shard is not open on the node that was asked: not yet, no longer, or closing."""


class _Message(msgspec.Struct, frozen=True, array_like=True):
    pass


class OneShard(_Message, frozen=True):
    """A shard, by the uuid of its index and its number."""

    uuid: str
    number: int


class Meant(_Message, frozen=True):
    """Which primary a write means: the copy and the term. `retried`: the write may have been applied before."""

    allocation_id: str
    primary_term: int
    retried: bool = False


class Write(_Message, frozen=True):
    shard: OneShard
    slice: bytes
    meant: Meant


class Retry(_Message, frozen=True):
    shard: OneShard
    slice: bytes
    result: bytes
    mapping_version: int
    meant: Meant


class Get(_Message, frozen=True):
    shard: OneShard
    request: bytes


class Found(_Message, frozen=True):
    members: bytes | None


class Refreshed(_Message, frozen=True):
    shard: OneShard
    seq_no: int


class Flush(_Message, frozen=True):
    shard: OneShard
    force: bool
    wait_if_ongoing: bool


class ForceMerge(_Message, frozen=True):
    shard: OneShard
    segments: int
    only_expunge: bool
    flush: bool


class Describe(_Message, frozen=True):
    """`segments`: with the segments of each."""

    shards: list[OneShard]
    segments: bool = False


class Moved(_Message, frozen=True):
    """Recoveries from and to a copy that are under way, and the milliseconds that those of it had to wait for their share."""

    as_source: int = 0
    as_target: int = 0
    throttled: int = 0


class Description(_Message, frozen=True):
    """What a node tells of a copy that it holds. `stats` and `segments` are the kernel's JSON (None: the shard is not open, or
    that was not asked for), `searches` how often it was searched (JSON), `visible` the documents that searches see, `path` the
    folder, `on_disk` the segments there; `progress` says how it came to be here.
    """

    stats: bytes | None
    segments: bytes | None
    searches: bytes
    visible: int
    path: str
    on_disk: int
    progress: Progress | None = None
    moved: Moved = Moved()


class ShardCalls(Protocol):
    """Calls name an index by its uuid. They raise :class:`ShardMissing`, the kernel's error or an :class:`ApiError`, and where
    the node is elsewhere also what a call raises.
    """

    async def write(self, uuid: str, number: int, slice: Slice, meant: Meant, timeout: float) -> SliceResult:
        """Applies a slice of a bulk on the primary that is meant; on return it is on every copy in sync, durable if the index says
        so. `timeout` is that of the call, in seconds: after it, it is not known whether the slice was applied.
        """

    async def retry(
        self, uuid: str, number: int, slice: Slice, result: SliceResult, mapping_version: int, meant: Meant
    ) -> SliceResult:
        """Applies the items again that stopped at unknown fields, once the node has this version of the mapping."""

    async def get(self, uuid: str, number: int, request: bytes) -> bytes | None:
        """One document, see the kernel's `Shard.get`."""

    async def refresh(self, uuid: str, number: int) -> None: ...
    async def refreshed(self, uuid: str, number: int, seq_no: int) -> None:
        """Returns once searches see the operations up to `seq_no`."""

    async def flush(self, uuid: str, number: int, force: bool, wait_if_ongoing: bool) -> None: ...
    async def force_merge(self, uuid: str, number: int, segments: int, only_expunge: bool, flush: bool) -> None: ...
    async def describe(self, shards: Sequence[OneShard], segments: bool) -> Sequence[Description | None]:
        """What the node knows of its copies, in the order asked; None for those that it has not."""
