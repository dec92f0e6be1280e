"""The leader lease: a Lease object of Kubernetes, its epoch in an annotation, raised with every new holder.

A candidate takes it over when it has seen it unchanged for as long as the holder asked for, by the candidate's own clock: clocks of
different machines are never compared (what stands in `renewTime` is for people). Every write of it is a compare-and-set.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import msgspec

from quidditch.lib.kube import errors
from quidditch.lib.kube.client import Client, Tree
from quidditch.lib.kube.limits import Priority
from quidditch.lib.kube.resource import LEASES
from quidditch.model.codec import FormatError
from quidditch.store import api
from quidditch.store.kubernetes.answers import translated

EPOCH = "quidditch.io/epoch"
_ATTEMPTS = 5


class _Held(msgspec.Struct, frozen=True):
    """What a Lease says. `holder` is empty when it was given back; `version` changes with every renewal, and is empty without a Lease."""

    holder: str = ""
    epoch: int = 0
    seconds: float = 0.0
    version: str = ""
    tree: Tree = {}

    @classmethod
    def of(cls, tree: Tree) -> _Held:
        meta, spec = tree["metadata"], tree.get("spec") or {}
        epoch = (meta.get("annotations") or {}).get(EPOCH, "0")
        if not epoch.isdigit():
            raise FormatError(f"Lease [{meta['name']}]: the epoch [{epoch}] is no number")
        holder, seconds = spec.get("holderIdentity") or "", float(spec.get("leaseDurationSeconds") or 0)
        return cls(holder, int(epoch), seconds, meta["resourceVersion"], tree)


class Leadership:
    """The Lease `name` of a namespace."""

    def __init__(self, client: Client, namespace: str, name: str) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name
        self._seen: tuple[str, float] = ("", 0.0)

    async def acquire(self, holder: str, now: float, duration: float, least: int = 0) -> api.Lease | None:
        """As the contract says: `now` and `duration` in seconds, of which differences of `now` alone matter."""
        with translated("Lease", self._name):
            for _ in range(_ATTEMPTS):
                held = await self._read()
                respected = bool(held.holder) and self._left(held, now) > 0
                if respected and held.holder != holder:
                    return None
                epoch = held.epoch if respected else max(1 + held.epoch, least)
                try:
                    written = await self._write(held, _spec(held, holder, now, duration, respected), epoch)
                except (errors.AlreadyExists, errors.Conflict):
                    continue
                except errors.NotFound:
                    if not held.version:  # the namespace is missing, not the Lease
                        raise
                    continue
                self._seen = (written.version, now)
                return api.Lease(holder, epoch)
        return None

    async def leader(self) -> api.Lease | None:
        with translated("Lease", self._name):
            held = await self._read()
        return api.Lease(held.holder, held.epoch) if held.holder else None

    async def epoch(self) -> int:
        with translated("Lease", self._name):
            held = await self._read()
        return held.epoch

    async def release(self, lease: api.Lease) -> None:
        with translated("Lease", self._name):
            for _ in range(_ATTEMPTS):
                held = await self._read()
                if held.holder != lease.holder or held.epoch != lease.epoch:
                    return
                spec = {**held.tree["spec"], "holderIdentity": "", "leaseDurationSeconds": 1}
                try:
                    await self._write(held, spec, held.epoch)
                except (errors.Conflict, errors.NotFound):
                    continue
                return

    def _left(self, held: _Held, now: float) -> float:
        """Seconds that the lease has still to be respected."""
        version, since = self._seen
        if version != held.version:
            self._seen = (held.version, now)
            return held.seconds
        return held.seconds - (now - since)

    async def _read(self) -> _Held:
        """As it is now: not from a cache of the server's."""
        try:
            return _Held.of(await self._client.get(LEASES, self._name, self._namespace, priority=Priority.SAFETY))
        except errors.NotFound:
            return _Held()

    async def _write(self, known: _Held, spec: Tree, epoch: int) -> _Held:
        meta: Tree = {**known.tree.get("metadata", {}), "name": self._name, "namespace": self._namespace}
        meta.pop("managedFields", None)
        meta["annotations"] = {**(meta.get("annotations") or {}), EPOCH: str(epoch)}
        tree = {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "metadata": meta, "spec": spec}
        call = self._client.replace if known.version else self._client.create
        return _Held.of(await call(LEASES, tree, self._namespace, priority=Priority.SAFETY))


class Fence:
    """Compares epochs before writes. One read of the Lease tells for all who asked before it began; those that come while it is on
    its way wait for the next.
    """

    def __init__(self, epoch: Callable[[], Awaitable[int]]) -> None:
        self._epoch = epoch
        self._next: asyncio.Future[int] | None = None
        self._task: asyncio.Task[None] | None = None

    async def check(self, fence: int | None) -> None:
        """Raises :class:`Fenced`."""
        if fence is None:
            return
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._read(), name="fence")
        now = await asyncio.shield(self._next)
        if now != fence:
            raise api.Fenced(f"epoch {fence} is over, the store is at {now}")

    async def _read(self) -> None:
        while self._next is not None:
            await asyncio.sleep(0)  # who writes side by side in this turn of the loop asks together
            asked, self._next = self._next, None
            try:
                asked.set_result(await self._epoch())
            except Exception as error:
                asked.set_exception(error)
                asked.exception()  # all who asked may have given up
            except BaseException:
                asked.cancel()
                raise


def _spec(held: _Held, holder: str, now: float, duration: float, same: bool) -> Tree:
    time = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    old = held.tree.get("spec") or {}
    spec = {**old, "holderIdentity": holder, "leaseDurationSeconds": max(1, math.ceil(duration)), "renewTime": time}
    if not same:
        spec["acquireTime"] = time
        spec["leaseTransitions"] = int(old.get("leaseTransitions") or 0) + bool(held.version)
    return spec
