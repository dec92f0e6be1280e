"""The data node as other nodes call it: its shards and its searches, served over the transport."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec

from quidditch.datanode.node import DataNode
from quidditch.datanode.recovery.source import Source
from quidditch.datanode.searches import ShardSearches
from quidditch.lib.clock import Clock
from quidditch.transport import recovery, replication
from quidditch.transport import searches as search_wire
from quidditch.transport import shards as wire
from quidditch.transport.api import Transport
from quidditch.transport.pressure import IndexingPressure
from quidditch_kernel import Slice, SliceResult

M = TypeVar("M")
_encode = msgspec.msgpack.Encoder().encode


def serve(data: DataNode, transport: Transport, clock: Clock, pressure: IndexingPressure) -> None:
    """Answers calls for the shards of this node from now on. Errors travel as `transport.errors` writes them. `pressure` bounds the
    writes of other nodes that are in work.
    """
    _serve_shards(data, transport, pressure)
    searches = ShardSearches(data, clock)
    _serve_recoveries(data.recoveries.source, transport)
    _on(transport, search_wire.OPEN, search_wire.Query, searches.open)
    _on(transport, search_wire.QUERY, search_wire.Query, searches.query)
    _on(transport, search_wire.STATISTICS, search_wire.Query, searches.statistics)
    _on(transport, search_wire.WHOLE, search_wire.Query, searches.whole)
    _on(transport, search_wire.FETCH, search_wire.Fetch, searches.fetch)
    _on(transport, search_wire.COUNT, search_wire.Query, searches.count)
    _on(transport, search_wire.CAN_MATCH, search_wire.Query, searches.can_match)
    _on(transport, search_wire.EXPLAIN, search_wire.Explain, searches.explain)
    _on(transport, search_wire.FREE, list[str], searches.free)
    _on(transport, search_wire.CANCEL, list[str], searches.cancel)


def _on(transport: Transport, action: str, kind: type[M], handler: Callable[[M], Awaitable[object]]) -> None:
    decode = msgspec.msgpack.Decoder(kind).decode

    async def handle(payload: bytes) -> bytes:
        return _encode(await handler(decode(payload)))

    transport.serve(action, handle)


def _serve_shards(data: DataNode, transport: Transport, pressure: IndexingPressure) -> None:
    async def get(message: wire.Get) -> wire.Found:
        return wire.Found(await data.get(message.shard.uuid, message.shard.number, message.request))

    async def refresh(shard: wire.OneShard) -> None:
        await data.refresh(shard.uuid, shard.number)

    async def refreshed(message: wire.Refreshed) -> None:
        await data.refreshed(message.shard.uuid, message.shard.number, message.seq_no)

    async def flush(message: wire.Flush) -> None:
        await data.flush(message.shard.uuid, message.shard.number, message.force, message.wait_if_ongoing)

    async def force_merge(message: wire.ForceMerge) -> None:
        shard = message.shard
        await data.force_merge(shard.uuid, shard.number, message.segments, message.only_expunge, message.flush)

    async def describe(message: wire.Describe) -> list[wire.Description | None]:
        return await data.describe(message.shards, message.segments)

    async def ping(_nothing: None) -> None:
        """Says that this node is there."""

    transport.serve(wire.WRITE, _writing(data, pressure))
    transport.serve(wire.RETRY, _retrying(data, pressure))
    transport.serve(replication.OPERATIONS, _taking(data, pressure))
    _on(transport, replication.PING, type(None), ping)
    _on(transport, wire.GET, wire.Get, get)
    _on(transport, wire.REFRESH, wire.OneShard, refresh)
    _on(transport, wire.REFRESHED, wire.Refreshed, refreshed)
    _on(transport, wire.FLUSH, wire.Flush, flush)
    _on(transport, wire.FORCE_MERGE, wire.ForceMerge, force_merge)
    _on(transport, wire.DESCRIBE, wire.Describe, describe)


def _serve_recoveries(source: Source, transport: Transport) -> None:
    _on(transport, recovery.START, recovery.Start, source.start)
    _on(transport, recovery.READ, recovery.Read, source.read)
    _on(transport, recovery.PREPARE, recovery.Recovery, source.prepare)
    _on(transport, recovery.TRACK, recovery.Recovery, source.track)
    _on(transport, recovery.OPERATIONS, recovery.Next, source.operations)
    _on(transport, recovery.FINISH, recovery.Finish, source.finish)
    _on(transport, recovery.HAND_OVER, recovery.Recovery, source.hand_over)
    _on(transport, recovery.HANDED, recovery.Recovery, source.handed)
    _on(transport, recovery.END, recovery.Recovery, source.end)


def _writing(data: DataNode, pressure: IndexingPressure) -> Callable[[bytes], Awaitable[bytes]]:
    decode = msgspec.msgpack.Decoder(wire.Write).decode

    async def write(payload: bytes) -> bytes:
        with pressure.held("primary", len(payload)):
            message = decode(payload)
            shard = message.shard
            result = await data.write(shard.uuid, shard.number, Slice.from_bytes(message.slice), message.meant)
            return result.to_bytes()

    return write


def _retrying(data: DataNode, pressure: IndexingPressure) -> Callable[[bytes], Awaitable[bytes]]:
    decode = msgspec.msgpack.Decoder(wire.Retry).decode

    async def retry(payload: bytes) -> bytes:
        with pressure.held("primary", len(payload)):
            message = decode(payload)
            slice = Slice.from_bytes(message.slice)
            result = SliceResult.from_bytes(message.result, slice)
            shard = message.shard
            version, meant = message.mapping_version, message.meant
            return (await data.retry(shard.uuid, shard.number, slice, result, version, meant)).to_bytes()

    return retry


def _taking(data: DataNode, pressure: IndexingPressure) -> Callable[[bytes], Awaitable[bytes]]:
    decode = msgspec.msgpack.Decoder(replication.Operations).decode

    async def take(payload: bytes) -> bytes:
        with pressure.held("replica", len(payload)):
            return _encode(await data.take(decode(payload)))

    return take
