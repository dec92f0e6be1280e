"""The shards of another node, called over the transport."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from quidditch.transport import shards as wire
from quidditch.transport.api import Remote, Transport, TransportError
from quidditch.transport.errors import MISSING, from_transport
from quidditch.transport.shards import Description, Meant, OneShard, ShardMissing
from quidditch_kernel import Slice, SliceResult

_GET_SECONDS = 30.0
_SHORT_SECONDS = 300.0
_MERGE_SECONDS = 86_400.0
_DESCRIBE_SECONDS = 15.0
_encode = msgspec.msgpack.Encoder().encode
_found = msgspec.msgpack.Decoder(wire.Found)
_described = msgspec.msgpack.Decoder(list[Description | None])


class RemoteShards:
    """See :class:`quidditch.transport.shards.ShardCalls`. What fails on the way of a write is raised as it is: the caller has to
    know whether it may have been applied; what fails elsewhere is an :class:`ApiError`.
    """

    def __init__(self, transport: Transport, node: str) -> None:
        self._transport = transport
        self._node = node

    async def write(self, uuid: str, number: int, slice: Slice, meant: Meant, timeout: float) -> SliceResult:
        message = wire.Write(OneShard(uuid, number), slice.to_bytes(), meant)
        return SliceResult.from_bytes(await self._ask(wire.WRITE, message, timeout), slice)

    async def retry(
        self, uuid: str, number: int, slice: Slice, result: SliceResult, mapping_version: int, meant: Meant
    ) -> SliceResult:
        message = wire.Retry(OneShard(uuid, number), slice.to_bytes(), result.to_bytes(), mapping_version, meant)
        return SliceResult.from_bytes(await self._ask(wire.RETRY, message, _SHORT_SECONDS), slice)

    async def get(self, uuid: str, number: int, request: bytes) -> bytes | None:
        answer = await self._tell(wire.GET, wire.Get(OneShard(uuid, number), request), _GET_SECONDS)
        return _found.decode(answer).members

    async def refresh(self, uuid: str, number: int) -> None:
        await self._tell(wire.REFRESH, OneShard(uuid, number), _SHORT_SECONDS)

    async def refreshed(self, uuid: str, number: int, seq_no: int) -> None:
        await self._tell(wire.REFRESHED, wire.Refreshed(OneShard(uuid, number), seq_no), _MERGE_SECONDS)

    async def flush(self, uuid: str, number: int, force: bool, wait_if_ongoing: bool) -> None:
        await self._tell(wire.FLUSH, wire.Flush(OneShard(uuid, number), force, wait_if_ongoing), _SHORT_SECONDS)

    async def force_merge(self, uuid: str, number: int, segments: int, only_expunge: bool, flush: bool) -> None:
        message = wire.ForceMerge(OneShard(uuid, number), segments, only_expunge, flush)
        await self._tell(wire.FORCE_MERGE, message, _MERGE_SECONDS)

    async def describe(self, shards: Sequence[OneShard], segments: bool) -> Sequence[Description | None]:
        answer = await self._tell(wire.DESCRIBE, wire.Describe(list(shards), segments), _DESCRIBE_SECONDS)
        return _described.decode(answer)

    async def _ask(self, action: str, message: msgspec.Struct, seconds: float) -> bytes:
        try:
            return await self._transport.call(self._node, action, _encode(message), seconds)
        except Remote as error:
            if error.type == MISSING:
                raise ShardMissing(error.reason) from None
            raise

    async def _tell(self, action: str, message: msgspec.Struct, seconds: float) -> bytes:
        try:
            return await self._ask(action, message, seconds)
        except TransportError as error:
            raise from_transport(error, self._node, action) from None
