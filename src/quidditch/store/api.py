"""The state-store contract: what every mode's store must do, and nothing else.

Objects are written one at a time; there is no transaction over several. A write names the version it expects
(compare-and-set), and may
carry a *fence*: it succeeds only if the fencing epoch of the store is still the writer's, so a deposed leader cannot
write.
tests/contract/test_store.py holds every backend to this.
"""

from __future__ import annotations

import abc
from collections.abc import AsyncIterator, Sequence
from typing import Literal

import msgspec

from quidditch.model.objects import Object


class StoreError(Exception):
    """Base of what a store raises."""


class Conflict(StoreError):
    """The object is not at the version that the writer expected (or exists although it should not)."""

    def __init__(self, kind: str, name: str, problem: str) -> None:
        super().__init__(f"{kind} [{name}]: {problem}")
        self.kind = kind
        self.name = name


class AlreadyExists(Conflict):
    """Create of an object that is there."""


class NotFound(StoreError):
    """The object is not there."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"{kind} [{name}] not found")


class Fenced(StoreError):
    """The writer's epoch is over: another leader has taken the lease since. Whatever the writer knows is stale."""


class Expired(StoreError):
    """A watch cannot go on from that version, its changes are no longer kept: list again."""


class Unavailable(StoreError):
    """The store does not answer; whether a write happened is unknown."""


class Refused(StoreError):
    """The store answers, but will not do it (permission, quota, size). Nothing was written."""


class TooLarge(Refused):
    """The object is bigger than this store keeps one."""

    def __init__(self, kind: str, name: str, size: int, limit: int) -> None:
        super().__init__(f"{kind} [{name}] has {size} bytes, this store keeps at most {limit} in one object")


class Listing(msgspec.Struct, frozen=True):
    """All objects at one version; a watch from `version` continues it without a gap."""

    objects: Sequence[Object]
    version: str


class Event(msgspec.Struct, frozen=True):
    """A change, in the order of the store. A `bookmark` has no object: nothing else happened up to `version`.

    Changes that the store committed together share a version and follow each other; an object is among them once.
    Whoever goes on from a version has had all of them.
    """

    type: Literal["added", "modified", "deleted", "bookmark"]
    version: str
    object: Object | None = None


class Lease(msgspec.Struct, frozen=True):
    """Leadership: `epoch` rises with every new holder."""

    holder: str
    epoch: int


class Store(abc.ABC):
    """A store of control-plane objects. All names are object names (`metadata.name`), versions are opaque except to
    the store itself.

    Every method may raise :class:`Unavailable` or :class:`Refused`. Objects come back with `metadata.resource_version` and
    `metadata.uid` set.
    """

    @abc.abstractmethod
    async def get(self, kind: str, name: str) -> Object:
        """The object as it is now, never from a cache. Raises :class:`NotFound`."""

    @abc.abstractmethod
    async def list(self, kind: str | None = None) -> Listing:
        """All objects (of a kind) at one version, ordered by kind and name."""

    @abc.abstractmethod
    async def create(self, obj: Object, fence: int | None = None) -> Object:
        """Stores a new object. Its resource version must be empty. Raises :class:`AlreadyExists`, :class:`Fenced`."""

    async def create_all(self, objs: Sequence[Object], fence: int | None = None) -> Sequence[Object]:
        """As :meth:`create` for each, in this order: whatever happens, the first some of them are there, or all, or none.

        A store that can does all or none, in one write. Raises what the first raises that cannot be created.
        """
        return [await self.create(obj, fence) for obj in objs]

    @abc.abstractmethod
    async def update(self, obj: Object, fence: int | None = None) -> Object:
        """Replaces the object if it still has `obj.metadata.resource_version`.

        A changed spec raises the generation; a deletion timestamp cannot be changed. Raises :class:`NotFound`,
        :class:`Conflict`, :class:`Fenced`.
        """

    @abc.abstractmethod
    async def delete(self, kind: str, name: str, version: str | None = None, fence: int | None = None) -> Object | None:
        """Removes the object, if it still has `version` where one is given.

        An object with finalizers is only marked (`deletion_timestamp`) and comes back; it goes when an update takes
        its last finalizer.
        Raises :class:`NotFound`, :class:`Conflict`, :class:`Fenced`.
        """

    @abc.abstractmethod
    def watch(self, version: str) -> AsyncIterator[Event]:
        """Every change after `version`, in order, without end; bookmarks in between. Raises :class:`Expired`."""

    @abc.abstractmethod
    async def acquire(self, holder: str, now: float, duration: float, least: int = 0) -> Lease | None:
        """Takes or renews the leader lease for `duration` seconds; None while another holds it. Renewal keeps the
        epoch, a new holder gets a higher one (also the same holder after its lease ran out or was released), and at
        least `least`.

        A store without a clock of its own goes by `now` (seconds); one that has one (etcd) lets the lease run out by
        that, and may do so later than asked, never earlier.
        """

    @abc.abstractmethod
    async def leader(self) -> Lease | None:
        """The lease as it was last taken and not released; its time may be over."""

    @abc.abstractmethod
    async def epoch(self) -> int:
        """Of the newest lease, held or not: what fences are compared with. 0 before the first."""

    @abc.abstractmethod
    async def release(self, lease: Lease) -> None:
        """Gives the lease back; nothing if it is no longer held. Whoever knows that the holder is gone may do so for it:
        should it live after all, the epoch of the next leader keeps it from writing.
        """

    @abc.abstractmethod
    async def close(self) -> None:
        """Ends all watches and frees what the store holds."""
