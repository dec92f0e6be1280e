"""Backups of the cluster's state: all objects of a store at one version, in a file that any store can be filled from.

The file is lines of JSON: a header (format, cluster, epoch, count), the objects as stores encode them, and the SHA-256 of all lines
before. It holds no documents; data nodes have these. What a restored store does not keep: resource versions (its own count), the
generation (1 again), and the time of a deletion that is under way (it is begun anew).
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from quidditch.model.codec import FormatError, decode, encode, with_version
from quidditch.model.objects import Cluster, Object, Routing
from quidditch.store import api

FORMAT = 1
EPOCHS = 1_000_000
"""More leaders than there were between a backup and its restore."""
TERMS = 1_000
"""More primary terms of a shard than there were between a backup and its restore."""
_MAGIC = "quidditch cluster state"
_BATCH = 128
_LEASE_SECONDS = 15.0

Progress = Callable[[int], None]
"""Told how many objects more are done."""


class BackupError(Exception):
    """The backup cannot be taken, read or restored; the message is one sentence for the user."""


class Backup(msgspec.Struct, frozen=True):
    """`epoch` is that of the newest leader when it was taken."""

    cluster: Cluster
    epoch: int
    objects: Sequence[Object]


class _Header(msgspec.Struct, frozen=True):
    kind: str
    format: int
    cluster_name: str
    cluster_uuid: str
    epoch: int
    objects: int


class _Trailer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sha256: str


async def take(store: api.Store) -> Backup:
    """All objects as they are at one version. Raises :class:`BackupError` where there is no cluster, :class:`StoreError`."""
    objects = (await store.list()).objects
    cluster = _cluster(objects)
    if cluster is None:
        raise BackupError("the store holds no cluster")
    return Backup(cluster, await store.epoch(), objects)


def dump(backup: Backup) -> bytes:
    """The file's bytes."""
    spec = backup.cluster.spec
    header = _Header(_MAGIC, FORMAT, spec.name, spec.uuid, backup.epoch, len(backup.objects))
    body = b"".join(line + b"\n" for line in (msgspec.json.encode(header), *map(encode, backup.objects)))
    return body + msgspec.json.encode(_Trailer(hashlib.sha256(body).hexdigest())) + b"\n"


def parse(data: bytes) -> Backup:
    """What :func:`dump` wrote. Raises :class:`BackupError` for what is damaged, truncated, newer, or something else."""
    header = _header(data.partition(b"\n")[0])
    body, trailer = _split(data)
    if hashlib.sha256(body).hexdigest() != trailer.sha256:
        raise BackupError("the backup is damaged: its content does not match its checksum")
    try:
        objects = [decode(line) for line in body.splitlines()[1:]]
    except FormatError as error:
        raise BackupError(f"the backup cannot be read: {error}") from None
    cluster = _cluster(objects)
    if cluster is None or len(objects) != header.objects:
        raise BackupError("the backup is damaged: it does not hold the objects that its header tells of")
    return Backup(cluster, header.epoch, objects)


def _header(line: bytes) -> _Header:
    try:
        head: Any = msgspec.json.decode(line)
        if head["kind"] != _MAGIC:
            raise KeyError
        number = int(head["format"])
        if number > FORMAT:
            raise BackupError(f"the backup has format {number}, this version reads up to {FORMAT}")
        return msgspec.convert(head, _Header)
    except (msgspec.MsgspecError, UnicodeDecodeError, KeyError, TypeError, ValueError):
        raise BackupError("the file is not a backup of a cluster's state, or its beginning is damaged") from None


def _split(data: bytes) -> tuple[bytes, _Trailer]:
    """What the checksum is about, and the checksum."""
    start = data.rstrip(b"\n").rfind(b"\n") + 1
    try:
        if not data.endswith(b"\n"):
            raise ValueError
        return data[:start], msgspec.json.decode(data[start:], type=_Trailer)
    except ValueError:  # msgspec's errors are such, too
        raise BackupError("the backup is truncated: it does not end with its checksum") from None


