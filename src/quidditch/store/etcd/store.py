"""The store of raft mode: an etcd cluster, 3.5.21 or later.

The version of an object is its key's modification revision, that of a list or an event etcd's revision. Who writes also compacts: changes
older than `history` revisions are dropped now and then, for the whole etcd cluster.
"""

from __future__ import annotations

import contextlib
import re
import uuid
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime

import structlog

from quidditch.lib.metrics import Metrics
from quidditch.model.codec import FormatError, decode, encode, with_version
from quidditch.model.objects import Object
from quidditch.store import api, rules
from quidditch.store.etcd import keys
from quidditch.store.etcd import wire_pb2 as pb
from quidditch.store.etcd.batch import MAX_BYTES, MAX_KEYS, Batcher
from quidditch.store.etcd.batch import Change as KeyChange
from quidditch.store.etcd.client import COMPACT, RANGE, STATUS, TXN, Client, Credentials, Tls
from quidditch.store.etcd.leadership import Leadership
from quidditch.store.etcd.listing import list_range
from quidditch.store.etcd.watch import Watch

_log = structlog.get_logger(__name__)

FORMAT = 1
LEAST_VERSION = (3, 5, 21)
"""Older ones lose or reorder events of a watch in rare cases."""
MAX_OBJECT = 1024 * 1024
"""Bytes of one encoded object. etcd takes requests of 1.5 MiB."""
_REMEMBERED = 65_536


def _timestamp() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def open(
    endpoints: Sequence[str],
    *,
    prefix: str,
    tls: Tls | None = None,
    credentials: Credentials | None = None,
    timeout: float = 5.0,
    history: int | None = 10_000,
    new_uid: Callable[[], str] = lambda: str(uuid.uuid4()),
    timestamp: Callable[[], str] = _timestamp,
    metrics: Metrics | None = None,
) -> EtcdStore:
    """Connects to the etcd cluster behind these endpoints (`host:port`, `https://host:port`) and checks that it can be used.

    `prefix` is where the cluster's keys live (`/quidditch/<cluster name>`). `timeout` (seconds) bounds every call. `history` is how
    many revisions watches can go back at least; None leaves compaction to etcd. Raises :class:`Unavailable`, :class:`Refused`,
    :class:`FormatError` for the keys of a newer version, :class:`ValueError` and :class:`OSError` for a wrong configuration.
    """
    layout = keys.Keys(prefix)
    client = Client(endpoints, tls, credentials, timeout, metrics)
    try:
        await _check(client, layout)
    except BaseException:
        await client.close()
        raise
    return EtcdStore(client, layout, history, new_uid, timestamp)


