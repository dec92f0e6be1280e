"""`decide(state, command, env) -> Decision`: the whole control plane, seen from outside."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from quidditch.controlplane.core import (
    aliases,
    cluster_settings,
    commands,
    create,
    flood,
    indices,
    named,
    nodes,
    reroute,
    rollover,
    shutdown,
    templates,
    voting,
)
from quidditch.controlplane.core.allocation import report
from quidditch.controlplane.core.commands import Command
from quidditch.controlplane.core.draft import Decision, Draft, Env
from quidditch.controlplane.core.repair import repair
from quidditch.model.objects import Cluster, ClusterSpec, metadata_for
from quidditch.model.state import ClusterState


def _upkeep(draft: Draft, _command: commands.Upkeep) -> commands.Acknowledged:
    flood.apply_flood_stage(draft)
    repair(draft)
    return commands.Acknowledged()


_HANDLERS: Mapping[type, Callable[[Draft, Any], commands.Result]] = {
    commands.CreateIndex: create.create_index,
    commands.Rollover: rollover.rollover,
    commands.DeleteIndices: indices.delete_indices,
    commands.OpenIndices: indices.open_indices,
    commands.CloseIndices: indices.close_indices,
    commands.PutMapping: indices.put_mapping,
    commands.GrowMapping: indices.grow_mapping,
    commands.UpdateIndexSettings: indices.update_settings,
    commands.AddBlock: indices.add_block,
    commands.UpdateAliases: aliases.update_aliases,
    commands.PutTemplate: templates.put_template,
    commands.DeleteTemplate: templates.delete_template,
    commands.PutNamed: named.put_named,
    commands.DeleteNamed: named.delete_named,
    commands.PutClusterSettings: cluster_settings.put_cluster_settings,
    commands.RegisterNode: nodes.register_node,
    commands.NodeLeft: nodes.node_left,
    commands.NodeHangs: nodes.node_hangs,
    commands.NoteHealth: nodes.note_health,
    commands.ShardStarted: nodes.shard_started,
    commands.ShardFailed: nodes.shard_failed,
    commands.Reroute: reroute.reroute,
    commands.PutShutdown: shutdown.put_shutdown,
    commands.DeleteShutdown: shutdown.delete_shutdown,
    commands.AddVotingExclusions: voting.add_exclusions,
    commands.ClearVotingExclusions: voting.clear_exclusions,
    commands.SetVoters: voting.set_voters,
    commands.ExplainAllocation: report.explain_allocation,
    commands.DesiredBalance: report.desired_balance,
    commands.ShutdownStatus: shutdown.shutdown_status,
    commands.Upkeep: _upkeep,
}


def decide(state: ClusterState, command: Command, env: Env) -> Decision:
    """What the command makes of the state. Raises :class:`ApiError` for what cannot be; then nothing changes."""
    draft = Draft(state, env)
    result = _HANDLERS[type(command)](draft, command)
    return draft.decision(result)


def decide_started(state: ClusterState, reports: Sequence[commands.ShardStarted], env: Env) -> list[Decision]:
    """Starts of shards that came together, decided as one: the first decision has all the writes."""
    draft = Draft(state, env)
    first, *rest = nodes.shards_started(draft, reports)
    decision = draft.decision(first)
    return [decision, *(Decision(decision.state, (), result) for result in rest)]


def upkeep(state: ClusterState, env: Env) -> Decision:
    """What brings the objects in order, whatever happened to them. Idempotent: nothing to do for an orderly state."""
    draft = Draft(state, env)
    repair(draft)
    return draft.decision()


def bootstrap(state: ClusterState, name: str, env: Env) -> Decision:
    """A new cluster's first object. A cluster that exists keeps its uuid and takes the name."""
    draft = Draft(state, env)
    if state.cluster is None:
        draft.put(Cluster(metadata=metadata_for(Cluster.NAME), spec=ClusterSpec(name=name, uuid=env.ids.uuid())))
    return draft.decision()
