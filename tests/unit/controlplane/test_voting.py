from __future__ import annotations

import pytest
from tests.unit.controlplane.cluster import Cluster

from quidditch.controlplane.core import voting
from quidditch.controlplane.core.commands import (
    AddVotingExclusions,
    ClearVotingExclusions,
    PutClusterSettings,
    RegisterNode,
)
from quidditch.model.errors import ApiError
from quidditch.model.objects import NodeSpec, VotingExclusion


def masters(*names: str) -> Cluster:
    cluster = Cluster(nodes=1)
    for name in names:
        spec = NodeSpec(id=f"id-{name}", name=name, roles=("cluster_manager",), ephemeral_id=name)
        cluster.run(RegisterNode(node=spec, fresh=True))
    return cluster


def test_an_excluded_master_leads_only_where_there_is_no_other() -> None:
    cluster = masters("a", "b")
    cluster.run(AddVotingExclusions(node_names=("a",)))
    assert [voting.may_lead(cluster.state, f"id-{name}") for name in "ab"] == [False, True]
    cluster.run(AddVotingExclusions(node_ids=("id-b",)))
    assert [voting.may_lead(cluster.state, f"id-{name}") for name in "ab"] == [True, True]
    assert voting.exclusions(cluster.state) == (
        VotingExclusion(node_id="id-a", node_name="a"),
        VotingExclusion(node_id="id-b", node_name="b"),
    )
    cluster.run(ClearVotingExclusions())
    assert voting.exclusions(cluster.state) == ()


def test_who_is_not_there_is_kept_by_what_is_known_and_data_nodes_are_passed_over() -> None:
    cluster = masters("a")
    (data,) = (node for node in cluster.state.nodes.values() if "data" in node.spec.roles)
    for _ in range(2):
        cluster.run(AddVotingExclusions(node_ids=("x", data.id), node_names=("y", data.name)))
    assert voting.exclusions(cluster.state) == (
        VotingExclusion(node_id="x", node_name="_absent_"),
        VotingExclusion(node_id="_absent_", node_name="y"),
    )


def test_there_is_a_limit() -> None:
    cluster = masters("a")
    cluster.run(PutClusterSettings(transient={"cluster.max_voting_config_exclusions": 2}))
    cluster.run(AddVotingExclusions(node_names=("x",)))
    with pytest.raises(ApiError) as caught:
        cluster.run(AddVotingExclusions(node_names=("x", "y", "z")))
    assert caught.value.reason == (
        "add voting config exclusions request for [] would add [2] exclusions to the existing [1] which would exceed the "
        "maximum of [2] set by [cluster.max_voting_config_exclusions]"
    )
    assert len(voting.exclusions(cluster.state)) == 1
