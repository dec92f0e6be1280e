"""The store of an embedded node: one SQLite file in write-ahead-log mode, every write on disk before it is answered.

SQLite is called from one thread of its own, never from the event loop. Writes that wait together are committed
together, in order: one
fsync for all of them, and a crash keeps a prefix. Watches read the in-process feed, and the table of changes for
what is older than it,
so that a watch can go on after a restart.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

from quidditch.model.codec import FormatError, decode, encode, with_version
from quidditch.model.objects import Object
from quidditch.store import api, rules
from quidditch.store.feed import Feed

_FORMAT = 1
_SCHEMA = """
CREATE TABLE objects (kind TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY
KEY (kind, name)) WITHOUT ROWID;
CREATE TABLE changes (version INTEGER PRIMARY KEY, type TEXT NOT NULL, data BLOB NOT NULL);
CREATE TABLE lease (one INTEGER PRIMARY KEY CHECK (one = 1), holder TEXT NOT NULL, epoch INTEGER NOT NULL, until REAL
NOT NULL, revision INTEGER NOT NULL);
INSERT INTO lease VALUES (1, '', 0, 0, 0);
"""
_T = TypeVar("_T")
_ChangeType = Literal["added", "modified", "deleted"]


def _timestamp() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class SqliteStore(api.Store):
    """Open it with :meth:`open`. Keeps the last `history` changes for watches."""

    def __init__(self, path: Path, history: int, new_uid: Callable[[], str], timestamp: Callable[[], str]) -> None:
        self._path = path
        self._history = history
        self._new_uid = new_uid
        self._timestamp = timestamp
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="store", daemon=True)
        self._db: sqlite3.Connection
        self._revision = 0
        self._feed = Feed(0, history)
        self._closed = False

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        history: int = 10_000,
        new_uid: Callable[[], str] = lambda: str(uuid.uuid4()),
        timestamp: Callable[[], str] = _timestamp,
    ) -> SqliteStore:
        """Opens or creates the file. Raises :class:`FormatError` for the file of a newer version,
        :class:`Unavailable` otherwise.
        """
        store = cls(path, history, new_uid, timestamp)
        store._thread.start()
        try:
            revision = await store._run(store._connect)
        except BaseException:
            store._jobs.put(None)
            raise
        store._feed = Feed(revision, history)
        return store

    # --- contract ---------------------------------------------------------------------------------------------------

    async def get(self, kind: str, name: str) -> Object:
        obj = await self._run(lambda: self._known(kind, name))
        if obj is None:
            raise api.NotFound(kind, name)
        return obj

    async def list(self, kind: str | None = None) -> api.Listing:
        return await self._run(lambda: self._list(kind))

    async def create(self, obj: Object, fence: int | None = None) -> Object:
        def job() -> Object:
            self._check(fence)
            return self._create(obj)

        return await self._run(job)

    async def create_all(self, objs: Sequence[Object], fence: int | None = None) -> Sequence[Object]:
        def job() -> Sequence[Object]:
            self._check(fence)
            return [self._create(obj) for obj in objs]

        return await self._run(job)

    async def update(self, obj: Object, fence: int | None = None) -> Object:
        def job() -> Object:
            self._check(fence)
            new, gone = rules.updated(obj, self._known(obj.kind, obj.metadata.name))
            return self._write("deleted" if gone else "modified", new)

        return await self._run(job)

    async def delete(self, kind: str, name: str, version: str | None = None, fence: int | None = None) -> Object | None:
        def job() -> Object | None:
            self._check(fence)
            new, gone = rules.deleted(kind, name, self._known(kind, name), version, self._timestamp())
            written = self._write("deleted" if gone else "modified", new)
            return None if gone else written

        return await self._run(job)

    async def watch(self, version: str) -> AsyncIterator[api.Event]:
        at = int(version)
        caught_up = False
        while not self._feed.closed:
            events = self._feed.since(at)
            if events is None:
                events = await self._run(partial(self._changes, at, self._feed.start))
            for event in events:
                at = int(event.version)
                yield event
            if not caught_up and at >= self._feed.version:
                caught_up = True
                yield api.Event("bookmark", str(at))
            await self._feed.wait(at)

    async def acquire(self, holder: str, now: float, duration: float, least: int = 0) -> api.Lease | None:
        def job() -> api.Lease | None:
            current, epoch, until = self._db.execute("SELECT holder, epoch, until FROM lease").fetchone()
            held = current if now < until else ""
            if held not in ("", holder):
                return None
            if held == "":
                epoch = max(epoch + 1, least)
            self._db.execute("UPDATE lease SET holder = ?, epoch = ?, until = ?", (holder, epoch, now + duration))
            return api.Lease(holder, epoch)

        return await self._run(job)

    async def leader(self) -> api.Lease | None:
        holder, epoch = await self._run(lambda: self._db.execute("SELECT holder, epoch FROM lease").fetchone())
        return api.Lease(holder, epoch) if holder else None

    async def epoch(self) -> int:
        return await self._run(self._epoch)

    async def release(self, lease: api.Lease) -> None:
        sql = "UPDATE lease SET holder = '', until = 0 WHERE holder = ? AND epoch = ?"
        await self._run(lambda: self._db.execute(sql, (lease.holder, lease.epoch)))

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._feed.close()
        self._jobs.put(None)
        await asyncio.get_running_loop().run_in_executor(None, self._thread.join)

    # --- on the store's thread --------------------------------------------------------------------------------------

    def _connect(self) -> int:
        try:
            self._db = sqlite3.connect(self._path, isolation_level=None, timeout=5)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            (number,) = self._db.execute("PRAGMA user_version").fetchone()
            if number > _FORMAT:
                raise FormatError(f"{self._path} has format {number}, this version reads up to {_FORMAT}")
            if number == 0:
                self._db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {_FORMAT}; COMMIT;")
            (self._revision,) = self._db.execute("SELECT revision FROM lease").fetchone()
        except sqlite3.Error as error:
            raise api.Unavailable(f"{self._path}: {error}") from error
        return self._revision

    def _known(self, kind: str, name: str) -> Object | None:
        row = self._db.execute("SELECT data, version FROM objects WHERE kind = ? AND name = ?", (kind, name)).fetchone()
        return None if row is None else decode(row[0], str(row[1]))

    def _list(self, kind: str | None) -> api.Listing:
        where, values = ("", ()) if kind is None else (" WHERE kind = ?", (kind,))
        rows = self._db.execute(f"SELECT data, version FROM objects{where} ORDER BY kind, name", values)
        return api.Listing([decode(data, str(version)) for data, version in rows], str(self._revision))

    def _changes(self, after: int, until: int) -> Sequence[api.Event]:
        """The changes in (after, until] from the table. Raises :class:`Expired`."""
        rows = self._db.execute(
            "SELECT version, type, data FROM changes WHERE version > ? AND version <= ? ORDER BY version",
            (after, until),
        ).fetchall()
        if len(rows) != until - after:
            raise api.Expired(f"changes after version {after} are no longer kept")
        return [api.Event(type, str(version), decode(data, str(version))) for version, type, data in rows]

    def _check(self, fence: int | None) -> None:
        if fence is None:
            return
        epoch = self._epoch()
        if fence != epoch:
            raise api.Fenced(f"epoch {fence} is over, the store is at {epoch}")

    def _epoch(self) -> int:
        (epoch,) = self._db.execute("SELECT epoch FROM lease").fetchone()
        return int(epoch)

    def _create(self, obj: Object) -> Object:
        return self._write("added", rules.created(obj, self._known(obj.kind, obj.metadata.name), self._new_uid()))

    def _write(self, type: _ChangeType, obj: Object) -> Object:
        self._revision += 1
        version, data = self._revision, encode(obj)
        key = (obj.kind, obj.metadata.name)
        if type == "deleted":
            self._db.execute("DELETE FROM objects WHERE kind = ? AND name = ?", key)
        else:
            self._db.execute("INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?)", (*key, version, data))
        self._db.execute("INSERT INTO changes VALUES (?, ?, ?)", (version, type, data))
        self._db.execute("DELETE FROM changes WHERE version <= ?", (version - self._history,))
        self._db.execute("UPDATE lease SET revision = ?", (version,))
        obj = with_version(obj, str(version))
        self._written.append(api.Event(type, str(version), obj))
        return obj

    # --- the thread -------------------------------------------------------------------------------------------------

    async def _run(self, work: Callable[[], _T]) -> _T:
        if self._closed:
            raise api.Unavailable("the store is closed")
        job = _Job(work, asyncio.get_running_loop())
        self._jobs.put(job)
        # Shielded: what the thread has begun is finished and fed to the watches even if the caller gives up.
        return await asyncio.shield(job.future)

    def _work(self) -> None:
        self._written: list[api.Event] = []
        while (job := self._jobs.get()) is not None:
            jobs = [job]
            while not self._jobs.empty():
                more = self._jobs.get()
                if more is None:
                    self._jobs.put(None)
                    break
                jobs.append(more)
            self._commit(jobs)
        if hasattr(self, "_db"):
            self._db.close()

    def _commit(self, jobs: Sequence[_Job]) -> None:
        """Runs the jobs in one transaction, each in a savepoint, and answers them after the commit."""
        if not hasattr(self, "_db"):
            jobs[0].run()
            self._answer(jobs[:1])
            jobs = jobs[1:]
            if not jobs:
                return
        before = self._revision
        try:
            self._db.execute("BEGIN IMMEDIATE")
            for job in jobs:
                self._db.execute("SAVEPOINT job")
                revision, written = self._revision, len(self._written)
                job.run()
                if job.error is not None:
                    self._db.execute("ROLLBACK TO job")
                    self._revision = revision
                    del self._written[written:]
                self._db.execute("RELEASE job")
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            self._revision = before
            self._written.clear()
            for job in jobs:
                job.error = api.Unavailable(f"{self._path}: {error}")
        self._answer(jobs)

    def _answer(self, jobs: Sequence[_Job]) -> None:
        written, self._written = self._written, []

        def answer() -> None:
            for event in written:
                self._feed.append(event)
            for job in jobs:
                job.answer()

        try:
            jobs[0].loop.call_soon_threadsafe(answer)
        except RuntimeError:
            pass  # the event loop has ended; nobody waits any more


class _Job:
    """One piece of work for the store's thread and where its outcome goes."""

    def __init__(self, work: Callable[[], Any], loop: asyncio.AbstractEventLoop) -> None:
        self.work = work
        self.loop = loop
        self.future: asyncio.Future[Any] = loop.create_future()
        self.outcome: Any = None
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.outcome = self.work()
        except sqlite3.Error:
            raise
        except Exception as error:
            self.error = error

    def answer(self) -> None:
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.outcome)
