"""A long range of keys at one revision, in chunks that fit into an answer."""

from __future__ import annotations

from collections.abc import Sequence

from quidditch.store import api
from quidditch.store.etcd import wire_pb2 as pb
from quidditch.store.etcd.client import RANGE, Client, TooBigAnswer

_CHUNK = 256
_CHUNK_MOST = 4096
_CHUNK_BYTES = 2 * 1024 * 1024
_ATTEMPTS = 5


async def list_range(client: Client, start: bytes, end: bytes) -> tuple[Sequence[pb.KeyValue], int]:
    """All keys of `[start, end)` in order, and the revision at which that is so. Raises :class:`Unavailable`."""
    problem: api.StoreError | None = None
    for _ in range(_ATTEMPTS):
        try:
            return await _at_one_revision(client, start, end)
        except api.Expired as error:  # compacted while it was read: from the start, as it is now
            problem = error
    raise api.Unavailable(f"etcd is compacted faster than its objects can be listed: {problem}")


async def _at_one_revision(client: Client, start: bytes, end: bytes) -> tuple[Sequence[pb.KeyValue], int]:
    kvs: list[pb.KeyValue] = []
    revision, limit = 0, _CHUNK
    while True:
        request = pb.RangeRequest(key=start, range_end=end, revision=revision, limit=limit)
        try:
            answer = await client.call(RANGE, request, repeatable=True)
        except TooBigAnswer:
            if limit == 1:
                raise
            limit = max(1, limit // 4)
            continue
        revision = revision or answer.header.revision
        kvs.extend(answer.kvs)
        if not answer.more:
            return kvs, revision
        start = answer.kvs[-1].key + b"\0"
        mean = 1 + sum(len(kv.value) for kv in answer.kvs) // len(answer.kvs)
        limit = max(1, min(_CHUNK_MOST, _CHUNK_BYTES // mean))
