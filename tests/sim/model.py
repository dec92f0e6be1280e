"""A model of the kernel's shard: what replication and recovery see of it, small and plain.

It has the kernel's methods (`datanode/replication/engine.py`) over a simulated disk. A document is its id, its source and the number,
term and version of the operation that it is from; deleted ones leave a mark for ever.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import orjson

from quidditch_kernel import KernelError
from tests.sim.disk import Commit, Disk, Folder, Record, Told, Trim, checksum, pack, unpack
from tests.sim.model_files import Files, History
from tests.sim.slices import CONFLICT, Slice, SliceResult

_BUCKETS = 8
"""Files of a commit that hold documents: those that did not change need not be copied."""


class Runtime(NamedTuple):
    """What the shards of a node share."""

    disk: Disk

    def stats(self) -> bytes:
        return b"{}"

    def close(self) -> None: ...


class ModelShard:
    """See `quidditch_kernel.Shard`. Made by :meth:`open`."""

    def __init__(self, folder: Folder, config: dict[str, Any], assigned: Callable[[Record], None]) -> None:
        self.folder = folder
        self._assigned = assigned
        self._config = config
        self.documents: dict[str, Record] = {}
        self._beyond: set[int] = set()
        self._checkpoint = self._persisted = self._max_seq_no = -1
        self._global = self._told = folder.global_checkpoint()
        self._retain = 1 << 62
        self._holds: weakref.WeakSet[History] = weakref.WeakSet()
        self._failure: str | None = None
        self._when_failed: list[Callable[[], None]] = []
        self.closed = False

    @staticmethod
    def open(runtime: Runtime, path: str, config: bytes, mapping: object) -> ModelShard:
        del mapping
        told = orjson.loads(config)
        disk = runtime.disk
        folder = disk.folder(path)
        if folder is None:
            if told.get("existing"):
                raise KernelError("corruption_exception", f"there is no shard in [{path}]", 500, b"{}")
            folder = Folder(disk.mint(), commits=[Commit(-1, -1, {})])
            disk.put(path, folder)
        folder.primary_term = max(folder.primary_term, told["primary_term"])
        folder.sync()
        shard = ModelShard(folder, told, partial(disk.assigned, path))
        if told.get("role", "primary") == "replica":
            shard._open_replica(told.get("recover_to"))
        else:
            shard._load(folder.commits[-1])
            shard._restore()
        return shard

    def _open_replica(self, recover_to: int | None) -> None:
        limit = self._global if recover_to is None else recover_to
        safe = [commit for commit in self.folder.commits if commit.max_seq_no <= limit]
        if not safe:
            raise KernelError("corruption_exception", f"no commit holds at most operation [{limit}]", 500, b"{}")
        self.folder.commits[:] = safe
        self._load(safe[-1])
        for seq_no, record in sorted(self.folder.records().items()):
            if seq_no <= limit:
                self._process(record)
        self._settle()

    def _load(self, commit: Commit) -> None:
        for data in commit.files.values():
            for record in unpack(data):
                self.documents[record.id] = record
        self._max_seq_no = commit.max_seq_no
        self._checkpoint = commit.local_checkpoint

    def _restore(self) -> None:
        """Takes in all that the log holds, and fills what is missing with operations that do nothing."""
        for _, record in sorted(self.folder.records().items()):
            self._process(record)
        for seq_no in range(self._checkpoint + 1, self._max_seq_no):
            if not self._has(seq_no):
                self._make(Record(seq_no, self.term, "noop"))
        self.sync()

    # --- operations -------------------------------------------------------------------------------------------------

    @property
    def term(self) -> int:
        return int(self._config["primary_term"])

    def _process(self, record: Record) -> None:
        """Makes an operation count, unless it did before. Of two on a document the greater number wins."""
        if self._has(record.seq_no):
            return
        self._beyond.add(record.seq_no)
        self._max_seq_no = max(self._max_seq_no, record.seq_no)
        while self._checkpoint + 1 in self._beyond:
            self._checkpoint += 1
            self._beyond.discard(self._checkpoint)
        known = self.documents.get(record.id)
        if record.kind != "noop" and (known is None or known.seq_no < record.seq_no):
            self.documents[record.id] = record

    def _has(self, seq_no: int) -> bool:
        return seq_no <= self._checkpoint or seq_no in self._beyond

    def _write(self, record: Record) -> None:
        self.folder.log.append(record)
        self._process(record)

    def _make(self, record: Record) -> None:
        """An operation that this copy, the primary, gives its number."""
        self._assigned(record)
        self._write(record)

    def _settle(self) -> None:
        self.folder.sync()
        self._persisted = self._checkpoint

    def _check(self) -> None:
        if self.closed:
            raise KernelError("already_closed_exception", "the shard is closed", 500, b"{}")
        if self._failure is not None:
            raise KernelError("io_exception", self._failure, 500, b"{}")

    def bulk(self, slice: Slice, sync: bool = True, retried: bool = False) -> SliceResult:
        """`retried` makes no difference here: no document is ever added beside one with the same id."""
        del retried
        self._check()
        result = SliceResult(len(slice))
        written: list[Record] = []
        for number, item in enumerate(slice.items):
            self._apply_item(number, item, result, written)
        result.written = pack(written)
        result.set_copies(slice.total_copies, 1, b"")
        if sync:
            self.sync()
        return result

    def _apply_item(self, number: int, item: dict[str, Any], result: SliceResult, written: list[Record]) -> None:
        known = self.documents.get(item["id"])
        live = known is not None and known.kind == "index"
        refusal = _conflict(item, known if live else None)
        if refusal is not None:
            result.refuse(number, item, {"type": CONFLICT, "reason": refusal, "status": 409})
            return
        deletes = item["action"] == "delete"
        version = known.version + 1 if known is not None else 1
        kind = "delete" if deletes else "index"
        source = "" if deletes else item["source"]
        record = Record(self._max_seq_no + 1, self.term, kind, item["id"], version, source)
        self._make(record)
        written.append(record)
        if deletes:
            outcome, status = ("deleted", 200) if live else ("not_found", 404)
        else:
            outcome, status = ("updated", 200) if live else ("created", 201)
        numbers = {"_seq_no": record.seq_no, "_primary_term": record.term, "status": status}
        result.done(number, item, {"_version": version, "result": outcome, **numbers})

    def retry(self, slice: Slice, result: SliceResult, sync: bool = True) -> None:
        """There never is an unknown item here."""
        del slice
        self._check()
        result.written = b""
        if sync:
            self.sync()

    def apply(self, operations: bytes, primary_term: int, sync: bool = True) -> None:
        self._check()
        if primary_term < self.term:
            reason = f"operation term [{primary_term}] is too old, current [{self.term}]"
            raise KernelError("illegal_argument_exception", reason, 400, b"{}")
        for record in unpack(operations):
            if not self._has(record.seq_no):
                self._write(record)
        if sync:
            self.sync()

    def sync(self) -> None:
        self._check()
        if self._global > self._told:
            self._told = self._global
            self.folder.log.append(Told(self._global))
        self._settle()
        self._follow()

    def _follow(self) -> None:
        """Without other copies the global checkpoint follows this one's."""
        if not self._config.get("replicated") and self._config.get("role", "primary") == "primary":
            self._global = max(self._global, self._persisted)

    # --- sequence numbers -------------------------------------------------------------------------------------------

    def checkpoints(self) -> tuple[int, int, int, int]:
        return self._max_seq_no, self._checkpoint, self._persisted, self._global

    def set_global_checkpoint(self, value: int) -> None:
        self._check()
        self._global = max(self._global, value)

    def promote(self, primary_term: int) -> None:
        self._check()
        self._config.update(primary_term=primary_term, role="primary")
        self.folder.primary_term = max(self.folder.primary_term, primary_term)
        self._restore()

    def trim_above(self, max_seq_no: int) -> None:
        self._check()
        self.folder.log.append(Trim(max_seq_no))
        self.folder.sync()

    def history_uuid(self) -> str:
        return self.folder.history_uuid

    def history(self, from_seq_no: int) -> History | None:
        self._check()
        kept = self.folder.records()
        wanted = range(from_seq_no, self._max_seq_no + 1)
        if any(seq_no not in kept or not self._has(seq_no) for seq_no in wanted):
            return None
        history = History(from_seq_no, self._max_seq_no, [kept[seq_no] for seq_no in wanted])
        self._holds.add(history)
        return history

    def retain_history(self, from_seq_no: int) -> None:
        self._retain = from_seq_no

    # --- commits ----------------------------------------------------------------------------------------------------

    def flush(self, force: bool = False, wait_if_ongoing: bool = True) -> None:
        del wait_if_ongoing
        self.sync()
        newest = self.folder.commits[-1]
        if force or (newest.local_checkpoint, newest.max_seq_no) != (self._checkpoint, self._max_seq_no):
            self.folder.commits.append(Commit(self._checkpoint, self._max_seq_no, self._content()))
        self._trim()

    def _content(self) -> dict[str, bytes]:
        buckets: list[list[Record]] = [[] for _ in range(_BUCKETS)]
        for _, record in sorted(self.documents.items()):
            buckets[checksum(record.id.encode()) % _BUCKETS].append(record)
        packed = [pack(bucket) for bucket in buckets if bucket]
        return {f"documents-{checksum(data):08x}": data for data in packed}

    def _safe(self) -> int:
        """The place of the newest commit that every copy has everything of."""
        safe = [number for number, commit in enumerate(self.folder.commits) if commit.max_seq_no <= self._global]
        return safe[-1] if safe else 0

    def _trim(self) -> None:
        """Forgets the commits before the newest safe one, and what no commit, lease or history needs of the log."""
        del self.folder.commits[: self._safe()]
        needed = self.folder.commits[0].local_checkpoint + 1
        held = min((each.from_seq_no for each in self._holds), default=needed)
        retained = max(self._retain, self._budget(needed))
        least = min(needed, held, retained)
        log = [entry for entry in self.folder.log if isinstance(entry, Trim) or getattr(entry, "seq_no", -1) >= least]
        self.folder.log = [*log, Told(self._told)]
        self.folder.sync()

    def _budget(self, needed: int) -> int:
        """The number from which on the history before `needed` costs no more than may be retained."""
        left = int(self._config.get("retention_bytes", 1 << 62))
        kept = self.folder.records()
        for seq_no in range(needed - 1, -1, -1):
            left -= len(pack([kept[seq_no]])) if seq_no in kept else 0
            if left < 0 or seq_no not in kept:
                return seq_no + 1
        return 0

    def files(self) -> Files:
        self._check()
        return Files(self.folder.commits[self._safe()], self.folder.history_uuid)

    # --- reading ----------------------------------------------------------------------------------------------------

    def get(self, request: bytes) -> bytes | None:
        self._check()
        found = self.documents.get(orjson.loads(request)["id"])
        if found is None or found.kind != "index":
            return None
        numbers = f'"_version":{found.version},"_seq_no":{found.seq_no},"_primary_term":{found.term}'
        return f'{numbers},"found":true,"_source":{found.source}'.encode()

    def content(self) -> dict[str, tuple[int, int, int, str]]:
        """Number, term, version and source of the documents that are there."""
        live = sorted(self.documents.items())
        return {id: (r.seq_no, r.term, r.version, r.source) for id, r in live if r.kind == "index"}

    def rest(self, _made: list[Record]) -> tuple[dict[str, Record], dict[int, Record]]:
        """The documents with the marks of deleted ones, and the operations that the log has kept."""
        return self.documents, self.folder.records()

    def refresh(self) -> None:
        self._check()

    def when_refreshed(self, seq_no: int, callback: Callable[[], None]) -> None:
        """Here everything is seen at once."""
        del seq_no
        self._check()
        callback()

    def stats(self) -> bytes:
        self._check()
        seq_no = {
            "max_seq_no": self._max_seq_no,
            "local_checkpoint": self._persisted,
            "global_checkpoint": self._global,
        }
        return orjson.dumps({"seq_no": seq_no, "docs": {"count": len(self.content()), "deleted": 0}})

    # --- life -------------------------------------------------------------------------------------------------------

    def configure(self, config: bytes) -> None:
        self._check()
        told = orjson.loads(config)
        told.pop("role", None)
        self._config.update(told)
        self.folder.primary_term = max(self.folder.primary_term, self.term)

    def set_mapping(self, mapping: object) -> None: ...

    def fail(self, reason: str) -> None:
        """A fault of its disk: it accepts nothing any more."""
        self._failure = reason
        for callback in self._when_failed:
            callback()

    def failure(self) -> str | None:
        return self._failure

    def when_failed(self, callback: Callable[[], None]) -> None:
        self._when_failed.append(callback)
        if self._failure is not None:
            callback()

    def close(self) -> None:
        if not self.closed and self._failure is None:
            self.sync()
        self.closed = True

    def abandon(self) -> None:
        self.closed = True


def _conflict(item: dict[str, Any], known: Record | None) -> str | None:
    """Why the item may not be applied to what is there now."""
    id = item["id"]
    creates = item["action"] == "create" or item.get("op_type") == "create"
    if creates and known is not None:
        return f"[{id}]: version conflict, document already exists (current version [{known.version}])"
    wanted = item.get("if_seq_no"), item.get("if_primary_term")
    if wanted[0] is None:
        return None
    required = f"[{id}]: version conflict, required seqNo [{wanted[0]}], primary term [{wanted[1]}]"
    if known is None:
        return f"{required}. but no document was found"
    if wanted != (known.seq_no, known.term):
        return f"{required}. current document has seqNo [{known.seq_no}] and primary term [{known.term}]"
    return None
