"""The history of a cluster's state in etcd, and what must hold of it: one leader acts at a time, and every write is that of the newest one.

Every fenced write puts the epoch of its leader beside it (`<prefix>/writer`); the newest epoch is a key of its own. So the history of all
keys tells of each write who made it, and who had taken the lead before.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from quidditch.store import api
from quidditch.store.etcd import wire_pb2 as pb
from quidditch.store.etcd.client import RANGE, Client
from quidditch.store.etcd.keys import Keys
from quidditch.store.etcd.watch import Watch


@dataclass(frozen=True, slots=True)
class Commit:
    """What one revision changed. `objects`: key (`Kind/name`) and whether it is there now; `writer`: the epoch that the write says;
    `epoch`: the epoch that began with it; `seen`: when the recorder heard of it, in its clock's seconds.
    """

    revision: int
    objects: tuple[tuple[str, bool], ...] = ()
    writer: int | None = None
    epoch: int | None = None
    seen: float = field(default=0.0, compare=False)

    def __str__(self) -> str:
        objects = ", ".join(f"{'+' if there else '-'}{key}" for key, there in self.objects)
        began = "" if self.epoch is None else f" epoch {self.epoch} begins"
        return f"{self.seen:.3f} revision {self.revision}:{began} [{objects}] by {self.writer}"


def problems(history: Iterable[Commit]) -> list[str]:
    """What must not be, in order: an epoch that does not rise, a write that names no leader, that of a leader of another epoch than the
    newest, a revision that goes back.
    """
    found = []
    newest = 0
    before = 0
    for commit in history:
        if commit.revision <= before:
            found.append(f"{commit} comes after revision {before}")
        before = commit.revision
        if commit.epoch is not None:
            if commit.epoch <= newest:
                found.append(f"{commit}, but epoch {newest} had begun before")
            newest = max(newest, commit.epoch)
        if commit.writer is None:
            if commit.objects:
                found.append(f"{commit}: nobody's write")
        elif commit.writer != newest:
            found.append(f"{commit}, but the newest epoch is {newest}")
    return found


def lost(history: Iterable[Commit], acknowledged: Iterable[str]) -> set[str]:
    """The keys of objects that were acknowledged to be there and never were."""
    return set(acknowledged) - {key for commit in history for key, there in commit.objects if there}


class Recorder:
    """Follows all keys of a cluster from the first on, in a thread of its own, over members that are killed and cut off.

    `from_now`: the cluster has no keys yet, in an etcd that others use and compact too.
    """

    def __init__(self, endpoints: Sequence[str], cluster: str = "quidditch", *, from_now: bool = False) -> None:
        self._endpoints = list(endpoints)
        self._prefix = f"/quidditch/{cluster}"
        self._keys = Keys(self._prefix)
        self._commits: list[Commit] = []
        self._at = asyncio.run(self._revision()) if from_now else 0
        self._stopping = threading.Event()
        self._moved = threading.Condition()
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)

    @contextlib.contextmanager
    def running(self) -> Iterator[Recorder]:
        self._thread.start()
        try:
            yield self
        finally:
            self._stopping.set()
            self._thread.join()

    def everything(self, timeout: float = 60.0) -> list[Commit]:
        """The history up to what etcd has now. Raises :class:`AssertionError` if it cannot be had."""
        wanted = asyncio.run(self._revision())
        with self._moved:
            reached = self._moved.wait_for(lambda: self._at >= wanted or self._failed is not None, timeout)
        assert self._failed is None, f"the history has a gap: {self._failed}"
        assert reached, f"the history ends at {self._at}, etcd is at {wanted}"
        return list(self._commits)

    async def _revision(self) -> int:
        client = Client(self._endpoints, None, None, 30.0)
        try:
            answer = await client.call(RANGE, pb.RangeRequest(key=self._keys.epoch), repeatable=True)
            return int(answer.header.revision)
        finally:
            await client.close()

    def _run(self) -> None:
        try:
            asyncio.run(self._follow())
        except BaseException as error:
            with self._moved:
                self._failed = error
                self._moved.notify_all()

    async def _follow(self) -> None:
        client = Client(self._endpoints, None, None, 10.0)
        following = asyncio.create_task(self._watch(client))
        while not self._stopping.is_set() and not following.done():
            await asyncio.wait([following], timeout=0.05)
        following.cancel()
        outcome = (await asyncio.gather(following, return_exceptions=True))[0]
        await client.close()
        if isinstance(outcome, Exception):
            raise outcome

    async def _watch(self, client: Client) -> None:
        start = f"{self._prefix}/".encode()
        while True:
            watch = Watch(client, start, start[:-1] + b"0", self._at)
            try:
                async with contextlib.aclosing(watch.batches()) as batches:
                    async for batch in batches:
                        self._take(batch.revision, batch.events)
            except api.Unavailable:
                await asyncio.sleep(0.05)

    def _take(self, revision: int, events: Sequence[pb.Event]) -> None:
        alike: dict[int, list[pb.Event]] = {}
        for event in events:
            alike.setdefault(event.kv.mod_revision, []).append(event)
        with self._moved:
            self._commits += [self._commit(number, some) for number, some in alike.items()]
            self._at = max(self._at, revision)
            self._moved.notify_all()

    def _commit(self, revision: int, events: Sequence[pb.Event]) -> Commit:
        objects = []
        numbers: dict[bytes, int] = {}
        first = f"{self._prefix}/objects/"
        for event in events:
            there = event.type != pb.Event.DELETE
            key = event.kv.key.decode()
            if key.startswith(first):
                objects.append((key.removeprefix(first), there))
            elif there and event.kv.key in (self._keys.writer, self._keys.epoch):
                numbers[event.kv.key] = int(event.kv.value)
        writer, epoch = numbers.get(self._keys.writer), numbers.get(self._keys.epoch)
        return Commit(revision, tuple(objects), writer, epoch, time.monotonic())
