"""The store of k8s mode: objects are custom resources of one namespace, the lead is a Lease there.

**Writes** are one request about one object. An update is a JSON patch that names the version which it expects, and replaces spec and
finalizers: labels, annotations, owners and status of the resource stay whoever's they are. Uid, generation, deletion timestamp and
versions are the API server's. When a write's answer is lost, what became of it is unknown (:class:`Unavailable`).

**The fence.** Kubernetes cannot compare the Lease in the same transaction as an object. A fenced write therefore first reads the Lease
(a quorum read, after the write was asked for), is refused if its epoch is over, and then carries the version of the object: a create that
of nothing, an update or delete that which the leader knew; a delete without one reads the object before the Lease. What this
guarantees:

- A leader that was deposed before it began to write, writes nothing, whatever it believes.
- A leader deposed between its look at the Lease and the server's execution of the write (it was paused, the request was slow) can still
  land that one write, but only on an object that nobody has written since it read it. For each object the order is: the old
  leader's write first, on the version that it knew, then the new leader's. If the new leader wrote first, the late write is refused
  (Conflict, NotFound, AlreadyExists). If the late write was first, the new leader's own compare-and-set fails and it reads anew. So
  nothing that a new leader wrote is ever overwritten, and every change of one object is decided on what really stands there.
- It does *not* guarantee that nothing of the old leader's appears after the new one has begun: a late write can bring an object
  that the new leader's listing lacked, or change one that it has listed; its watch tells. Decisions that hang on several objects
  at once therefore need what they need in one object, as primary terms and in-sync copies stand in the routing.
- The server is told how long the write is waited for, and drops what waited longer in its own queue.

**Versions** of one listing are one number for all kinds, which takes for granted that they are in the same etcd (as they are unless
`--etcd-servers-overrides` says otherwise for this group). Events come in the order of each kind, not over kinds.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

from msgspec.structs import replace

from quidditch.lib.kube import errors
from quidditch.lib.kube.client import JSON_PATCH, Client, Tree
from quidditch.lib.kube.limits import Priority
from quidditch.lib.kube.resource import ResourceType
from quidditch.model.objects import Index, Object
from quidditch.store import api, rules
from quidditch.store.kubernetes import index_resource, resources
from quidditch.store.kubernetes.answers import translated
from quidditch.store.kubernetes.contents import Contents
from quidditch.store.kubernetes.leadership import Fence, Leadership
from quidditch.store.kubernetes.watch import Merged

LEASE = "quidditch"
"""The Lease's name, unless another is given."""
FIELD_MANAGER = "quidditch"
_ATTEMPTS = 5
_PATIENCE_SECONDS = 30.0


async def open(
    client: Client,
    namespace: str,
    *,
    lease: str = LEASE,
    patience: float = _PATIENCE_SECONDS,
    closes_client: bool = False,
) -> KubernetesStore:
    """The cluster in this namespace; looks whether the resources are known and may be read.

    `patience` (seconds) is how long a watch waits for an API server that is out of reach. With `closes_client` the client is closed
    with the store. Raises :class:`Unavailable`, :class:`Refused`.
    """
    with translated():
        for kind in resources.STORED:
            try:
                await client.get(kind, "looked-for", namespace)
            except errors.NotFound as error:
                if not error.reason:
                    raise
    return KubernetesStore(client, namespace, lease, patience, closes_client)


