"""Carries decided operations into the store: each a compare-and-set fenced by the leader's epoch.

Operations that share a group or an object are written one after the other, the rest side by side (a store may then put them
into one commit). New objects of one command that follow each other are given to the store together: a store that can writes them at
once, all or none.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence

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

    def is_own(self, obj: Object) -> bool:
        """Whether this leader wrote it, asked once for each event. A deletion at once is not known again: it has no version."""
        key = (obj.kind, obj.metadata.name, obj.metadata.resource_version)
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

        def known(op: Op) -> Object | None:
            return latest[op.target] if op.target in latest else base.objects(op.target[0]).get(op.target[1])

        for work, positions in itertools.groupby(members, key=lambda member: member[0]):
            outcome = outcomes[work]
            ops = [works[work][position] for _, position in positions]
            while ops and failed is None:
                news = _news(ops, known)
                some = ops[: max(1, len(news))]
                del ops[: len(some)]
                try:
                    made = await self._created(news) if len(news) > 1 else [await self._one(some[0], known(some[0]))]
                except api.StoreError as error:
                    failed = error
                    break
                for op, stored in zip(some, made, strict=True):
                    latest[op.target] = stored
                    gone = op.action == "remove" or stored is None
                    outcome.changes.append(Deleted(*op.target) if gone or stored is None else stored)
            outcome.error = outcome.error or failed

    async def _one(self, op: Op, known: Object | None) -> Object | None:
        """The object as it stands in the store now; None if it is gone."""
        if op.action == "put":
            assert not isinstance(op.change, Deleted)
            return await self._put(op.change, known)
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

    async def _created(self, objs: Sequence[Object]) -> list[Object]:
        slim = [await self._slim(obj) for obj in objs]
        stored = await self._store.create_all([_bare(each) for each in slim], self._epoch)
        return [self._whole(*each) for each in zip(objs, slim, stored, strict=True)]

    async def _put(self, obj: Object, known: Object | None) -> Object:
        slim = await self._slim(obj)
        if known is None:
            stored = await self._store.create(_bare(slim), self._epoch)
        else:
            meta = replace(slim.metadata, resource_version=known.metadata.resource_version)
            stored = await self._store.update(replace(slim, metadata=meta), self._epoch)
        return self._whole(obj, slim, stored)

    async def _slim(self, obj: Object) -> Object:
        """The object as it is stored, when what it refers to is there."""
        if not isinstance(obj, Index):
            return obj
        slim, parts = split(obj)
        for part in await self.parts.write(self._store, parts, self._epoch):
            self._noted(part)
        return slim

    def _whole(self, obj: Object, slim: Object, stored: Object) -> Object:
        """The object as others see it once it is `stored`."""
        self._noted(stored)
        if not isinstance(obj, Index) or not isinstance(slim, Index):
            return stored
        self.parts.uses(obj.name, slim.spec.mapping_digest)
        asked = stored.spec.asked if isinstance(stored, Index) else None
        spec = obj.spec if asked == obj.spec.asked else replace(obj.spec, asked=asked)
        return replace(obj, metadata=stored.metadata, spec=spec)

    def _noted(self, obj: Object | None) -> Object | None:
        if obj is not None:
            self._own.add((obj.kind, obj.metadata.name, obj.metadata.resource_version))
        return obj


def _news(ops: Sequence[Op], known: Callable[[Op], Object | None]) -> list[Object]:
    """The new objects that the operations begin with, each once."""
    found: dict[tuple[str, str], Object] = {}
    for op in ops:
        if op.action != "put" or op.target in found or known(op) is not None:
            break
        assert not isinstance(op.change, Deleted)
        found[op.target] = op.change
    return list(found.values())


def _bare(obj: Object) -> Object:
    return replace(obj, metadata=replace(obj.metadata, resource_version="", uid=""))


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
