"""Which masters are excluded from voting and leading, by OpenSearch's requests: how masters are taken out of a running cluster."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from quidditch.controlplane.core.commands import (
    Acknowledged,
    AddVotingExclusions,
    ClearVotingExclusions,
    SetVoters,
)
from quidditch.controlplane.core.draft import Draft
from quidditch.model.errors import illegal_argument
from quidditch.model.objects import Cluster, Node, Voter, VotingExclusion
from quidditch.model.state import ClusterState

ABSENT = "_absent_"
_MOST = "cluster.max_voting_config_exclusions"
MASTER = "cluster_manager"


def masters(state: ClusterState) -> Sequence[Node]:
    """The nodes that may lead, in order of their ids."""
    return [state.nodes[id] for id in sorted(state.nodes) if MASTER in state.nodes[id].spec.roles]


def exclusions(state: ClusterState) -> tuple[VotingExclusion, ...]:
    return state.cluster.spec.voting_exclusions if state.cluster is not None else ()


def voters(state: ClusterState) -> tuple[Voter, ...]:
    return state.cluster.status.voters if state.cluster is not None else ()


def named(state: ClusterState, name: str) -> bool:
    """Whether the master of this name is excluded."""
    return any(each.node_name == name for each in exclusions(state))


def excluded(state: ClusterState, node: Node) -> bool:
    return any(each.node_id == node.id or each.node_name == node.name for each in exclusions(state))


def may_lead(state: ClusterState, id: str) -> bool:
    """Whether this master may take the lead: it is not excluded, or there is no other that is not."""
    node = state.nodes.get(id)
    if node is None or not excluded(state, node):
        return True
    return all(excluded(state, each) for each in masters(state))


def add_exclusions(draft: Draft, command: AddVotingExclusions) -> Acknowledged:
    state = draft.state
    known = exclusions(state)
    asked = [_by_id(state, id) for id in command.node_ids] + [_by_name(state, name) for name in command.node_names]
    new = tuple(dict.fromkeys(each for each in asked if each is not None and each not in known))
    limit = state.settings.get(_MOST)
    most = 10 if limit is None else int(limit)
    if len(known) + len(new) > most:
        raise illegal_argument(
            f"add voting config exclusions request for [] would add [{len(new)}] exclusions to the existing [{len(known)}] "
            f"which would exceed the maximum of [{most}] set by [{_MOST}]"
        )
    _put(draft, (*known, *new))
    return Acknowledged()


def clear_exclusions(draft: Draft, _command: ClearVotingExclusions) -> Acknowledged:
    _put(draft, ())
    return Acknowledged()


def set_voters(draft: Draft, command: SetVoters) -> Acknowledged:
    cluster = _cluster(draft)
    draft.put(replace(cluster, status=replace(cluster.status, voters=command.voters)))
    return Acknowledged()


def _put(draft: Draft, wanted: tuple[VotingExclusion, ...]) -> None:
    cluster = _cluster(draft)
    draft.put(replace(cluster, spec=replace(cluster.spec, voting_exclusions=wanted)))


def _cluster(draft: Draft) -> Cluster:
    assert draft.state.cluster is not None
    return draft.state.cluster


def _by_id(state: ClusterState, id: str) -> VotingExclusion | None:
    """Nothing for a node that is no master."""
    node = state.nodes.get(id)
    if node is None:
        return VotingExclusion(node_id=id, node_name=ABSENT)
    return VotingExclusion(node_id=id, node_name=node.name) if MASTER in node.spec.roles else None


def _by_name(state: ClusterState, name: str) -> VotingExclusion | None:
    found = [node for node in state.nodes.values() if node.name == name]
    if not found:
        return VotingExclusion(node_id=ABSENT, node_name=name)
    return next((VotingExclusion(node_id=node.id, node_name=name) for node in found if MASTER in node.spec.roles), None)
