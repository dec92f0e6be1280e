"""Why a copy is where it is, in the words of `_cluster/allocation/explain`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from quidditch.controlplane.core.allocation.choose import Chooser
from quidditch.controlplane.core.allocation.deciders import (
    Asking,
    Subject,
    Verdict,
    rebalance_verdicts,
    remain_verdicts,
    subject,
    verdicts,
    worst,
)
from quidditch.controlplane.core.allocation.deciders.data import data_nodes
from quidditch.controlplane.core.allocation.deciders.texts import at as moment
from quidditch.controlplane.core.allocation.deciders.texts import copy_text
from quidditch.controlplane.core.allocation.delay import delay_ms, is_awaited, remaining_ms
from quidditch.controlplane.core.allocation.problem import Problem
from quidditch.controlplane.core.allocation.table import NodeSlot
from quidditch.mapping.settings.units import format_time
from quidditch.model.objects import Node

_STATUSES = {"deciders_no": "no", "fetching_shard_data": "awaiting_info", "delayed_allocation": "allocation_delayed"}
_WORDS = {"YES": "yes", "NO": "no", "THROTTLE": "throttled"}


def explain_copy(problem: Problem, each: Subject, *, every: bool = False) -> dict[str, Any]:
    """The explanation of one copy. `every`: with the deciders that say YES."""
    return _Explaining(problem, each, every).body()


def remaining_copies(problem: Problem, node: str) -> list[Subject]:
    """The copies on a node."""
    at = problem.slot(node).at
    found = []
    for name in sorted(problem.rows):
        row = problem.rows[name]
        for number, shard in enumerate(row.routing.spec.shards):
            for position, copy in enumerate(shard.copies):
                if copy.node == node or (copy.relocating_node == node and problem.slot(node).at == at):
                    found.append(subject(problem, row, number, position))
    return found


def first_unassigned(problem: Problem) -> Subject | None:
    """The copy that would be placed first: primaries, then by the order of indices."""
    found = [
        (not copy.primary, row.order, number, position)
        for row in problem.open.values()
        for number, shard in enumerate(row.routing.spec.shards)
        for position, copy in enumerate(shard.copies)
        if copy.node is None
    ]
    if not found:
        return None
    _, order, number, position = min(found)
    return subject(problem, problem.rows[order[2]], number, position)


class _Explaining:
    def __init__(self, problem: Problem, each: Subject, every: bool) -> None:
        self.problem = problem
        self.each = each
        self.every = every
        self.asking = Asking(problem, aloud=True)
        self.chooser = Chooser(problem, ahead=False)

    def body(self) -> dict[str, Any]:
        each, copy = self.each, self.each.copy
        body: dict[str, Any] = {
            "index": each.row.name,
            "shard": each.number,
            "primary": copy.primary,
            "current_state": copy.state.lower(),
        }
        if copy.unassigned is not None and not copy.active:
            body["unassigned_info"] = self._unassigned_info()
        if copy.node is None:
            return body | self._unassigned()
        current = self.problem.slot(copy.node)
        body["current_node"] = _node(current)
        if copy.state == "INITIALIZING":
            text = f"the shard is in the process of initializing on node [{_name(current)}], wait until initialization"
            return body | {"explanation": f"{text} has completed"}
        if copy.state == "RELOCATING":
            target = self.problem.slot(copy.relocating_node or "")
            text = f"the shard is in the process of relocating from node [{_name(current)}] to node [{_name(target)}]"
            return body | {"explanation": f"{text}, wait until relocation has completed"}
        return self._started(body, current)

    def _unassigned_info(self) -> dict[str, Any]:
        info = self.each.copy.unassigned
        assert info is not None
        shown: dict[str, Any] = {"reason": info.reason, "at": moment(info.at)}
        if info.failed_attempts:
            shown["failed_allocation_attempts"] = info.failed_attempts
        if info.details:
            shown["details"] = info.details
        status = info.last_allocation_status
        shown["last_allocation_status"] = _STATUSES.get(status, status)
        return shown

    # --- a copy without a node --------------------------------------------------------------------------------------

    def _unassigned(self) -> dict[str, Any]:
        each, problem = self.each, self.problem
        kept = each.copy.primary and bool(each.shard.in_sync)
        holders = {problem.slot(node).at for node in data_nodes(each.shard)} if kept else set()
        nodes = self._ranked()
        decided = [(slot, self._verdicts(slot, forced=slot.at in holders)) for slot in nodes]
        decisions = [worst(found) for _, found in decided]
        shown = [self._decision(slot, rank, found) for rank, (slot, found) in enumerate(decided, 1)]
        best = next((slot for slot, found in decided if worst(found) == "YES"), None)
        if kept and not any(slot.at in holders for slot in nodes):
            text = (
                "cannot allocate because a previous copy of the primary shard existed but can no longer be found on the"
                " nodes in the cluster"
            )
            body: dict[str, Any] = {"can_allocate": "no_valid_shard_copy", "allocate_explanation": text}
        elif (waiting := remaining_ms(problem, each.row, each.copy)) and is_awaited(problem, each.copy):
            body = self._delayed(waiting, best is not None)
        elif best is not None:
            body = {"can_allocate": "yes", "allocate_explanation": "can allocate the shard", "target_node": _node(best)}
        elif "THROTTLE" in decisions:
            body = {"can_allocate": "throttled", "allocate_explanation": "allocation temporarily throttled"}
        else:
            text = "cannot allocate because allocation is not permitted to any of the nodes"
            body = {"can_allocate": "no", "allocate_explanation": text}
        return body | {"node_allocation_decisions": shown}

    def _delayed(self, waiting: int, elsewhere: bool) -> dict[str, Any]:
        text = (
            f"cannot allocate because the cluster is still waiting [{format_time(waiting)}] for the departed node holding a"
            " replica to rejoin"
        )
        if elsewhere:
            text += ", despite being allowed to allocate the shard to at least one other node"
        return {
            "can_allocate": "allocation_delayed",
            "allocate_explanation": text,
            "configured_delay_in_millis": delay_ms(self.problem.state, self.each.row, self.each.copy),
            "remaining_delay_in_millis": waiting,
        }

    # --- a copy on a node -------------------------------------------------------------------------------------------

    def _started(self, body: dict[str, Any], current: NodeSlot) -> dict[str, Any]:
        each = self.each
        gone = current.node is None
        remain = [] if gone else remain_verdicts(self.asking, each, current)
        if gone or worst(remain) != "YES":
            return body | self._leaving(remain)
        ranked = self._ranked(with_own=True)
        own = next(rank for rank, slot in enumerate(ranked, 1) if slot.at == current.at)
        body["current_node"]["weight_ranking"] = own
        return body | {"can_remain_on_current_node": "yes"} | self._balance(ranked, own)

    def _leaving(self, remain: Sequence[Verdict]) -> dict[str, Any]:
        decided = [(slot, self._verdicts(slot)) for slot in self._ranked()]
        decisions = [worst(found) for _, found in decided]
        target = next((slot for slot, found in decided if worst(found) == "YES"), None)
        body: dict[str, Any] = {
            "can_remain_on_current_node": "no",
            "can_remain_decisions": self._shown(remain),
            "can_move_to_other_node": "no",
            "move_explanation": (
                "cannot move shard to another node, even though it is not allowed to remain on its current node"
            ),
        }
        if target is not None:
            body["can_move_to_other_node"] = "yes"
            body["move_explanation"] = "shard cannot remain on this node and is force-moved to another node"
            body["target_node"] = _node(target)
        elif "THROTTLE" in decisions:
            body["can_move_to_other_node"] = "throttled"
            body["move_explanation"] = "shard cannot remain on this node but is throttled on moving to another node"
        shown = [self._decision(slot, rank, found) for rank, (slot, found) in enumerate(decided, 1)]
        return body | ({"node_allocation_decisions": shown} if shown else {})

    def _balance(self, ranked: Sequence[NodeSlot], own: int) -> dict[str, Any]:
        allowed = rebalance_verdicts(self.asking, self.each)
        cluster = worst(allowed)
        body: dict[str, Any] = {"can_rebalance_cluster": _WORDS[cluster]}
        if cluster != "YES":
            body["can_rebalance_cluster_decisions"] = self._shown(allowed)
        goal = self.problem.goals.get((self.each.row.name, self.each.number), ())
        planned = [slot for slot in ranked if slot.at in goal and slot.at not in self.each.others]
        shown, target, other = [], None, False
        for rank, slot in enumerate(ranked, 1):
            if rank == own:
                continue
            found = self._verdicts(slot)
            decision = worst(found)
            other |= decision == "YES"
            entry = self._decision(slot, rank, found)
            if decision == "YES" and slot in planned:
                target = target or slot
            elif decision == "YES":
                entry["node_decision"] = "worse_balance"
            shown.append(entry)
        body |= _rebalancing(cluster, target, other)
        return body | ({"node_allocation_decisions": shown} if shown else {})

    # --- parts ------------------------------------------------------------------------------------------------------

    def _ranked(self, *, with_own: bool = False) -> list[NodeSlot]:
        """The data nodes, the lightest for this index first."""
        own = self.each.at
        slots = [slot for slot in self.problem.live() if with_own or slot.at != own]
        return sorted(slots, key=lambda slot: (self.chooser.weight(self.each.row, slot.at), slot.id))

    def _verdicts(self, slot: NodeSlot, *, forced: bool = False) -> list[Verdict]:
        found = verdicts(self.asking, self.each, slot)
        if not forced:
            return found
        return [self._forced(one, slot) for one in found]

    def _forced(self, verdict: Verdict, slot: NodeSlot) -> Verdict:
        """A primary whose data lies here may come here against everything but what is binding."""
        if verdict.decision != "NO" or verdict.decider in ("max_retry", "same_shard", "throttling", "in_sync_copy"):
            return verdict
        text = f"primary shard [{self._text()}] allowed to force allocate on node [{slot.id}]"
        return Verdict(verdict.decider, "YES", text)

    def _text(self) -> str:
        return copy_text(self.each.row.name, self.each.number, self.each.copy)

    def _decision(self, slot: NodeSlot, rank: int, found: Sequence[Verdict]) -> dict[str, Any]:
        shown: dict[str, Any] = {"node_id": slot.id, "node_name": _name(slot)}
        if slot.node is not None:
            shown["transport_address"] = slot.node.spec.transport_address
            shown["node_attributes"] = slot.node.spec.attributes
        shown |= {"node_decision": _WORDS[worst(found)], "weight_ranking": rank}
        deciders = self._shown(found)
        return shown | ({"deciders": deciders} if deciders else {})

    def _shown(self, found: Sequence[Verdict]) -> list[dict[str, Any]]:
        return [
            {"decider": one.decider, "decision": one.decision, "explanation": one.explanation}
            for one in found
            if self.every or one.decision != "YES"
        ]


def _rebalancing(cluster: str, target: NodeSlot | None, other: bool) -> dict[str, Any]:
    if cluster == "NO":
        more = ", even though there is at least one node on which the shard can be allocated" if other else ""
        return {"can_rebalance_to_other_node": "no", "rebalance_explanation": f"rebalancing is not allowed{more}"}
    if cluster == "THROTTLE":
        return {"can_rebalance_to_other_node": "throttled", "rebalance_explanation": "rebalancing is throttled"}
    if target is not None:
        return {
            "can_rebalance_to_other_node": "yes",
            "rebalance_explanation": "can rebalance shard",
            "target_node": _node(target),
        }
    text = "cannot rebalance as no target node exists that can both allocate this shard and improve the cluster balance"
    return {"can_rebalance_to_other_node": "no", "rebalance_explanation": text}


def _node(slot: NodeSlot) -> dict[str, Any]:
    node: Node | None = slot.node
    if node is None:
        return {"id": slot.id}
    spec = node.spec
    return {
        "id": spec.id,
        "name": spec.name,
        "transport_address": spec.transport_address,
        "attributes": spec.attributes,
    }


def _name(slot: NodeSlot) -> str:
    return slot.node.name if slot.node is not None else slot.id
