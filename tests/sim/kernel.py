"""The kernel's own shards in the simulation, on real files. A log there is written when it is synced, so what was not is forgotten when
its node crashes; the kernel's own tests lose files of all kinds.

Names and sizes of its files are its own, so the trace tells messages of such a seed by their kind only.
"""

from __future__ import annotations

import functools
import itertools
import os
import random
import struct
from collections.abc import Callable, Iterator
from typing import Any

import orjson

import quidditch_kernel
from tests.sim.disk import Disk, Record
from tests.sim.machines import Data

_HEADER = struct.Struct("<II")
_OPERATION = struct.Struct("<BqQQBII")
_KINDS = {1: "index", 2: "delete", 3: "noop"}
_MAPPING = quidditch_kernel.Mapping(b'{"properties":{"v":{"type":"keyword"}}}', b'{"index":{}}')


def decoded(operations: bytes) -> Iterator[Record]:
    """Operations as the kernel hands them on; see `translog/format.rs`."""
    at = 0
    while at < len(operations):
        length, _ = _HEADER.unpack_from(operations, at)
        at += _HEADER.size
        kind, seq_no, term, version, _, id_length, routing_length = _OPERATION.unpack_from(operations, at)
        end = at + _OPERATION.size + id_length
        id = operations[at + _OPERATION.size : end].decode()
        source = operations[end + routing_length : at + length].decode()
        yield Record(seq_no, term, _KINDS[kind], id, version, source)
        at += length


@functools.cache
def _runtime() -> quidditch_kernel.Runtime:
    config = {"indexing_buffer_bytes": 48 << 20, "merge_threads": 1, "node_name": "simulated"}
    return quidditch_kernel.Runtime(orjson.dumps(config))


class KernelDisk(Disk):
    """The disk of one node, with the shards that are open on it; all nodes share one runtime of the kernel."""

    def __init__(self, name: str) -> None:
        super().__init__(name, beside_files=True)
        self.shards: dict[KernelShard, None] = {}

    def crash(self, chance: random.Random) -> None:
        del chance
        self.end()

    def end(self) -> None:
        for shard in list(self.shards):
            shard.abandon()

    def durable(self, path: str) -> int | None:
        """Of an open shard only itself may be asked."""
        path = os.path.abspath(path)
        if any(shard.path == path for shard in self.shards) or not os.path.isdir(path):
            return None
        told = quidditch_kernel.inspect_shard(path)
        return None if told is None else int(orjson.loads(told)["local_checkpoint"])


class Runtime:
    """What the shards of a node share."""

    def __init__(self, disk: KernelDisk) -> None:
        self.disk = disk

    def stats(self) -> bytes:
        return b"{}"

    def close(self) -> None: ...


class KernelShard:
    """A shard of the kernel that tells what it does as a primary, and can be told that its disk has a fault."""

    def __init__(
        self, kernel: quidditch_kernel.Shard, path: str, disk: KernelDisk, told: Callable[[Record], None]
    ) -> None:
        self._kernel: Any = kernel
        self.path = path
        self._disk = disk
        self._told = told
        self._fault: str | None = None
        self._when_failed: list[Callable[[], None]] = []
        self.closed = False
        disk.shards[self] = None

    @staticmethod
    def open(runtime: Runtime, path: str, config: bytes, mapping: Any) -> KernelShard:
        whole = os.path.abspath(path)
        kernel = quidditch_kernel.Shard.open(_runtime(), whole, config, mapping)
        return KernelShard(kernel, whole, runtime.disk, functools.partial(runtime.disk.assigned, path))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._kernel, name)

    def bulk(self, slice: Any, sync: bool = True, retried: bool = False) -> Any:
        result = self._kernel.bulk(slice, sync, retried)
        for record in decoded(result.operations()):
            self._told(record)
        return result

    def flush(self, force: bool = False, wait_if_ongoing: bool = True) -> None:
        self._kernel.flush(force, wait_if_ongoing)

    # --- faults and ends --------------------------------------------------------------------------------------------

    def fail(self, reason: str) -> None:
        self._fault = reason
        for callback in self._when_failed:
            callback()

    def failure(self) -> str | None:
        told: str | None = self._kernel.failure()
        return self._fault or told

    def when_failed(self, callback: Callable[[], None]) -> None:
        self._when_failed.append(callback)
        self._kernel.when_failed(callback)

    def close(self) -> None:
        self._over()
        if self._fault is None:
            self._kernel.close()
        else:
            self._kernel.abandon()

    def abandon(self) -> None:
        self._over()
        self._kernel.abandon()

    def _over(self) -> None:
        self.closed = True
        self._disk.shards.pop(self, None)

    # --- at rest ----------------------------------------------------------------------------------------------------

    def rest(self, made: list[Record]) -> tuple[dict[str, Record], dict[int, Record]]:
        """What it has of the documents that primaries `made`, with the marks of deleted ones, and the operations that it has kept. The
        kernel does not show those marks: a document that is not there was deleted by what the history says, or by the newest that did.
        """
        history = self._history()
        documents: dict[str, Record] = {}
        for record in [*sorted(made, key=lambda each: (each.term, each.seq_no)), *history.values()]:
            if record.kind == "delete" and record.seq_no <= self._kernel.checkpoints()[0]:
                documents[record.id] = record
        for id in dict.fromkeys(record.id for record in made):
            found = self._kernel.get(orjson.dumps({"id": id, "realtime": True, "source": True}))
            if found is not None:
                told = orjson.loads(b"{%s}" % found)
                numbers = told["_seq_no"], told["_primary_term"], "index", id, told["_version"]
                documents[id] = Record(*numbers, orjson.dumps(told["_source"]).decode())
        return documents, history

    def _history(self) -> dict[int, Record]:
        newest = self._kernel.checkpoints()[0]
        for first in itertools.chain(range(0, newest + 1, 16), (newest + 1,)):
            history = self._kernel.history(first)
            if history is not None:
                return {record.seq_no: record for record in decoded(history.next(1 << 40))}
        return {}


def restore(path: str, manifest: bytes) -> quidditch_kernel.Restore:
    return quidditch_kernel.Restore(os.path.abspath(path), manifest)


class KernelData(Data):
    """A data node whose shards are the kernel's."""

    def _made(self) -> tuple[Disk, Any]:
        disk = KernelDisk(self.name)
        return disk, Runtime(disk)

    @staticmethod
    def mapping(_index: object) -> Any:
        return _MAPPING