class EtcdStore(api.Store):
    """Open it with :func:`open`. Several processes may have the same cluster open."""

    def __init__(
        self,
        client: Client,
        layout: keys.Keys,
        history: int | None,
        new_uid: Callable[[], str],
        timestamp: Callable[[], str],
    ) -> None:
        self._client = client
        self._keys = layout
        self._history = history
        self._new_uid = new_uid
        self._timestamp = timestamp
        self._batcher = Batcher(client, layout)
        self._leadership = Leadership(client, layout)
        self._compacted = 0
        # Objects as they were read or written last. A write may start from one, since the revision is compared.
        self._known: OrderedDict[bytes, Object] = OrderedDict()

    # --- contract ---------------------------------------------------------------------------------------------------

    async def get(self, kind: str, name: str) -> Object:
        key = self._keys.object(kind, name)
        answer = await self._client.call(RANGE, pb.RangeRequest(key=key), repeatable=True)
        obj = self._decoded(answer.kvs[0]) if answer.kvs else None
        if obj is None:
            raise api.NotFound(kind, name)
        return obj

    async def list(self, kind: str | None = None) -> api.Listing:
        kvs, revision = await list_range(self._client, *self._keys.objects(kind))
        return api.Listing([self._decoded(kv) for kv in kvs], str(revision))

    async def create(self, obj: Object, fence: int | None = None) -> Object:
        key = self._keys.object(obj.kind, obj.metadata.name)
        if obj.metadata.resource_version:
            rules.created(obj, await self._read(key, fence), "")  # raises, and says which of the two is wrong
        new = rules.created(obj, None, self._new_uid())
        written = await self._write(key, 0, new, fence, gone=False)
        if written is None:
            raise api.AlreadyExists(obj.kind, obj.metadata.name, "exists already")
        return written

    async def create_all(self, objs: Sequence[Object], fence: int | None = None) -> Sequence[Object]:
        news = [rules.created(obj, None, self._new_uid()) for obj in objs]
        changes = [self._creation(new) for new in news]
        if len(changes) > MAX_KEYS or sum(change.size for change in changes) > MAX_BYTES:
            return await super().create_all(objs, fence)
        written = await self._batcher.write(changes, fence)
        if not written.done:
            self._refresh(changes, written.current)
            there = next(new for new, kv in zip(news, written.current, strict=True) if kv is not None)
            raise api.AlreadyExists(there.kind, there.metadata.name, "exists already")
        made = [with_version(new, str(written.revision)) for new in news]
        for change, new in zip(changes, made, strict=True):
            self._remember(change.key, new)
        await self._compact(written.revision)
        return made

    async def update(self, obj: Object, fence: int | None = None) -> Object:
        key = self._keys.object(obj.kind, obj.metadata.name)
        written = await self._change(key, lambda known: rules.updated(obj, known), fence)
        return written[0]

    async def delete(self, kind: str, name: str, version: str | None = None, fence: int | None = None) -> Object | None:
        key = self._keys.object(kind, name)
        written, gone = await self._change(
            key, lambda known: rules.deleted(kind, name, known, version, self._timestamp()), fence
        )
        return None if gone else written

    async def watch(self, version: str) -> AsyncIterator[api.Event]:
        watch = Watch(self._client, *self._keys.objects(), int(version))
        async with contextlib.aclosing(watch.batches()) as batches:
            async for batch in batches:
                for event in [self._event(event) for event in batch.events]:
                    yield event
                if not batch.events:
                    yield api.Event("bookmark", str(batch.revision))

    async def acquire(self, holder: str, now: float, duration: float, least: int = 0) -> api.Lease | None:  # noqa: ARG002
        return await self._leadership.acquire(holder, duration, least)

    async def leader(self) -> api.Lease | None:
        return await self._leadership.leader()

    async def epoch(self) -> int:
        return await self._leadership.epoch()

    async def release(self, lease: api.Lease) -> None:
        await self._leadership.release(lease)

    async def close(self) -> None:
        await self._client.close()

    # --- writing ----------------------------------------------------------------------------------------------------

    async def _change(
        self, key: bytes, decide: Callable[[Object | None], tuple[Object, bool]], fence: int | None
    ) -> tuple[Object, bool]:
        """Replaces what stands at the key by what `decide` makes of it; again if another was faster."""
        known = self._known.get(key)
        if known is not None:
            try:
                new, gone = decide(known)
            except api.StoreError:
                known = None  # it may have changed since; only what is there now can tell
        if known is None:
            known = await self._read(key, fence)
            new, gone = decide(known)
        while True:
            assert known is not None
            written = await self._write(key, int(known.metadata.resource_version), new, fence, gone=gone)
            if written is not None:
                return written, gone
            known = self._known.get(key)
            new, gone = decide(known)

    async def _write(self, key: bytes, expected: int, new: Object, fence: int | None, *, gone: bool) -> Object | None:
        """The object as written; None if the key was not at the expected revision, and what stands there is known then."""
        change = KeyChange(key, expected, keys.remove(key), len(key)) if gone else self._put(key, expected, new)
        written = await self._batcher.write([change], fence)
        if not written.done:
            self._refresh([change], written.current)
            return None
        stored = with_version(new, str(written.revision))
        if gone:
            self._forget(key)
        else:
            self._remember(key, stored)
        await self._compact(written.revision)
        return stored

    def _creation(self, new: Object) -> KeyChange:
        return self._put(self._keys.object(new.kind, new.metadata.name), 0, new)

    def _put(self, key: bytes, expected: int, new: Object) -> KeyChange:
        """Raises :class:`TooLarge`."""
        value = encode(new)
        if len(value) > MAX_OBJECT:
            raise api.TooLarge(new.kind, new.metadata.name, len(value), MAX_OBJECT)
        return KeyChange(key, expected, keys.put(key, value), len(key) + len(value))

    def _refresh(self, changes: Sequence[KeyChange], current: Sequence[pb.KeyValue | None]) -> None:
        """What was believed of the keys of a refused write was wrong."""
        for change, kv in zip(changes, current, strict=True):
            self._forget(change.key)
            if kv is not None:
                self._decoded(kv)

    async def _read(self, key: bytes, fence: int | None) -> Object | None:
        """What stands at the key. Raises :class:`Fenced` as a write would."""
        request = pb.TxnRequest(success=[keys.read(key), keys.read(self._keys.epoch)])
        answer = await self._client.call(TXN, request, repeatable=True)
        kv, epoch = (keys.found(op) for op in answer.responses)
        at = 0 if epoch is None else int(epoch.value)
        if fence is not None and fence != at:
            raise api.Fenced(f"epoch {fence} is over, the store is at {at}")
        self._forget(key)
        return None if kv is None else self._decoded(kv)

    async def _compact(self, revision: int) -> None:
        """Drops old changes when there are twice as many as are kept."""
        if self._history is None:
            return
        if not self._compacted:
            self._compacted = max(1, revision - self._history)
        if revision - self._compacted < 2 * self._history:
            return
        self._compacted = revision - self._history
        try:
            await self._client.call(COMPACT, pb.CompactionRequest(revision=self._compacted))
        except api.Expired:
            pass  # another has done it
        except api.StoreError as error:
            _log.warning("etcd cannot be compacted", error=str(error))

    # --- objects ----------------------------------------------------------------------------------------------------

    def _decoded(self, kv: pb.KeyValue) -> Object:
        obj = decode(kv.value, str(kv.mod_revision))
        self._remember(kv.key, obj)
        return obj

    def _remember(self, key: bytes, obj: Object) -> None:
        known = self._known.pop(key, None)
        if known is not None and int(known.metadata.resource_version) > int(obj.metadata.resource_version):
            obj = known
        self._known[key] = obj
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    def _forget(self, key: bytes) -> None:
        self._known.pop(key, None)

    def _event(self, event: pb.Event) -> api.Event:
        version = str(event.kv.mod_revision)
        if event.type == pb.Event.DELETE:
            if not event.prev_kv.key:
                raise api.Expired(f"what was deleted in revision {version} is no longer kept")
            return api.Event("deleted", version, rules.as_it_went(decode(event.prev_kv.value, version)))
        created = event.kv.create_revision == event.kv.mod_revision
        return api.Event("added" if created else "modified", version, decode(event.kv.value, version))


async def _check(client: Client, layout: keys.Keys) -> None:
    status = await client.call(STATUS, pb.StatusRequest(), repeatable=True)
    version = re.match(r"(\d+)\.(\d+)\.(\d+)", status.version)
    if version is None or tuple(map(int, version.groups())) < LEAST_VERSION:
        raise api.Refused(f"etcd {status.version} is too old: {'.'.join(map(str, LEAST_VERSION))} or later is needed")
    number = str(FORMAT).encode()
    request = pb.TxnRequest(
        compare=[keys.unchanged(layout.format, 0)],
        success=[keys.put(layout.format, number)],
        failure=[keys.read(layout.format)],
    )
    # Repeatable although it writes: what it writes is always the same.
    answer = await client.call(TXN, request, repeatable=True)
    stored = None if answer.succeeded else keys.found(answer.responses[0])
    if stored is not None and int(stored.value) > FORMAT:
        raise FormatError(f"the keys in etcd have format {stored.value.decode()}, this version reads up to {FORMAT}")


__all__ = ["Credentials", "EtcdStore", "Tls", "open"]
