"""Carries decided operations into the store: each a compare-and-set fenced by the leader's epoch.

Operations that share a group or an object are written one after the other, the rest side by side (a store may then put them
into one commit).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from quidditch.controlplane.core.draft import FINALIZER, Op
from quidditch.controlplane.overflow import Parts, split
from quidditch.model.objects import Index, Object
from quidditch.model.state import Change, ClusterState, Deleted
from quidditch.store import api

_AT_ONCE = 480
"""Writes that are on their way side by side: enough to fill what a store takes at once, few enough to hold up nothing else."""


class Outcome(msgspec.Struct):
    """What became of one piece of work: the changes that are in the store, and the error that stopped it."""

    changes: list[Change] = []
    error: api.StoreError | None = None


class Writer:
    """Writes on behalf of one leader, and tells its writes from others' when the watch brings them."""

    def __init__(self, store: api.Store, epoch: int) -> None:
        self._store = store
        self._epoch = epoch
        self._own: set[tuple[str, str, str]] = set()
        self.parts = Parts()

    def is_own(self, obj: Object, version: str) -> bool:
        """Whether this leader wrote it, asked once for each event. A deletion at once is not known again: it has no version."""
        key = (obj.kind, obj.metadata.name, version)
        own = key in self._own
        self._own.discard(key)
        return own

    def forget(self) -> None:
        """No event of what was written so far will come."""
        self._own.clear()

    async def write(self, base: ClusterState, works: Sequence[Sequence[Op]]) -> list[Outcome]:
        """Writes each piece of work (the operations of one command); answers one outcome per piece, in order."""
        outcomes = [Outcome() for _ in works]
        runs = _components(works)
        for start in range(0, len(runs), _AT_ONCE):
            some = runs[start : start + _AT_ONCE]
            if len(some) == 1:
                await self._run(base, works, some[0], outcomes)
            else:
                await asyncio.gather(*(self._run(base, works, members, outcomes) for members in some))
        if not any(outcome.error for outcome in outcomes):
            await self.parts.clear(self._store, self._epoch)
        return outcomes

    async def _run(
        self,
        base: ClusterState,
        works: Sequence[Sequence[Op]],
        members: Sequence[tuple[int, int]],
        outcomes: list[Outcome],
    ) -> None:
        latest: dict[tuple[str, str], Object | None] = {}
        failed: api.StoreError | None = None
        for work, position in members:
            outcome = outcomes[work]
            if failed is not None:
                outcome.error = outcome.error or failed
                continue
            op = works[work][position]
            known = latest[op.target] if op.target in latest else base.objects(op.target[0]).get(op.target[1])
            try:
                stored = await self._one(op, known)
            except api.StoreError as error:
                failed = outcome.error = error
                continue
            latest[op.target] = stored
            gone = op.action == "remove" or stored is None
            outcome.changes.append(Deleted(*op.target) if gone or stored is None else stored)

    async def _one(self, op: Op, known: Object | None) -> Object | None:
        """The object as it stands in the store now; None if it is gone."""
        if op.action == "put":
            assert not isinstance(op.change, Deleted)
            return self._noted(await self._put(op.change, known))
        if op.action == "remove":
            version = known.metadata.resource_version if known else None
            try:
                return self._noted(await self._store.delete(op.target[0], op.name, version, self._epoch))
            except api.NotFound:
                return None
        if known is None:
            return None
        rest = tuple(each for each in known.metadata.finalizers if each != FINALIZER)
        released = replace(known, metadata=replace(known.metadata, finalizers=rest))
        if isinstance(released, Index):
            released, _ = split(released)
            self.parts.uses(released.name, "")
        written = self._noted(await self._store.update(released, self._epoch))
        return written if rest else None

    async def _put(self, obj: Object, known: Object | None) -> Object:
        if not isinstance(obj, Index):
            return await self._store_one(obj, known)
        slim, parts = split(obj)
        for part in await self.parts.write(self._store, parts, self._epoch):
            self._noted(part)
        stored = await self._store_one(slim, known)
        self.parts.uses(obj.name, slim.spec.mapping_digest)
        return replace(obj, metadata=stored.metadata)

    async def _store_one(self, obj: Object, known: Object | None) -> Object:
        if known is None:
            bare = replace(obj, metadata=replace(obj.metadata, resource_version="", uid=""))
            return await self._store.create(bare, self._epoch)
        meta = replace(obj.metadata, resource_version=known.metadata.resource_version)
        return await self._store.update(replace(obj, metadata=meta), self._epoch)

    def _noted(self, obj: Object | None) -> Object | None:
        if obj is not None:
            self._own.add((obj.kind, obj.metadata.name, obj.metadata.resource_version))
        return obj


def _components(works: Sequence[Sequence[Op]]) -> list[list[tuple[int, int]]]:
    """(work, position) pairs in order, split into sets that share neither a group nor an object."""
    parent: dict[object, object] = {}

    def find(key: object) -> object:
        while parent.setdefault(key, key) != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    for work in works:
        for op in work:
            parent[find(op.group)] = find(op.target)
    found: dict[object, list[tuple[int, int]]] = {}
    for number, work in enumerate(works):
        for position, op in enumerate(work):
            found.setdefault(find(op.target), []).append((number, position))
    return list(found.values())
