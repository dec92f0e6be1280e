"""What may be asked of the shards of a node, wherever the node is: the data node's service as its callers see it."""

from __future__ import annotations

from typing import Protocol

from quidditch_kernel import Slice, SliceResult


class ShardMissing(Exception):
    """The shard is not open on the node that was asked: not yet, no longer, or closing."""


class ShardCalls(Protocol):
    """Calls name an index by its uuid. They raise :class:`ShardMissing` or the kernel's error."""

    async def write(self, uuid: str, number: int, slice: Slice) -> SliceResult:
        """Applies a slice of a bulk; it is durable on return if the index says so."""

    async def retry(self, uuid: str, number: int, slice: Slice, result: SliceResult) -> None:
        """Applies the items again that stopped at unknown fields."""

    def get(self, uuid: str, number: int, request: bytes) -> bytes | None:
        """One document, see the kernel's `Shard.get`."""

    async def refresh(self, uuid: str, number: int) -> None: ...
    async def refreshed(self, uuid: str, number: int, seq_no: int) -> None:
        """Returns once searches see the operations up to `seq_no`."""

    async def flush(self, uuid: str, number: int, force: bool, wait_if_ongoing: bool) -> None: ...
    async def force_merge(self, uuid: str, number: int, segments: int, only_expunge: bool, flush: bool) -> None: ...
    def stats(self, uuid: str, number: int) -> bytes: ...
    def segments(self, uuid: str, number: int) -> bytes: ...