class KubernetesStore(api.Store):
    """Open it with :func:`open`. Several processes may have the same namespace open."""

    def __init__(self, client: Client, namespace: str, lease: str, patience: float, closes_client: bool) -> None:
        self._client = client
        self._namespace = namespace
        self._patience = patience
        self._closes_client = closes_client
        self._leadership = Leadership(client, namespace, lease)
        self._fence = Fence(self._leadership.epoch)
        self._contents = Contents()
        self._watches: set[Merged] = set()
        self._closed = False

    async def get(self, kind: str, name: str) -> Object:
        return self._object(await self._tree(kind, name))

    async def list(self, kind: str | None = None) -> api.Listing:
        kinds = resources.STORED if kind is None else (resources.resource_of(kind),)
        self._check_open()
        for _ in range(_ATTEMPTS):
            with translated(), contextlib.suppress(errors.Gone):  # compacted while it was read: from the start
                trees, version = await self._listed(kinds)
                objects = [self._object(tree) for tree in trees if resources.adopted(tree)]
                chosen = [obj for obj in objects if kind is None or obj.kind == kind]
                return api.Listing(sorted(chosen, key=lambda obj: (obj.kind, obj.metadata.name)), version)
        raise api.Unavailable("etcd behind the API server is compacted faster than objects can be listed")

    async def create(self, obj: Object, fence: int | None = None) -> Object:
        kind, name = obj.kind, obj.metadata.name
        if obj.metadata.resource_version:
            await self._fence.check(fence)
            rules.created(obj, await self._known(kind, name), "")  # raises, and says which of the two is wrong
        resource = resources.resource_of(kind)
        tree = resources.to_resource(replace(obj, metadata=replace(obj.metadata, uid="")), self._namespace)
        await self._fenced(fence)
        with translated(kind, name, tree):
            try:
                made = await self._client.create(
                    resource, tree, self._namespace, field_manager=FIELD_MANAGER, priority=_priority(kind)
                )
            except errors.AlreadyExists:
                made = await self._adopted(obj)
        return self._object(made)

    async def update(self, obj: Object, fence: int | None = None) -> Object:
        kind, name, version = obj.kind, obj.metadata.name, obj.metadata.resource_version
        if not _is_version(version):
            await self._fenced(fence)
            rules.updated(obj, await self._known(kind, name))  # raises
        resource = resources.resource_of(kind)
        tree = resources.to_resource(obj, self._namespace)
        for _ in range(_ATTEMPTS):
            await self._fenced(fence)
            try:
                with translated(kind, name, tree):
                    made = await self._replace(resource, resources.resource_name(kind, name), tree, version)
                return self._object(made)
            except api.Conflict as conflict:
                version = await self._moved_on(kind, name, version, conflict)
        raise api.Unavailable(f"{kind} [{name}] changes faster than it can be written")

    async def delete(self, kind: str, name: str, version: str | None = None, fence: int | None = None) -> Object | None:
        for _ in range(_ATTEMPTS):
            expected = version
            if expected is None:
                expected = (await self._tree(kind, name))["metadata"]["resourceVersion"]
            await self._fenced(fence)
            try:
                return await self._delete(kind, name, expected)
            except api.Conflict as conflict:
                if version is not None:
                    version = await self._moved_on(kind, name, version, conflict)
        raise api.Unavailable(f"{kind} [{name}] changes faster than it can be deleted")

    async def watch(self, version: str) -> AsyncIterator[api.Event]:
        self._check_open()
        merged = Merged(self._client, self._namespace, version, self._patience, self._contents)
        self._watches.add(merged)
        try:
            async with contextlib.aclosing(merged.events()) as events:
                async for event in events:
                    yield event
        finally:
            self._watches.discard(merged)

    async def acquire(self, holder: str, now: float, duration: float, least: int = 0) -> api.Lease | None:
        self._check_open()
        return await self._leadership.acquire(holder, now, duration, least)

    async def leader(self) -> api.Lease | None:
        self._check_open()
        return await self._leadership.leader()

    async def epoch(self) -> int:
        self._check_open()
        return await self._leadership.epoch()

    async def release(self, lease: api.Lease) -> None:
        self._check_open()
        await self._leadership.release(lease)

    async def close(self) -> None:
        self._closed = True
        for watch in self._watches:
            watch.close()
        if self._closes_client:
            await self._client.close()

    def _check_open(self) -> None:
        if self._closed:
            raise api.Unavailable("the store is closed")

    async def _fenced(self, fence: int | None) -> None:
        self._check_open()
        await self._fence.check(fence)

    async def _tree(self, kind: str, name: str) -> Tree:
        """The resource as it is now. Raises :class:`NotFound`, also for one that is no object (yet)."""
        self._check_open()
        resource = resources.resource_of(kind)
        with translated(kind, name):
            tree = await self._client.get(resource, resources.resource_name(kind, name), self._namespace)
        if not resources.adopted(tree):
            raise api.NotFound(kind, name)
        return tree

    def _object(self, tree: Tree) -> Object:
        """The object of a resource, whose version is remembered."""
        self._contents.note(tree)
        return resources.from_resource(tree)

    async def _moved_on(self, kind: str, name: str, version: str, conflict: api.Conflict) -> str:
        """The version that the resource has now, if others than this store's users are all that changed it. Raises `conflict`."""
        tree = await self._tree(kind, name)
        if not self._contents.same(version, tree):
            raise conflict
        return str(tree["metadata"]["resourceVersion"])

    async def _known(self, kind: str, name: str) -> Object | None:
        try:
            return await self.get(kind, name)
        except api.NotFound:
            return None

    async def _listed(self, kinds: Sequence[ResourceType]) -> tuple[Sequence[Tree], str]:
        """All resources of these kinds at one version."""
        first = await self._client.list(kinds[0], self._namespace)
        version = first.resource_version
        rest = await asyncio.gather(*(self._client.list(kind, self._namespace, at=version) for kind in kinds[1:]))
        return [tree for listing in (first, *rest) for tree in listing.items], version

    async def _adopted(self, obj: Object) -> Tree:
        """Makes the object of the resource by which a user asked for it, whose words stay. Raises :class:`AlreadyExists`."""
        resource, name = resources.resource_of(obj.kind), resources.resource_name(obj.kind, obj.metadata.name)
        wish = await self._client.get(resource, name, self._namespace)
        meta = wish["metadata"]
        if not isinstance(obj, Index) or resources.adopted(wish) or "deletionTimestamp" in meta:
            raise api.AlreadyExists(obj.kind, obj.metadata.name, "exists already")
        spec = index_resource.with_words(obj.spec, wish.get("spec") or {})
        finalizers = tuple(dict.fromkeys((*obj.metadata.finalizers, *meta.get("finalizers", ()))))
        taken = replace(obj, spec=spec, metadata=replace(obj.metadata, finalizers=finalizers))
        tree = resources.to_resource(taken, self._namespace)
        return await self._replace(resource, name, tree, meta["resourceVersion"])

    async def _replace(self, resource: ResourceType, name: str, tree: Tree, version: str) -> Tree:
        """Spec and finalizers become those of `tree` if the resource still has that version."""
        patch = [
            {"op": "replace", "path": "/metadata/resourceVersion", "value": version},
            {"op": "add", "path": "/metadata/finalizers", "value": tree["metadata"].get("finalizers", [])},
            {"op": "add", "path": "/spec", "value": tree["spec"]},
        ]
        return await self._client.patch(
            resource,
            name,
            patch,
            self._namespace,
            type=JSON_PATCH,
            field_manager=FIELD_MANAGER,
            priority=Priority.SAFETY if resource is resources.ALLOCATIONS else Priority.NORMAL,
        )

    async def _delete(self, kind: str, name: str, version: str) -> Object | None:
        with translated(kind, name):
            left = await self._client.delete(
                resources.resource_of(kind),
                resources.resource_name(kind, name),
                self._namespace,
                resource_version=version,
                priority=_priority(kind),
            )
        return None if left is None else self._object(left)


def _priority(kind: str) -> Priority:
    """Where shards are is what no document may be lost by."""
    return Priority.SAFETY if kind == "Routing" else Priority.NORMAL


def _is_version(version: str) -> bool:
    return version.isdigit() and version != "0"
