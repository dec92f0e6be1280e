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
from quidditch.lib.kube.limits import Priority
from quidditch.model.errors import ApiError
from quidditch.model.objects import Index
from quidditch.model.state import ClusterState
from quidditch.operator import adoption
from quidditch.operator.conditions import Condition
from quidditch.operator.events import Events
from quidditch.operator.index_status import explained, index_status, never_made, refused, waits_for_node
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
"""How often it is looked whether what an index waits for has come, and whether what was refused is possible now."""
_DECIDING_SECONDS = 30.0


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
        self._idle = True
        """Whether something was left alone because another leads."""
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
        if self._leader.leading and (self._idle or new.settings is not old.settings):
            # All that was left alone; and cluster settings may allow now what they did not, and forbid what they did.
            self._idle = False
            for name in self._informer.items:
                self._controller.add(name)
        for name in {*new.differs(old, "Index"), *new.differs(old, "Routing")}:
            index = new.indices.get(name) or old.indices.get(name)
            if index is not None:
                self._controller.add(index.metadata.name)

    async def _reconcile(self, name: str) -> Again | None:
        tree = self._informer.items.get(name)
        if tree is None:
            self._seen.pop(name, None)
            return None
        if not self._leader.leading:
            self._idle = True
            return None
        index = self._leader.state.indices.get(_true_name(tree))
        if index is None:
            return None if tree["metadata"].get("deletionTimestamp") else await self._create(tree)
        return await self._look_after(tree, index)

    # --- what the user asks -----------------------------------------------------------------------------------------

    async def _create(self, tree: Tree) -> Again | None:
        if adopted(tree):
            return Again(1.0)  # the control plane's view of it is on its way
        try:
            await self._leader.submit(adoption.creation(_true_name(tree), tree.get("spec") or {}), _DECIDING_SECONDS)
        except ApiError as error:
            refusal = _refusal(error)
            generation = tree["metadata"]["generation"]
            await self._show(tree, never_made(tree.get("status") or {}, refusal, generation, self._now()))
            return Again(_LOOK_SECONDS)
        return None

    async def _change(self, index: Index) -> Condition | None:
        """Carries out what the user's fields say beyond what is carried out already; why that cannot be."""
        wanted = pending(index.spec)
        if wanted is None:
            return None
        try:
            for command in adoption.changes(index.name, carried_out(index.spec), wanted):
                await self._leader.submit(command, _DECIDING_SECONDS)
        except ApiError as error:
            return _refusal(error)
        return None

    # --- what is told -----------------------------------------------------------------------------------------------

    async def _look_after(self, tree: Tree, index: Index) -> Again | None:
        refusal = None if index.deleting else await self._change(index)
        state = self._leader.state
        index = state.indices.get(index.name, index)
        new = self._is_new(tree)
        waits = waits_for_node(state, index)
        why = await self._why(index) if waits and not new else ""
        status = index_status(state, index, tree.get("status") or {}, self._now(), why, refusal)
        if new and refusal is None and status["state"] == "CREATING":
            return Again(_SETTLING_SECONDS)
        await self._show(tree, status)
        return Again(_LOOK_SECONDS) if waits or refusal is not None else None

    def _is_new(self, tree: Tree) -> bool:
        """Whether nothing was told of it yet, nor is it time to."""
        now = self._clock.monotonic()
        return not tree.get("status") and now - self._seen.setdefault(tree["metadata"]["name"], now) < _SETTLING_SECONDS

    async def _why(self, index: Index) -> str:
        """Why the first copy without a node has none."""
        routing = self._leader.state.routing[index.name]
        for number, shard in enumerate(routing.spec.shards):
            for copy in shard.copies:
                if not copy.assigned:
                    told = await self._leader.submit(
                        ExplainAllocation(index=index.name, shard=number, primary=copy.primary), _DECIDING_SECONDS
                    )
                    return explained(told.body)
        return ""

    async def _show(self, tree: Tree, status: Mapping[str, Any]) -> None:
        """Writes the status, if it is another, over what was read only: who changed the object meanwhile brings its key here again. Events
        tell what is new in it.
        """
        meta, known = tree["metadata"], tree.get("status") or {}
        if status == known:
            return
        patch = {"metadata": {"resourceVersion": meta["resourceVersion"]}, "status": status}
        try:
            await self._client.patch(
                INDICES,
                meta["name"],
                patch,
                meta["namespace"],
                subresource="status",
                field_manager=_MANAGER,
                priority=Priority.BACKGROUND,
            )
        except (errors.Conflict, errors.NotFound):
            _log.debug("index changed before its status was written", index=meta["name"])
            return
        if status["state"] == "ACTIVE" and known.get("state") != "ACTIVE":
            await self._events.normal(tree, "Active", f"all {status['shards']} primaries serve")
        before, now = _condition(known, "Stalled"), _condition(status, "Stalled")
        if now.get("status") == "True" and before.get("message") != now["message"]:
            accepted = _condition(status, "SpecAccepted")
            reason = "Unassigned" if accepted["status"] == "True" else accepted["reason"]
            await self._events.warning(tree, reason, now["message"])

    def _now(self) -> str:
        return rfc3339(self._clock.now_ms())


def _refusal(error: ApiError) -> Condition:
    """Raises the error again where it says nothing of the spec, but that it is to be tried later."""
    if error.status >= 500 or error.status == 429:
        raise error
    return refused(error)


def _condition(status: Mapping[str, Any], type: str) -> Mapping[str, Any]:
    return next((each for each in status.get("conditions", ()) if each["type"] == type), {})


def _true_name(tree: Tree) -> str:
    """What the control plane calls the index: the name of the object, but for names that Kubernetes has not."""
    control = (tree.get("spec") or {}).get("control") or {}
    return str(control.get("name") or tree["metadata"]["name"])


def _nothing() -> None:
    """There is nothing to end yet."""