def _cluster(objects: Sequence[Object]) -> Cluster | None:
    return next((obj for obj in objects if isinstance(obj, Cluster)), None)


# --- restoring ----------------------------------------------------------------------------------------------------------


async def restore(store: api.Store, backup: Backup, holder: str, now: Callable[[], float], done: Progress) -> None:
    """Fills an empty store; one that an interrupted restore of the same backup has begun to fill is filled up.

    The cluster itself comes last: until it is there no leader begins. `holder` takes the lead meanwhile, `now` is the time in
    seconds since 1970. Epoch and primary terms begin above all that there can have been since the backup, also of an earlier restore
    of it: data nodes that live on follow the new leader, former leaders and primaries stay fenced. Raises :class:`BackupError`,
    :class:`StoreError`.
    """
    least = max(backup.epoch + EPOCHS, int(now()))
    lease = await store.acquire(holder, now(), _LEASE_SECONDS, least)
    if lease is None:
        raise BackupError(await _led(store))
    try:
        wanted = [_raised(obj) for obj in backup.objects if not isinstance(obj, Cluster)]
        left = _missing(wanted, (await store.list()).objects)
        done(len(wanted) - len(left))
        for start in range(0, len(left), _BATCH):
            batch = left[start : start + _BATCH]
            written = [store.create(_fresh(obj), lease.epoch) for obj in batch]
            for outcome in await asyncio.gather(*written, return_exceptions=True):
                if isinstance(outcome, BaseException):
                    raise outcome
            done(len(batch))
            if await store.acquire(holder, now(), _LEASE_SECONDS) != lease:
                raise api.Fenced("another took the lead during the restore")
        for obj in wanted:
            if obj.metadata.deletion_timestamp is not None:
                await store.delete(obj.kind, obj.metadata.name, fence=lease.epoch)
        status = replace(backup.cluster.status, restored=lease.epoch, voters=())
        await store.create(_fresh(replace(backup.cluster, status=status)), lease.epoch)
        done(1)
    finally:
        with contextlib.suppress(api.StoreError):  # then it runs out
            await store.release(lease)


async def _led(store: api.Store) -> str:
    lease = await store.leader()
    holder = lease.holder if lease is not None else "another process"
    return (
        f"the store is not free: {holder} has the lead; end the masters that use it (after an interrupted restore wait "
        f"{_LEASE_SECONDS:g} seconds)"
    )


def _missing(wanted: Sequence[Object], there: Sequence[Object]) -> Sequence[Object]:
    """What is still to be written. Raises :class:`BackupError` if something else is there."""
    cluster = _cluster(there)
    if cluster is not None:
        raise BackupError(
            f"the store is not empty: it holds the cluster [{cluster.spec.name}] with the uuid {cluster.spec.uuid}, "
            f"{len(there)} objects in all"
        )
    known = {(obj.kind, obj.metadata.name): _essence(obj) for obj in there}
    for obj in wanted:
        if known.get((obj.kind, obj.metadata.name)) == _essence(obj):
            del known[obj.kind, obj.metadata.name]
    if known:
        kind, name = next(iter(known))
        raise BackupError(f"the store is not empty: it holds {kind} [{name}], which is not of this backup")
    names = {(obj.kind, obj.metadata.name) for obj in there}
    return [obj for obj in wanted if (obj.kind, obj.metadata.name) not in names]


def _raised(obj: Object) -> Object:
    """The object with primary terms that no primary has had."""
    if not isinstance(obj, Routing):
        return obj
    shards = tuple(
        replace(shard, primary_term=shard.primary_term + TERMS) if shard.primary_term else shard
        for shard in obj.spec.shards
    )
    return replace(obj, spec=replace(obj.spec, shards=shards))


def _fresh(obj: Object) -> Object:
    return with_version(obj, "")


def _essence(obj: Object) -> Object:
    """The object without what a store counts itself."""
    metadata = replace(obj.metadata, generation=1, resource_version="", deletion_timestamp=None)
    return replace(obj, metadata=metadata)
