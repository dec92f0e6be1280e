"""Brings QuidditchIndex objects and the control plane's indices together: what a user applied is created or changed as over REST, what
comes of it stands in the status. Level-triggered: it may end before or after any write and begin again, here or at the next leader.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import structlog

from quidditch.controlplane.core.commands import ExplainAllocation
from quidditch.controlplane.leader import Leader
from quidditch.lib.clock import Clock
from quidditch.lib.kube import errors
from quidditch.lib.kube.client import Client, Tree
from quidditch.model.errors import ApiError
from quidditch.model.objects import Index
from quidditch.model.state import ClusterState
from quidditch.operator import adoption
from quidditch.operator.conditions import camel
from quidditch.operator.events import Events
from quidditch.operator.index_status import index_status, refused, waits_for_node
from quidditch.operator.informer import Informer
from quidditch.operator.times import rfc3339
from quidditch.reconcile.controller import Again, Controller
from quidditch.store.kubernetes.index_resource import carried_out, pending
from quidditch.store.kubernetes.resources import INDICES, adopted

_log = structlog.get_logger(__name__)
_MANAGER = "quidditch-indices"
_WORKERS = 8
_SETTLING_SECONDS = 1.0
"""How long a new index may take before its status says that it is being created: most are active by then, which saves a write."""
_LOOK_SECONDS = 30.0
"""How often it is looked whether what an index waits for has come."""
_DECIDING_SECONDS = 30.0
_STANDBY_SECONDS = 2.0
"""How often a standby looks whether it leads now."""


class Indices:
    """Acts while `leader` leads; a standby only follows."""

    def __init__(self, leader: Leader, client: Client, namespace: str, clock: Clock) -> None:
        self._leader = leader
        self._client = client
        self._clock = clock
        self._events = Events(client, clock)
        self._controller: Controller[str] = Controller(
            "indices", self._reconcile, workers=_WORKERS, quiet=(errors.KubeError, ApiError)
        )
        self._informer = Informer(client, INDICES, namespace, self._controller.add)
        self._seen: dict[str, float] = {}
        self._refused: dict[str, tuple[int, str]] = {}
        self._end: Callable[[], None] = _nothing

    def start(self) -> None:
        self._end = self._leader.subscribe(self._changed)
        self._controller.start()
        self._informer.start()

    async def stop(self) -> None:
        self._end()
        await self._informer.stop()
        await self._controller.stop()

    def _changed(self, old: ClusterState, new: ClusterState) -> None:
        for name in {*new.differs(old, "Index"), *new.differs(old, "Routing")}:
            index = new.indices.get(name) or old.indices.get(name)
            if index is not None:
                self._controller.add(index.metadata.name)

    async def _reconcile(self, name: str) -> Again | None:
        tree = self._informer.items.get(name)
        if tree is None:
            self._seen.pop(name, None)
            self._refused.pop(name, None)
            return None
        if not self._leader.leading:
            return Again(_STANDBY_SECONDS)
        index = self._leader.state.indices.get(_true_name(tree))
        if index is None:
            return None if tree["metadata"].get("deletionTimestamp") else await self._create(tree)
        return await self._look_after(tree, index)

    # --- what the user asks -----------------------------------------------------------------------------------------

    async def _create(self, tree: Tree) -> Again | None:
        if adopted(tree):
            return Again(1.0)  # the control plane's view of it is on its way
        if self._refused.get(tree["metadata"]["name"], (0, ""))[0] == tree["metadata"]["generation"]:
            return Again(_LOOK_SECONDS)
        try:
            await self._leader.submit(adoption.creation(_true_name(tree), tree.get("spec") or {}), _DECIDING_SECONDS)
        except ApiError as error:
            return await self._refuse(tree, error)
        return None

    async def _change(self, index: Index) -> ApiError | None:
        """Carries out what the user's fields say beyond what is carried out already."""
        wanted = pending(index.spec)
        if wanted is None:
            return None
        try:
            for command in adoption.changes(index.name, carried_out(index.spec), wanted):
                await self._leader.submit(command, _DECIDING_SECONDS)
        except ApiError as error:
            return error
        return None

    async def _refuse(self, tree: Tree, error: ApiError) -> Again | None:
        """Says in the status and by an event, once for each spec, why it cannot be carried out."""
        if error.status >= 500 or error.status == 429:
            raise error
        meta = tree["metadata"]
        reason, message = camel(error.type), error.reason or error.type
        status = refused(tree.get("status") or {}, reason, message, meta["generation"], self._now())
        await self._write(tree, status)
        if self._refused.get(meta["name"]) != (meta["generation"], message):
            self._refused[meta["name"]] = (meta["generation"], message)
            await self._events.warning(tree, reason, message)
        return Again(_LOOK_SECONDS)

    # --- what is told -----------------------------------------------------------------------------------------------

    async def _look_after(self, tree: Tree, index: Index) -> Again | None:
        meta = tree["metadata"]
        if not index.deleting:
            error = await self._change(index)
            if error is not None:
                return await self._refuse(tree, error)
        self._refused.pop(meta["name"], None)
        state = self._leader.state
        index = state.indices.get(index.name, index)
        waits = waits_for_node(state, index)
        why = await self._why(index) if waits and not self._is_new(tree) else ""
        known: Mapping[str, Any] = tree.get("status") or {}
        # Of the spec that the control plane has seen: the object may be ahead of it, and then that is still to be carried out.
        status = index_status(state, index, known, index.metadata.generation, self._now(), why)
        if not known and status["state"] == "CREATING" and self._is_new(tree):
            return Again(_SETTLING_SECONDS)
        if status != known:
            await self._write(tree, status)
            await self._tell(tree, known, status)
        return Again(_LOOK_SECONDS) if waits else None

    def _is_new(self, tree: Tree) -> bool:
        now = self._clock.monotonic()
        return now - self._seen.setdefault(tree["metadata"]["name"], now) < _SETTLING_SECONDS

    async def _why(self, index: Index) -> str:
        """Why the first copy without a node has none."""
        routing = self._leader.state.routing[index.name]
        for number, shard in enumerate(routing.spec.shards):
            for copy in shard.copies:
                if not copy.assigned:
                    told = await self._leader.submit(
                        ExplainAllocation(index=index.name, shard=number, primary=copy.primary), _DECIDING_SECONDS
                    )
                    return str(told.body.get("allocate_explanation") or told.body.get("can_allocate") or "")
        return ""

    async def _tell(self, tree: Tree, known: Mapping[str, Any], status: Mapping[str, Any]) -> None:
        if status["state"] == "ACTIVE" and known.get("state") != "ACTIVE":
            await self._events.normal(tree, "Active", f"all {status['shards']} primaries serve")
        stalled = next(each for each in status["conditions"] if each["type"] == "Stalled")
        before = next((each for each in known.get("conditions", ()) if each["type"] == "Stalled"), None)
        if stalled["status"] == "True" and (before is None or before["message"] != stalled["message"]):
            await self._events.warning(tree, "Unassigned", stalled["message"])

    async def _write(self, tree: Tree, status: Mapping[str, Any]) -> None:
        """Only over what was read: who changed the object meanwhile brings the key here again."""
        meta = tree["metadata"]
        patch = {"metadata": {"resourceVersion": meta["resourceVersion"]}, "status": status}
        try:
            await self._client.patch(
                INDICES, meta["name"], patch, meta["namespace"], subresource="status", field_manager=_MANAGER
            )
        except (errors.Conflict, errors.NotFound):
            _log.debug("index changed before its status was written", index=meta["name"])

    def _now(self) -> str:
        return rfc3339(self._clock.now_ms())


def _true_name(tree: Tree) -> str:
    """What the control plane calls the index: the name of the object, but for names that Kubernetes has not."""
    control = (tree.get("spec") or {}).get("control") or {}
    return str(control.get("name") or tree["metadata"]["name"])


def _nothing() -> None:
    """There is nothing to end yet."""
