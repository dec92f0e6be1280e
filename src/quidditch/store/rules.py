"""What a write makes of an object, the same in every store that keeps objects itself."""

from __future__ import annotations

from msgspec.structs import replace

from quidditch.model.objects import Object
from quidditch.store.api import AlreadyExists, Conflict, NotFound


def created(obj: Object, known: Object | None, uid: str) -> Object:
    """`obj` as it is stored first. Raises :class:`AlreadyExists`, :class:`Conflict`."""
    meta = obj.metadata
    if known is not None:
        raise AlreadyExists(obj.kind, meta.name, "exists already")
    if meta.resource_version:
        raise Conflict(obj.kind, meta.name, "a new object has no version")
    return replace(obj, metadata=replace(meta, uid=meta.uid or uid, generation=1, deletion_timestamp=None))


def updated(obj: Object, known: Object | None) -> tuple[Object, bool]:
    """`obj` as it replaces `known`, and whether it goes (the last finalizer was taken from an object marked for
    deletion).
    """
    meta = obj.metadata
    if known is None:
        raise NotFound(obj.kind, meta.name)
    old = known.metadata
    if meta.resource_version != old.resource_version:
        raise Conflict(obj.kind, meta.name, f"is at version {old.resource_version}, expected {meta.resource_version}")
    generation = old.generation + (obj.spec != known.spec)
    new = replace(meta, uid=old.uid, generation=generation, deletion_timestamp=old.deletion_timestamp)
    return replace(obj, metadata=new), old.deletion_timestamp is not None and not meta.finalizers


def deleted(kind: str, name: str, known: Object | None, version: str | None, timestamp: str) -> tuple[Object, bool]:
    """The object as the deletion leaves it, and whether it goes."""
    if known is None:
        raise NotFound(kind, name)
    meta = known.metadata
    if version is not None and version != meta.resource_version:
        raise Conflict(kind, name, f"is at version {meta.resource_version}, expected {version}")
    if not meta.finalizers:
        return known, True
    stamp = meta.deletion_timestamp or timestamp
    return replace(known, metadata=replace(meta, deletion_timestamp=stamp)), False


def as_it_went(obj: Object) -> Object:
    """A deleted object as stores tell of it that have only what stood there before: one that was marked went with its last finalizer."""
    if obj.metadata.deletion_timestamp is None:
        return obj
    return replace(obj, metadata=replace(obj.metadata, finalizers=()))
