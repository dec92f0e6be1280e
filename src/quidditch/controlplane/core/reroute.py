"""`_cluster/reroute`: what users do to single copies by hand, then what the allocation makes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from quidditch.controlplane.core import routing
from quidditch.controlplane.core.allocation.deciders import Asking, Subject, Verdict, subject, verdicts, worst
from quidditch.controlplane.core.allocation.deciders.texts import node_text
from quidditch.controlplane.core.allocation.memory import Memory
from quidditch.controlplane.core.allocation.solve import allocate
from quidditch.controlplane.core.commands import AllocationCommand, Reroute, Rerouted
from quidditch.controlplane.core.draft import Draft
from quidditch.controlplane.core.node_names import resolve_node
from quidditch.model.errors import ApiError, illegal_argument
from quidditch.model.objects import Node, Routing, ShardRouting, UnassignedInfo


class _Refused(Exception):
    """A command that cannot be: `where` prefixes the error, `decider` and `told` are its explanation."""

    def __init__(self, where: str, decider: str, reason: str, told: str | None = None) -> None:
        super().__init__(reason)
        self.error = illegal_argument(f"[{where}] {reason}")
        self.verdicts = [Verdict(decider, "NO", reason if told is None else told)]


def reroute(draft: Draft, command: Reroute) -> Rerouted:
    if not command.dry_run:
        return Rerouted(_carry_out(draft, command))
    env = msgspec.structs.replace(draft.env, memory=Memory())
    rehearsal = Draft(draft.state, env)
    explanations = _carry_out(rehearsal, command)
    changed = draft.state.differs(rehearsal.state, "Routing")
    return Rerouted(explanations, tuple(rehearsal.state.routing[name] for name in changed))


def _carry_out(draft: Draft, command: Reroute) -> tuple[dict[str, Any], ...]:
    told = [_explained(draft, each, command.explain) for each in command.commands]
    if command.retry_failed:
        for known in list(draft.state.routing.values()):
            shards = tuple(routing.forgive(shard) for shard in known.spec.shards)
            draft.put(routing.with_shards(known, shards))
    allocate(draft)
    return tuple(told) if command.explain else ()


def _explained(draft: Draft, command: AllocationCommand, explain: bool) -> dict[str, Any]:
    try:
        found = _COMMANDS[command.kind](draft, command)
    except _Refused as refused:
        if not explain:
            raise refused.error from None
        found = refused.verdicts
    except ApiError as error:
        if not explain or not command.kind.startswith("allocate"):
            raise
        found = [Verdict(_decider(command), "NO", error.reason or "")]
    return {
        "command": command.kind,
        "parameters": _parameters(command),
        "decisions": [
            {"decider": one.decider, "decision": one.decision, "explanation": one.explanation} for one in found
        ],
    }


def _parameters(command: AllocationCommand) -> dict[str, Any]:
    shown: dict[str, Any] = {"index": command.index, "shard": command.shard}
    if command.kind == "move":
        return {**shown, "from_node": command.node, "to_node": command.to_node}
    shown["node"] = command.node
    if command.kind == "cancel":
        shown["allow_primary"] = command.flag
    elif command.kind != "allocate_replica":
        shown["accept_data_loss"] = command.flag
    return shown


def _decider(command: AllocationCommand) -> str:
    return f"{command.kind} (allocation command)"


# --- move and cancel ----------------------------------------------------------------------------------------------------


def _move(draft: Draft, command: AllocationCommand) -> list[Verdict]:
    source, target = resolve_node(draft.state, command.node), resolve_node(draft.state, command.to_node)
    decider, number = "move_allocation_command", command.shard
    found = _on_node(draft, command, source)
    if found is None:
        raise _Refused(
            "move_allocation",
            decider,
            f"can't move {number}, failed to find it on node {node_text(source)}",
            f"shard {number} not found",
        )
    known, shard, position, _ = found
    copy = shard.copies[position]
    if copy.state != "STARTED" or copy.node != source.id:
        state = copy.state if copy.node == source.id else "INITIALIZING"
        raise _Refused(
            "move_allocation",
            decider,
            f"can't move {number}, shard is not started (state = {state}]",
            f"shard {number} has not been started",
        )
    if not target.holds_data:
        route = f"from {node_text(source)} to {node_text(target)}"
        reason = f"can't move {number} {route}: source [{target.name}] is not a data node."
        raise _Refused("move_allocation", decider, reason)
    told = _asked(draft, command, position, target)
    if worst(told) == "NO":
        reason = (
            f"can't move {number}, from {node_text(source)}, to {node_text(target)}, since its not allowed, reason:"
            f" {_listed(told)}"
        )
        refused = _Refused("move_allocation", decider, reason)
        refused.verdicts = told
        raise refused
    draft.put(routing.with_shard(known, number, routing.relocate(shard, position, target.id, draft.env.ids)))
    return told


def _cancel(draft: Draft, command: AllocationCommand) -> list[Verdict]:
    node, number = resolve_node(draft.state, command.node), command.shard
    decider = "cancel_allocation_command"
    if command.index not in draft.state.routing:
        reason = f"no such index [{command.index}]"
        raise ApiError(404, "index_not_found_exception", reason, {"index": command.index, "index_uuid": "_na_"})
    found = _on_node(draft, command, node)
    if found is None:
        reason = f"can't cancel {number}, failed to find it on node {node_text(node)}"
        raise _Refused("cancel_allocation", decider, reason)
    known, shard, position, target = found
    copy = shard.copies[position]
    if copy.primary and not command.flag and not target:
        reason = f"can't cancel {number} on node {node_text(node)}, shard is primary and {copy.state.lower()}"
        raise _Refused("cancel_allocation", decider, reason)
    if target:
        after = routing.stay(shard, position)
    else:
        after = routing.unassign(shard, position, UnassignedInfo(reason="REROUTE_CANCELLED", at=draft.env.now_ms))
    draft.put(routing.with_shard(known, number, after))
    return [Verdict(decider, "YES", f"shard {number} on node {node_text(node)} can be cancelled")]


def _on_node(draft: Draft, command: AllocationCommand, node: Node) -> tuple[Routing, ShardRouting, int, bool] | None:
    """The copy of the shard on the node, and whether it is there as the target of a move."""
    known = draft.state.routing.get(command.index)
    if known is None or not 0 <= command.shard < len(known.spec.shards):
        return None
    shard = known.spec.shards[command.shard]
    for position, copy in enumerate(shard.copies):
        if node.id in (copy.node, copy.relocating_node):
            return known, shard, position, copy.node != node.id
    return None


# --- allocate -----------------------------------------------------------------------------------------------------------


def _allocate_replica(draft: Draft, command: AllocationCommand) -> list[Verdict]:
    node, known, shard = _named(draft, command)
    name = f"[{command.index}][{command.shard}]"
    if not shard.primary.assigned:
        reason = f"trying to allocate a replica shard {name}, while corresponding primary shard is still unassigned"
        raise _Refused(command.kind, _decider(command), reason)
    position = next((n for n, copy in enumerate(shard.copies) if not copy.assigned), None)
    if position is None:
        reason = f"all copies of {name} are already assigned. Use the move allocation command instead"
        raise _Refused(command.kind, _decider(command), reason)
    told = _asked(draft, command, position, node)
    if worst(told) == "NO":
        reason = f"allocation of {name} on node {node_text(node)} is not allowed, reason: {_listed(told)}"
        refused = _Refused(command.kind, _decider(command), reason)
        refused.verdicts = told
        raise refused
    draft.put(routing.with_shard(known, command.shard, routing.assign(shard, position, node.id, draft.env.ids)))
    return told


def _allocate_empty_primary(draft: Draft, command: AllocationCommand) -> list[Verdict]:
    node, known, shard = _named(draft, command)
    _check_unassigned(command, shard)
    if shard.in_sync:
        _check_loss(command)
    info = replace(shard.primary.unassigned or UnassignedInfo(reason=""), reason="FORCED_EMPTY_PRIMARY")
    after = routing.forced_primary(shard, node.id, draft.env.ids, info, stale=False)
    draft.put(routing.with_shard(known, command.shard, after))
    return [Verdict(_decider(command), "YES", "ignore deciders")]


def _allocate_stale_primary(draft: Draft, command: AllocationCommand) -> list[Verdict]:
    known = draft.state.routing.get(command.index)
    left = _left_data(known, command.shard)
    node = next((one for one in draft.state.nodes.values() if command.node in (one.id, one.name)), None)
    what = f"No data for shard [{command.shard}] of index [{command.index}] found on"
    if known is not None and not left:
        raise illegal_argument(f"{what} any node")
    if known is not None and (node is None or node.id not in left):
        raise illegal_argument(f"{what} node [{command.node}]")
    node, known, shard = _named(draft, command)
    _check_unassigned(command, shard)
    _check_loss(command)
    if not shard.in_sync:
        name = f"[{command.index}][{command.shard}]"
        reason = f"trying to allocate an existing primary shard {name}, while no such shard has ever been active"
        raise _Refused(command.kind, _decider(command), reason)
    info = shard.primary.unassigned or UnassignedInfo(reason="")
    after = routing.forced_primary(shard, node.id, draft.env.ids, info, stale=True)
    draft.put(routing.with_shard(known, command.shard, after))
    return [Verdict(_decider(command), "YES", "ignore deciders")]


def _left_data(known: Routing | None, number: int) -> set[str]:
    """The nodes on which data of the shard lies, in sync or not."""
    if known is None or not 0 <= number < len(known.spec.shards):
        return set()
    found = set()
    for copy in known.spec.shards[number].copies:
        if copy.node is not None:
            found.add(copy.node)
        elif copy.unassigned is not None and copy.unassigned.last_node is not None:
            found.add(copy.unassigned.last_node)
    return found


def _named(draft: Draft, command: AllocationCommand) -> tuple[Node, Routing, ShardRouting]:
    """The node, and the shard. Raises illegal_argument_, index_not_found_ and shard_not_found_exception."""
    node = resolve_node(draft.state, command.node)
    index = draft.state.index(command.index)
    known = draft.state.routing.get(index.name)
    if known is None or not 0 <= command.shard < len(known.spec.shards):
        details = {"index": index.name, "shard": str(command.shard), "index_uuid": index.uuid}
        raise ApiError(404, "shard_not_found_exception", "no such shard", details)
    if not node.holds_data:
        reason = f"allocation can only be done on data nodes, not [{command.node}]"
        raise _Refused(command.kind, _decider(command), reason)
    return node, known, known.spec.shards[command.shard]


def _check_unassigned(command: AllocationCommand, shard: ShardRouting) -> None:
    if shard.primary.assigned:
        reason = f"primary [{command.index}][{command.shard}] is already assigned"
        raise _Refused(command.kind, _decider(command), reason)


def _check_loss(command: AllocationCommand) -> None:
    if not command.flag:
        reason = (
            f"allocating an empty primary for [{command.index}][{command.shard}] can result in data loss. Please confirm"
            " by setting the accept_data_loss parameter to true"
        )
        raise _Refused(command.kind, _decider(command), reason)


def _asked(draft: Draft, command: AllocationCommand, position: int, node: Node) -> list[Verdict]:
    """What the deciders say; those that switch allocation off do not stop a user."""
    problem = draft.env.memory.follow(draft.state, draft.env)
    each: Subject = subject(problem, problem.rows[command.index], command.shard, position)
    each.forced = True
    return verdicts(Asking(problem, aloud=True), each, problem.slot(node.id))


def _listed(told: list[Verdict]) -> str:
    return "".join(f"[{one.decision}({one.explanation})]" for one in told)


_COMMANDS: Mapping[str, Callable[[Draft, AllocationCommand], list[Verdict]]] = {
    "move": _move,
    "cancel": _cancel,
    "allocate_replica": _allocate_replica,
    "allocate_empty_primary": _allocate_empty_primary,
    "allocate_stale_primary": _allocate_stale_primary,
}
