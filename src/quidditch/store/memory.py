"""The store in memory: the reference of the contract, for tests and for nodes that keep nothing."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Literal

from quidditch.model.codec import with_version
from quidditch.model.objects import Object
from quidditch.store import api, rules
from quidditch.store.feed import Feed


def _timestamp() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class MemoryStore(api.Store):
    """Keeps the last `history` changes for watches."""

    def __init__(
        self,
        *,
        history: int = 10_000,
        new_uid: Callable[[], str] = lambda: str(uuid.uuid4()),
        timestamp: Callable[[], str] = _timestamp,
    ) -> None:
        self._objects: dict[tuple[str, str], Object] = {}
        self._feed = Feed(0, history)
        self._new_uid = new_uid
        self._timestamp = timestamp
        self._lease: api.Lease | None = None
        self._lease_until = 0.0
        self._epoch = 0

    async def get(self, kind: str, name: str) -> Object:
        obj = self._objects.get((kind, name))
        if obj is None:
            raise api.NotFound(kind, name)
        return obj

    async def list(self, kind: str | None = None) -> api.Listing:
        keys = sorted(key for key in self._objects if kind is None or key[0] == kind)
        return api.Listing([self._objects[key] for key in keys], str(self._feed.version))

    async def create(self, obj: Object, fence: int | None = None) -> Object:
        self._check(fence)
        new = rules.created(obj, self._objects.get((obj.kind, obj.metadata.name)), self._new_uid())
        return self._write("added", new)

    async def update(self, obj: Object, fence: int | None = None) -> Object:
        self._check(fence)
        new, gone = rules.updated(obj, self._objects.get((obj.kind, obj.metadata.name)))
        return self._write("deleted" if gone else "modified", new)

    async def delete(self, kind: str, name: str, version: str | None = None, fence: int | None = None) -> Object | None:
        self._check(fence)
        new, gone = rules.deleted(kind, name, self._objects.get((kind, name)), version, self._timestamp())
        written = self._write("deleted" if gone else "modified", new)
        return None if gone else written

    def _check(self, fence: int | None) -> None:
        if self._feed.closed:
            raise api.Unavailable("the store is closed")
        if fence is not None and fence != self._epoch:
            raise api.Fenced(f"epoch {fence} is over, the store is at {self._epoch}")

    def _write(self, type: Literal["added", "modified", "deleted"], obj: Object) -> Object:
        version = str(self._feed.version + 1)
        obj = with_version(obj, version)
        key = (obj.kind, obj.metadata.name)
        if type == "deleted":
            self._objects.pop(key, None)
        else:
            self._objects[key] = obj
        self._feed.append(api.Event(type, version, obj))
        return obj

    async def watch(self, version: str) -> AsyncIterator[api.Event]:
        at = int(version)
        caught_up = False
        while not self._feed.closed:
            events = self._feed.since(at)
            if events is None:
                raise api.Expired(f"changes after version {at} are no longer kept")
            for event in events:
                at = int(event.version)
                yield event
            if not caught_up and at >= self._feed.version:
                caught_up = True
                yield api.Event("bookmark", str(at))
            await self._feed.wait(at)

    async def acquire(self, holder: str, now: float, duration: float, least: int = 0) -> api.Lease | None:
        held = self._lease if now < self._lease_until else None
        if held is not None and held.holder != holder:
            return None
        if held is None:
            self._epoch = max(self._epoch + 1, least)
            held = self._lease = api.Lease(holder, self._epoch)
        self._lease_until = now + duration
        return held

    async def leader(self) -> api.Lease | None:
        return self._lease

    async def epoch(self) -> int:
        return self._epoch

    async def release(self, lease: api.Lease) -> None:
        if self._lease == lease:
            self._lease = None

    async def close(self) -> None:
        self._feed.close()
