"""What `kubectl get qidx` shows of an index: the status of a QuidditchIndex, made from the cluster state alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from quidditch.controlplane.core.health import IndexHealth, index_health
from quidditch.model.errors import ApiError
from quidditch.model.objects import Copy, Index, Node, Routing
from quidditch.model.state import ClusterState
from quidditch.operator.conditions import Condition, camel, merged, summary

SHOWN = 100
"""Copies that `status.shardAllocations` lists at most: no object may grow with its shards."""
_NODES_SHOWN = 5


def index_status(
    state: ClusterState,
    index: Index,
    known: Mapping[str, Any],
    now: str,
    why: str = "",
    refusal: Condition | None = None,
) -> dict[str, Any]:
    """The whole status of an index that the control plane has. `known` is the status there is, `why` tells what keeps copies from having a
    node, `refusal` what of the spec cannot be carried out: what is carried out serves on. It is of the spec that the control plane has
    seen; the object may be ahead of it.
    """
    generation = index.metadata.generation
    routing = state.routing.get(index.name)
    health = index_health(index, routing)
    phase = _phase(index, routing)
    return {
        "state": phase,
        "observedGeneration": generation,
        "health": health.status,
        "shards": index.number_of_shards,
        "replicas": _complete_sets(routing),
        "shardAllocations": list(_allocations(routing, state.nodes)),
        "conditions": merged(known.get("conditions", ()), _conditions(phase, health, why, refusal), generation, now),
    }


def never_made(known: Mapping[str, Any], refusal: Condition, generation: int, now: str) -> dict[str, Any]:
    """The status of an index that cannot be created as it is wished."""
    found = [refusal, *summary(replace(refusal, type="Ready"), stalled=refusal.message)]
    return {
        **known,
        "state": "CREATING",
        "observedGeneration": generation,
        "conditions": merged(known.get("conditions", ()), found, generation, now),
    }


def refused(error: ApiError) -> Condition:
    """What a refusal says of the spec, in REST's words."""
    return Condition("SpecAccepted", "False", camel(error.type), error.reason or error.type)


def explained(told: Mapping[str, Any]) -> str:
    """What `_cluster/allocation/explain` says of a copy without a node, and of some nodes what stands in the way there."""
    texts = [str(told.get("allocate_explanation", ""))]
    for node in told.get("node_allocation_decisions", ())[:_NODES_SHOWN]:
        refusals = [each["explanation"] for each in node.get("deciders", ()) if each["decision"] != "YES"]
        texts += [f"{node['node_name']}: {text}" for text in refusals[:1]]
    return "; ".join(texts)


def waits_for_node(state: ClusterState, index: Index) -> bool:
    """Whether copies have no node, and no other time than that of a decision will change it."""
    routing = state.routing.get(index.name)
    return routing is not None and any(
        not copy.assigned and not (copy.unassigned and copy.unassigned.delayed)
        for shard in routing.spec.shards
        for copy in shard.copies
    )


def _phase(index: Index, routing: Routing | None) -> str:
    """An index that was active once stays so: what it lacks now is a matter of conditions."""
    if index.deleting:
        return "DELETING"
    shards = routing.spec.shards if routing is not None else ()
    return "ACTIVE" if shards and all(shard.in_sync for shard in shards) else "CREATING"


def _complete_sets(routing: Routing | None) -> int:
    """Replicas that every shard has; the primaries count for none."""
    counts = [sum(copy.active for copy in shard.copies[1:]) for shard in (routing.spec.shards if routing else ())]
    return min(counts, default=0)


def _allocations(routing: Routing | None, nodes: Mapping[str, Node]) -> Iterator[dict[str, Any]]:
    copies = [
        (number, copy) for number, shard in enumerate(routing.spec.shards if routing else ()) for copy in shard.copies
    ]
    for number, copy in copies[:SHOWN]:
        yield _allocation(number, copy, nodes)


def _allocation(number: int, copy: Copy, nodes: Mapping[str, Node]) -> dict[str, Any]:
    shown: dict[str, Any] = {"shardId": number, "primary": copy.primary, "state": copy.state}
    if copy.node is not None:
        node = nodes.get(copy.node)
        shown["nodeId"] = node.name if node is not None else copy.node
    elif copy.unassigned is not None:
        shown["reason"] = copy.unassigned.reason
    return shown


def _conditions(phase: str, health: IndexHealth, why: str, refusal: Condition | None) -> list[Condition]:
    accepted = refusal or Condition("SpecAccepted", "True", "Valid")
    stalled = refusal.message if refusal is not None else ""
    if phase == "DELETING":
        ready = Condition("Ready", "False", "Deleting", "its shards are being removed")
        return [accepted, *summary(ready, progressing=ready.message)]
    counts = health.counts
    total = counts.active + counts.initializing + counts.unassigned
    missing = total - counts.active
    if not missing and total:
        return [accepted, *summary(Condition("Ready", "True", "AllCopiesActive"), stalled=stalled)]
    text = (
        f"{missing} of {total} copies are not active ({counts.unassigned} without a node)" if total else "no shards yet"
    )
    text = f"{text}: {why}" if why else text
    if total and all(shard.primary_active for shard in health.shards):
        ready = Condition("Ready", "True", "ReplicasMissing", text)
    else:
        ready = Condition("Ready", "False", "PrimariesMissing", text)
    stalled = stalled or why
    return [accepted, *summary(ready, progressing="" if stalled else text, stalled=stalled)]
