"""Writes that wait together go to etcd together: one transaction with one nested transaction for each, every one compared, done or
refused on its own. So many writes cost one round of Raft and one fsync, as one does. A write may be of several keys, done all or none.

The fence of the leader stands outside: it is compared once for all of them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

import msgspec

from quidditch.store import api
from quidditch.store.etcd import wire_pb2 as pb
from quidditch.store.etcd.client import TXN, Client
from quidditch.store.etcd.keys import Keys, found, holds, put, read, unchanged

MAX_WRITES = 60
"""Writes of one transaction. etcd takes 128 operations (`--max-txn-ops`), those nested once more deep counted beside those around."""
MAX_KEYS = 16
"""Keys of one write."""
MAX_BYTES = 512 * 1024
"""A write more is not taken in once a transaction has so many; a single one may be bigger."""
_AT_ONCE = 2


class Change(msgspec.Struct, frozen=True, eq=False):
    """Do `op` to `key` if it was last written at revision `expected` (0: if it is not there)."""

    key: bytes
    expected: int
    op: pb.RequestOp
    size: int


class Write(msgspec.Struct, eq=False):
    """Changes of different keys that are done together, if all can be."""

    changes: Sequence[Change]
    size: int
    fence: int | None
    answer: asyncio.Future[Written]


class Written(msgspec.Struct, frozen=True):
    """What became of a write: `revision` if it was done, otherwise what stands at its keys now (None: nothing)."""

    done: bool
    revision: int
    current: Sequence[pb.KeyValue | None] = ()


class Batcher:
    """Lives on one event loop."""

    def __init__(self, client: Client, keys: Keys) -> None:
        self._client = client
        self._keys = keys
        self._queue: deque[Write] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._running = 0

    async def write(self, changes: Sequence[Change], fence: int | None) -> Written:
        """At most :data:`MAX_KEYS`, all done or none. Raises :class:`Fenced`, :class:`Unavailable`, :class:`Refused`."""
        future: asyncio.Future[Written] = asyncio.get_running_loop().create_future()
        self._queue.append(Write(changes, sum(change.size for change in changes), fence, future))
        if self._running < _AT_ONCE:
            self._running += 1
            task = asyncio.create_task(self._run(), name="etcd writes")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await future

    async def _run(self) -> None:
        try:
            await asyncio.sleep(0)  # who writes side by side in this turn of the loop goes together
            await self._drain()
        finally:
            # Here and not when the task is seen to be done: a write in between would wait for nobody.
            self._running -= 1

    async def _drain(self) -> None:
        while writes := self._take():
            try:
                outcomes: list[Written | Exception] = list(await self._commit(writes))
            except asyncio.CancelledError:
                for write in writes:
                    write.answer.cancel()
                raise
            except Exception as error:
                outcomes = [error] * len(writes)
            for write, outcome in zip(writes, outcomes, strict=True):
                if write.answer.done():
                    continue
                if isinstance(outcome, Exception):
                    write.answer.set_exception(outcome)
                else:
                    write.answer.set_result(outcome)

    def _take(self) -> list[Write]:
        """The next writes for one transaction: of one fence, no key twice."""
        taken: list[Write] = []
        keys: set[bytes] = set()
        size = 0
        while self._queue and len(taken) < MAX_WRITES:
            write = self._queue[0]
            if write.answer.done():  # who waited has given up
                self._queue.popleft()
                continue
            own = {change.key for change in write.changes}
            if taken and (write.fence != taken[0].fence or not keys.isdisjoint(own) or size + write.size > MAX_BYTES):
                break
            taken.append(self._queue.popleft())
            keys |= own
            size += write.size
        return taken

    async def _commit(self, writes: list[Write]) -> list[Written]:
        fence = writes[0].fence
        answer = await self._client.call(
            TXN,
            pb.TxnRequest(
                compare=self._fenced(fence),
                success=[*(pb.RequestOp(request_txn=_nested(write)) for write in writes), *self._signed(fence)],
                failure=[read(self._keys.epoch)],
            ),
        )
        if not answer.succeeded:
            current = found(answer.responses[0])
            now = 0 if current is None else int(current.value)
            raise api.Fenced(f"epoch {fence} is over, the store is at {now}")
        revision = answer.header.revision
        return [
            Written(True, revision)
            if op.response_txn.succeeded
            else Written(False, revision, [found(each) for each in op.response_txn.responses])
            for op in answer.responses[: len(writes)]
        ]

    def _fenced(self, fence: int | None) -> list[pb.Compare]:
        if fence is None:
            return []
        return [holds(self._keys.epoch, str(fence).encode()) if fence else unchanged(self._keys.epoch, 0)]

    def _signed(self, fence: int | None) -> list[pb.RequestOp]:
        return [] if fence is None else [put(self._keys.writer, str(fence).encode())]


def _nested(write: Write) -> pb.TxnRequest:
    return pb.TxnRequest(
        compare=[unchanged(change.key, change.expected) for change in write.changes],
        success=[change.op for change in write.changes],
        failure=[read(change.key) for change in write.changes],
    )
