"""Copies that move, wait, are told to: relocation, delays, reroute commands, shutdowns, the flood stage, the desired balance."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.controlplane.allocation.support import explain, refusing
from tests.unit.controlplane.allocation.test_deciders import GB, disks, placed, put
from tests.unit.controlplane.cluster import Cluster

from quidditch.controlplane.core.allocation.delay import next_look_ms
from quidditch.controlplane.core.allocation.info import ClusterInfo, Disk
from quidditch.controlplane.core.commands import (
    AllocationCommand,
    DeleteShutdown,
    DesiredBalance,
    NodeLeft,
    PutClusterSettings,
    PutShutdown,
    Reroute,
    ShardFailed,
    ShardStarted,
    ShutdownStatus,
    UpdateIndexSettings,
    Upkeep,
)
from quidditch.controlplane.core.decide import decide
from quidditch.controlplane.core.health import cluster_health
from quidditch.model.errors import ApiError
from quidditch.model.objects import Copy, ShardRouting


def shard(cluster: Cluster, name: str = "a", number: int = 0) -> ShardRouting:
    return cluster.state.routing[name].spec.shards[number]


def moving() -> Cluster:
    """The primary of `a` on its way from n0 to n1."""
    cluster = Cluster()
    cluster.create("a", {"number_of_replicas": 0})
    cluster.starting = False
    cluster.join(1)
    cluster.run(Reroute(commands=(AllocationCommand("move", "a", 0, "node-0", "node-1"),)))
    assert shard(cluster).primary.state == "RELOCATING"
    return cluster


def report(cluster: Cluster, kind: type, copy: Copy, **more: Any) -> None:
    uuid = cluster.state.indices["a"].uuid
    cluster.run(kind(index="a", uuid=uuid, shard=0, allocation_id=copy.allocation_id or "", **more))


# --- relocation ---------------------------------------------------------------------------------------------------------


def test_a_move_ends_with_the_target_in_the_place_of_the_source() -> None:
    cluster = moving()
    before = shard(cluster)
    target = before.primary.target
    assert target is not None
    assert (target.state, target.node, target.relocating_node, target.recovery) == ("INITIALIZING", "n1", "n0", "PEER")
    health = cluster_health(cluster.state)
    assert (health.status, health.counts.relocating, health.counts.initializing) == ("green", 1, 0)
    report(cluster, ShardStarted, target)
    after = shard(cluster)
    assert (after.primary.node, after.primary.state, after.primary.allocation_id) == (
        "n1",
        "STARTED",
        target.allocation_id,
    )
    assert after.in_sync == (target.allocation_id,)
    assert after.primary_term == before.primary_term


def test_a_failed_move_leaves_the_source_and_is_given_up_after_five() -> None:
    cluster = moving()
    put(cluster, exclude___name="node-0")
    for attempt in range(1, 6):
        target = shard(cluster).primary.target
        assert target is not None
        report(cluster, ShardFailed, target, reason="broken pipe")
        assert shard(cluster).primary.failed_moves == attempt
    assert shard(cluster).primary.state == "STARTED"
    body = explain(cluster, "a")
    assert body["can_move_to_other_node"] == "no"
    assert body["node_allocation_decisions"][0]["deciders"][0]["explanation"].startswith(
        "shard has exceeded the maximum number of retries [5] on failed relocation attempts"
    )
    cluster.run(Reroute(retry_failed=True))
    assert shard(cluster).primary.state == "RELOCATING"


def test_losing_the_target_node_leaves_the_source_and_losing_the_source_loses_both() -> None:
    cluster = moving()
    cluster.run(NodeLeft(node_id="n1"))
    assert (shard(cluster).primary.state, shard(cluster).primary.node) == ("STARTED", "n0")
    cluster = moving()
    cluster.run(NodeLeft(node_id="n0"))
    assert (shard(cluster).primary.state, shard(cluster).primary.relocation_id) == ("UNASSIGNED", None)
    cluster.join(0, "e2")
    assert (shard(cluster).primary.state, shard(cluster).primary.node) == ("INITIALIZING", "n0")


def test_a_lost_primary_takes_what_was_being_copied_from_it_along() -> None:
    cluster = Cluster(nodes=3, starting=False)
    cluster.create("a", {"number_of_replicas": 1})
    report(cluster, ShardStarted, shard(cluster).primary)
    assert shard(cluster).copies[1].state == "INITIALIZING"
    put(cluster, enable="none")
    report(cluster, ShardFailed, shard(cluster).primary, reason="x")
    replica = shard(cluster).copies[1]
    assert (replica.state, replica.unassigned.reason) == ("UNASSIGNED", "PRIMARY_FAILED")  # type: ignore[union-attr]


def test_a_new_node_is_filled_two_moves_at_a_time() -> None:
    cluster = Cluster(nodes=2)
    cluster.create("a", {"number_of_shards": 12, "number_of_replicas": 0})
    cluster.starting = False
    cluster.join(2)
    moves = [copy for each in cluster.state.routing["a"].spec.shards for copy in each.copies if copy.relocating_node]
    assert [copy.relocating_node for copy in moves] == ["n2", "n2"]
    cluster.start_all()
    held = [nodes[0] for nodes in placed(cluster)]
    assert sorted(held.count(node) for node in ("n0", "n1", "n2")) == [4, 4, 4]


# --- delays -------------------------------------------------------------------------------------------------------------


def test_replicas_of_a_node_that_left_wait_and_then_go_elsewhere() -> None:
    cluster = Cluster(nodes=3)
    cluster.create("a")
    lost = shard(cluster).copies[1].node or ""
    cluster.run(NodeLeft(node_id=lost))
    assert cluster_health(cluster.state).counts.delayed == 1
    body = explain(cluster, "a", primary=False)
    assert (body["can_allocate"], body["configured_delay_in_millis"], body["remaining_delay_in_millis"]) == (
        "allocation_delayed",
        60_000,
        60_000,
    )
    assert body["allocate_explanation"] == (
        "cannot allocate because the cluster is still waiting [1m] for the departed node holding a replica to rejoin,"
        " despite being allowed to allocate the shard to at least one other node"
    )
    assert next_look_ms(cluster.memory.follow(cluster.state, cluster.env)) == 60_000
    cluster.now += 59_999
    cluster.run(Reroute())
    assert shard(cluster).copies[1].node is None
    cluster.now += 1
    cluster.run(Reroute())
    assert shard(cluster).copies[1].state == "STARTED"
    assert cluster_health(cluster.state).counts.delayed == 0


def test_a_node_that_comes_back_in_time_has_its_replicas_again() -> None:
    cluster = Cluster(nodes=4)
    cluster.create("a", {"number_of_shards": 4})
    before = placed(cluster)
    cluster.run(NodeLeft(node_id="n1"))
    cluster.now += 30_000
    cluster.join(1, "e2")
    assert [set(nodes) for nodes in placed(cluster)] == [set(nodes) for nodes in before]
    assert cluster_health(cluster.state).status == "green"


def test_a_copy_that_was_being_built_is_built_on_as_soon_as_its_node_is_back() -> None:
    cluster = Cluster(nodes=3, starting=False)
    cluster.create("a")
    report(cluster, ShardStarted, shard(cluster).primary)
    lost = shard(cluster).copies[1].node or ""
    cluster.run(NodeLeft(node_id=lost))
    assert shard(cluster).copies[1].allocation_id is None
    assert cluster_health(cluster.state).counts.delayed == 1
    cluster.join(int(lost.removeprefix("n")), "e2")
    assert (shard(cluster).copies[1].state, shard(cluster).copies[1].node) == ("INITIALIZING", lost)


def test_a_copy_goes_elsewhere_at_once_when_its_node_is_back_and_may_not_have_it() -> None:
    cluster = Cluster(nodes=3)
    cluster.create("a")
    primary, lost = (copy.node or "" for copy in shard(cluster).copies)
    cluster.run(NodeLeft(node_id=lost))
    number = int(lost.removeprefix("n"))
    exclude = {"routing.allocation.exclude._name": f"node-{number}"}
    cluster.run(UpdateIndexSettings(indices=("a",), settings=exclude))
    assert explain(cluster, "a", primary=False)["can_allocate"] == "allocation_delayed"
    cluster.join(number, "e2")
    assert shard(cluster).copies[1].node not in (None, primary, lost)
    assert cluster_health(cluster.state).status == "green"


def test_without_delay_nobody_waits() -> None:
    cluster = Cluster(nodes=3)
    cluster.create("a", {"unassigned.node_left.delayed_timeout": "0s"})
    cluster.run(NodeLeft(node_id=shard(cluster).copies[1].node or ""))
    assert cluster_health(cluster.state).status == "green"


# --- reroute ------------------------------------------------------------------------------------------------------------


def told(cluster: Cluster, *command: Any, **more: Any) -> tuple[str, str]:
    """(decider, explanation) of the last decision about a command that is only explained."""
    reroute = Reroute(commands=(AllocationCommand(*command, **more),), explain=True, dry_run=True)
    before = cluster.state
    result = decide(cluster.state, reroute, cluster.env)
    assert not result.ops
    assert cluster.state is before
    decision = result.result.explanations[0]["decisions"][-1]  # type: ignore[union-attr]
    return decision["decider"], decision["explanation"]


def refused(cluster: Cluster, *command: Any, **more: Any) -> tuple[int, str | None]:
    with pytest.raises(ApiError) as caught:
        cluster.run(Reroute(commands=(AllocationCommand(*command, **more),)))
    return caught.value.status, caught.value.reason


NODE_0 = "{node-0}{n0}{e}{h0}{}{d}"


def test_commands_that_cannot_be() -> None:
    cluster = Cluster(nodes=2)
    cluster.create("a")
    cluster.create("c", {"number_of_replicas": 0, "routing.allocation.require.zone": "none"})
    a0 = shard(cluster).primary.node
    other = "n1" if a0 == "n0" else "n0"
    assert refused(cluster, "move", "a", 0, "n9", "n0") == (400, "failed to resolve [n9], no matching nodes")
    assert refused(cluster, "move", "c", 0, "n0", "n1") == (
        400,
        f"[move_allocation] can't move 0, failed to find it on node {NODE_0}",
    )
    assert told(cluster, "move", "c", 0, "n0", "n1") == ("move_allocation_command", "shard 0 not found")
    status, reason = refused(cluster, "move", "a", 0, a0, other)
    assert status == 400
    assert reason is not None
    assert "since its not allowed, reason: [YES(shard has no previous failures)]" in reason
    assert (
        "[YES(explicitly ignoring any disabling of allocation due to manual allocation commands via the reroute API)]"
        in reason
    )
    assert "[NO(a copy of this shard is already allocated to this node [[a][0], node[" in reason
    assert refused(cluster, "allocate_replica", "a", 0, "n0") == (
        400,
        "[allocate_replica] all copies of [a][0] are already assigned. Use the move allocation command instead",
    )
    assert refused(cluster, "allocate_replica", "c", 0, "n0") == (
        400,
        "[allocate_replica] trying to allocate a replica shard [c][0], while corresponding primary shard is still unassigned",
    )
    assert refused(cluster, "allocate_empty_primary", "a", 0, "n0", flag=True) == (
        400,
        "[allocate_empty_primary] primary [a][0] is already assigned",
    )
    assert refused(cluster, "allocate_empty_primary", "zz", 0, "n0", flag=True) == (404, "no such index [zz]")
    assert refused(cluster, "allocate_stale_primary", "c", 0, "n0", flag=True) == (
        400,
        "No data for shard [0] of index [c] found on any node",
    )
    assert told(cluster, "allocate_replica", "a", 0, "n9") == (
        "allocate_replica (allocation command)",
        "failed to resolve [n9], no matching nodes",
    )
    assert told(cluster, "allocate_empty_primary", "c", 0, "n0") == (
        "allocate_empty_primary (allocation command)",
        "ignore deciders",
    )


def test_cancel() -> None:
    cluster = moving()
    status, reason = refused(cluster, "cancel", "a", 0, "n0")
    assert (status, str(reason).endswith("shard is primary and relocating")) == (400, True)
    put(cluster, **{"node_concurrent_recoveries": 1})
    cluster.run(Reroute(commands=(AllocationCommand("cancel", "a", 0, "n1"),)))
    assert (shard(cluster).primary.state, shard(cluster).primary.node) == ("STARTED", "n0")
    put(cluster, enable="none")
    cluster.run(Reroute(commands=(AllocationCommand("cancel", "a", 0, "n0", flag=True),)))
    primary = shard(cluster).primary
    assert primary.unassigned is not None
    assert primary.unassigned.reason == "REROUTE_CANCELLED"
    assert primary.state == "INITIALIZING"  # where its data lies, whatever `enable` says


def test_forced_primaries_need_the_word_and_get_a_new_history() -> None:
    cluster = Cluster(nodes=1)
    cluster.create("a", {"number_of_replicas": 0})
    before = shard(cluster)
    cluster.run(NodeLeft(node_id="n0"))
    cluster.join(1)
    loss = (
        "[allocate_empty_primary] allocating an empty primary for [a][0] can result in data loss. Please confirm by setting"
        " the accept_data_loss parameter to true"
    )
    assert refused(cluster, "allocate_empty_primary", "a", 0, "node-1") == (400, loss)
    assert refused(cluster, "allocate_stale_primary", "a", 0, "node-1", flag=True) == (
        400,
        "No data for shard [0] of index [a] found on node [node-1]",
    )
    cluster.starting = False
    cluster.run(Reroute(commands=(AllocationCommand("allocate_empty_primary", "a", 0, "node-1", flag=True),)))
    after = shard(cluster)
    assert (after.primary.node, after.primary.recovery, after.in_sync) == ("n1", "EMPTY_STORE", ())
    assert after.primary_term > before.primary_term
    cluster.start_all()
    assert shard(cluster).in_sync == (after.primary.allocation_id,)
    assert before.primary.allocation_id not in shard(cluster).in_sync


# --- shutdowns ----------------------------------------------------------------------------------------------------------


def status(cluster: Cluster, node: str | None = None) -> list[dict[str, Any]]:
    return list(decide(cluster.state, ShutdownStatus(node=node), cluster.env).result.body["nodes"])  # type: ignore[union-attr]


def test_a_node_to_be_removed_is_emptied() -> None:
    cluster = Cluster(nodes=2)
    cluster.create("a", {"number_of_shards": 4, "number_of_replicas": 0})
    cluster.starting = False
    cluster.run(PutShutdown(node="node-1", kind="REMOVE", reason="old"))
    assert [(one["status"], one["shard_migration"]["shard_migrations_remaining"]) for one in status(cluster)] == [
        ("IN_PROGRESS", 2)
    ]
    cluster.start_all()
    assert status(cluster, "n1")[0]["status"] == "COMPLETE"
    assert {nodes[0] for nodes in placed(cluster)} == {"n0"}
    cluster.run(DeleteShutdown(node="n1"))
    assert status(cluster) == []
    with pytest.raises(ApiError, match="is currently not shutting down"):
        cluster.run(DeleteShutdown(node="n1"))


def test_a_node_that_cannot_be_emptied_is_stalled_and_says_by_whom() -> None:
    cluster = Cluster(nodes=2)
    cluster.create("a")
    cluster.run(PutShutdown(node="n1", kind="remove", reason="old"))
    (found,) = status(cluster)
    assert found["status"] == "STALLED"
    assert "cannot move because of [same_shard]" in found["shard_migration"]["explanation"]
    cluster.join(2)
    assert status(cluster)[0]["status"] == "COMPLETE"


def test_a_restart_moves_nothing_and_is_waited_for_longer() -> None:
    cluster = Cluster(nodes=3)
    cluster.create("a")
    node = shard(cluster).copies[1].node or ""
    before = placed(cluster)
    cluster.run(PutShutdown(node=node, kind="restart", reason="patch", allocation_delay="20m"))
    assert (status(cluster)[0]["status"], placed(cluster)) == ("COMPLETE", before)
    cluster.run(NodeLeft(node_id=node))
    cluster.now += 19 * 60_000
    cluster.run(Reroute())
    assert shard(cluster).copies[1].node is None
    assert shard(cluster).copies[1].unassigned.reason == "NODE_RESTARTING"  # type: ignore[union-attr]
    cluster.now += 60_000
    cluster.run(Reroute())
    assert shard(cluster).copies[1].state == "STARTED"


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        (PutShutdown(node="n0", reason="x"), "the shutdown type is required"),
        (PutShutdown(node="n0", kind="remove"), "the reason for shutdown is required"),
        (PutShutdown(node="n0", kind="remove", reason="x", allocation_delay="1m"), "allocation delay is only valid"),
        (PutShutdown(node="n0", kind="remove", reason="x", target_node_name="y"), "target node name is only valid"),
        (PutShutdown(node="n0", kind="replace", reason="x"), "target node name is required"),
        (PutShutdown(node="n0", kind="explode", reason="x"), "unknown node shutdown type"),
        (PutShutdown(node="n0", kind="restart", reason="x", allocation_delay="soon"), "failed to parse setting"),
    ],
)
def test_shutdowns_that_cannot_be(command: PutShutdown, problem: str) -> None:
    with pytest.raises(ApiError, match=problem) as caught:
        Cluster().run(command)
    assert caught.value.status == 400


def test_a_node_that_was_never_here_has_not_started_to_go() -> None:
    cluster = Cluster()
    cluster.run(PutShutdown(node="n7", kind="remove", reason="never came"))
    assert status(cluster)[0]["status"] == "NOT_STARTED"
    cluster.join(7)
    assert status(cluster)[0]["status"] == "COMPLETE"


# --- flood stage, desired balance ---------------------------------------------------------------------------------------


def test_the_flood_stage_blocks_writes_until_there_is_room() -> None:
    cluster = Cluster(nodes=2)
    cluster.create("a", {"number_of_replicas": 0})
    cluster.create("b", {"number_of_replicas": 0})
    full = placed(cluster)[0][0] or ""
    other = "n1" if full == "n0" else "n0"
    assert placed(cluster, "b") == [[other]]

    def blocked() -> list[str]:
        key = "index.blocks.read_only_allow_delete"
        return [name for name, index in sorted(cluster.state.indices.items()) if index.setting(key) == "true"]

    cluster.run(PutClusterSettings(persistent={"cluster.routing.rebalance.enable": "none"}))
    put(cluster, enable="none")
    disks(cluster, **{full: 3, other: 50})
    cluster.run(Upkeep())
    assert blocked() == ["a"]
    disks(cluster, **{full: 8, other: 50})
    cluster.run(Upkeep())
    assert blocked() == ["a"]
    cluster.info = ClusterInfo({other: Disk(100 * GB, 50 * GB)})
    cluster.run(Upkeep())
    assert blocked() == ["a"]
    disks(cluster, **{full: 11, other: 50})
    cluster.run(Upkeep())
    assert blocked() == []


def test_the_desired_balance_shows_where_everything_goes() -> None:
    cluster = Cluster(nodes=2, starting=False)
    cluster.create("a", {"number_of_shards": 6})
    body = decide(cluster.state, DesiredBalance(), cluster.env).result.body  # type: ignore[union-attr]
    assert [each["desired"] for each in body["routing_table"]["a"].values()] == [
        {"node_ids": ["n0", "n1"], "total": 2, "unassigned": 0}
    ] * 6
    assert body["stats"]["unconverged_shards"] == 6
    assert [node["desired_shards"] for node in body["nodes"].values()] == [6, 6]
    cluster.start_all()
    body = decide(cluster.state, DesiredBalance(), cluster.env).result.body  # type: ignore[union-attr]
    assert body["stats"] == {"unconverged_shards": 0, "relocating_shards": 0, "unassigned_shards": 0}


def test_explaining_what_is_not_there() -> None:
    cluster = Cluster()
    with pytest.raises(ApiError, match="unable to find any unassigned shards to explain"):
        explain(cluster)
    cluster.create("a", {"number_of_replicas": 0})
    with pytest.raises(ApiError) as caught:
        explain(cluster, "a", primary=False)
    assert caught.value.reason == (
        "unable to find any shards to explain [ClusterAllocationExplainRequest[index=a,shard=0,primary?=false,"
        "includeYesDecisions?=false] in the routing table"
    )
    with pytest.raises(ApiError) as caught:
        explain(cluster, "a", 3)
    assert (caught.value.status, caught.value.type) == (404, "shard_not_found_exception")
    cluster.run(UpdateIndexSettings(indices=("a",), settings={"number_of_replicas": 1}))
    assert refusing(cluster) == {"n0": ["same_shard"]}
