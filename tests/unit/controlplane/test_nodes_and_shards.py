from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from tests.unit.controlplane.allocation.support import assert_counted, refusing
from tests.unit.controlplane.cluster import Cluster

from quidditch.controlplane.core.commands import (
    AllocationCommand,
    HeldShard,
    NodeHangs,
    NodeLeft,
    PutClusterSettings,
    Reroute,
    ShardFailed,
    ShardStarted,
    UpdateIndexSettings,
)
from quidditch.controlplane.core.health import cluster_health
from quidditch.controlplane.core.routing import with_shard
from quidditch.model.errors import ApiError
from quidditch.model.objects import ShardRouting
from quidditch.model.state import ClusterState


def shard(cluster: Cluster, name: str = "a", number: int = 0) -> ShardRouting:
    return cluster.state.routing[name].spec.shards[number]


def fail(cluster: Cluster, position: int = 0, name: str = "a") -> None:
    copy = shard(cluster, name).copies[position]
    command = ShardFailed(
        index=name,
        uuid=cluster.state.indices[name].uuid,
        shard=0,
        allocation_id=copy.allocation_id or "",
        reason="broken",
    )
    cluster.run(command)


def test_shards_spread_over_nodes_and_never_twice_on_one() -> None:
    cluster = Cluster(nodes=3)
    cluster.create("a", {"number_of_shards": 6, "number_of_replicas": 1})
    held: dict[str | None, int] = {}
    for each in cluster.state.routing["a"].spec.shards:
        nodes = [copy.node for copy in each.copies]
        assert len(set(nodes)) == 2
        for node in nodes:
            held[node] = held.get(node, 0) + 1
    assert sorted(held.values()) == [4, 4, 4]
    assert cluster_health(cluster.state).status == "green"


def test_a_lost_primary_is_replaced_by_an_in_sync_replica_with_a_new_term() -> None:
    cluster = Cluster(nodes=2)
    cluster.create("a")
    before = shard(cluster)
    cluster.run(NodeLeft(node_id=before.primary.node or ""))
    after = shard(cluster)
    assert after.primary.allocation_id == before.copies[1].allocation_id
    assert after.primary_term == before.primary_term + 1
    assert after.copies[1].state == "UNASSIGNED"
    assert cluster_health(cluster.state).status == "yellow"


def test_the_last_copy_lost_is_red_and_comes_back_only_where_it_lies() -> None:
    cluster = Cluster(nodes=1)
    cluster.create("a", {"number_of_replicas": 0})
    before = shard(cluster)
    cluster.run(NodeLeft(node_id="n0"))
    assert cluster_health(cluster.state).status == "red"
    cluster.join(1)
    assert shard(cluster).primary.state == "UNASSIGNED"
    assert shard(cluster).primary.unassigned.last_allocation_status == "no_valid_shard_copy"  # type: ignore[union-attr]
    cluster.join(0, "e2")
    after = shard(cluster)
    assert (after.primary.state, after.primary.node) == ("STARTED", "n0")
    assert after.primary.allocation_id == before.primary.allocation_id
    assert after.primary_term == before.primary_term + 1
    assert cluster_health(cluster.state).status == "green"


def test_a_primary_takes_the_in_sync_data_that_a_replica_left() -> None:
    cluster = Cluster(nodes=2)
    cluster.create("a")
    before = shard(cluster)
    primary, replica = before.copies
    cluster.run(NodeLeft(node_id=replica.node or ""))
    cluster.run(NodeLeft(node_id=primary.node or ""))
    cluster.join(int((replica.node or "")[1:]), "e2")
    after = shard(cluster)
    assert (after.primary.node, after.primary.state) == (replica.node, "STARTED")
    assert after.primary.allocation_id == replica.allocation_id
    assert after.primary_term > before.primary_term
    cluster.join(int((primary.node or "")[1:]), "e2")
    assert cluster_health(cluster.state).status == "green"


def held(cluster: Cluster, *ids: str | None) -> tuple[HeldShard, ...]:
    """Data of the only shard of `a` that answers to these ids."""
    return (HeldShard(cluster.state.indices["a"].uuid, 0, tuple(id for id in ids if id)),)


def stopped(nodes: int, replicas: int) -> tuple[Cluster, ShardRouting]:
    """A cluster whose nodes have all left, and the shard of `a` as it was."""
    cluster = Cluster(nodes=nodes)
    cluster.create("a", {"number_of_replicas": replicas})
    before = shard(cluster)
    for copy in reversed(before.copies):
        cluster.run(NodeLeft(node_id=copy.node or ""))
    return cluster, before


def test_a_primary_is_found_where_its_data_lies_not_where_it_is_remembered() -> None:
    cluster, before = stopped(1, 0)
    cluster.join(5, held=held(cluster, before.primary.allocation_id))
    after = shard(cluster)
    assert (after.primary.node, after.primary.state) == ("n5", "STARTED")
    assert after.in_sync == before.in_sync
    assert after.primary_term == before.primary_term + 1


@pytest.mark.parametrize("there", [(), ("stale",)])
def test_a_node_without_the_data_gets_no_primary(there: tuple[str, ...]) -> None:
    cluster, before = stopped(1, 0)
    cluster.join(0, "e2", held=held(cluster, *there))
    copy = shard(cluster).primary
    assert copy.state == "UNASSIGNED"
    assert copy.unassigned is not None
    assert (copy.unassigned.last_allocation_status, copy.unassigned.failed_attempts) == ("no_valid_shard_copy", 0)
    cluster.join(0, "e3", held=held(cluster, "newer", before.primary.allocation_id))
    assert shard(cluster).primary.state == "STARTED"


def test_in_sync_data_whose_copy_was_given_up_is_found_again() -> None:
    """A replica whose node came back begins anew under another id; should it never end, what lies there counts still."""
    cluster = Cluster(nodes=2)
    cluster.create("a")
    primary, replica = shard(cluster).copies
    cluster.run(NodeLeft(node_id=replica.node or ""))
    cluster.starting = False
    cluster.join(int((replica.node or "")[1:]), "e2", held=held(cluster, replica.allocation_id))
    again = shard(cluster).copies[1]
    assert (again.state, again.node) == ("INITIALIZING", replica.node)
    assert again.allocation_id != replica.allocation_id
    cluster.run(NodeLeft(node_id=primary.node or ""))
    assert shard(cluster).primary.state == "UNASSIGNED"
    cluster.starting = True
    cluster.join(int((replica.node or "")[1:]), "e3", held=held(cluster, replica.allocation_id))
    after = shard(cluster)
    assert (after.primary.node, after.primary.state) == (replica.node, "STARTED")
    assert after.primary.allocation_id == replica.allocation_id


def test_data_from_before_there_were_ids_is_where_it_is_remembered() -> None:
    cluster, before = stopped(1, 0)
    cluster.join(0, "e2", held=(HeldShard(cluster.state.indices["a"].uuid, 0, None),))
    assert shard(cluster).primary.state == "STARTED"
    assert shard(cluster).primary.allocation_id == before.primary.allocation_id


def test_stale_data_is_served_only_by_force_and_as_another_history() -> None:
    cluster, before = stopped(1, 0)
    cluster.join(0, "e2", held=held(cluster, "stale"))
    cluster.starting = False
    cluster.run(
        Reroute(commands=(AllocationCommand("allocate_stale_primary", "a", 0, "n0", flag=True),)),
    )
    forced = shard(cluster).primary
    assert (forced.state, forced.recovery, forced.forced) == ("INITIALIZING", "EXISTING_STORE", True)
    assert forced.allocation_id not in before.in_sync
    cluster.start_all()
    assert not shard(cluster).primary.forced


def test_a_copy_that_keeps_failing_is_given_up_until_asked_again() -> None:
    cluster = Cluster(starting=False)
    cluster.create("a", {"number_of_replicas": 0})
    for attempt in range(1, 6):
        assert shard(cluster).primary.state == "INITIALIZING"
        fail(cluster)
        info = shard(cluster).primary.unassigned
        assert info is not None
        assert (info.failed_attempts, info.reason, info.details) == (attempt, "ALLOCATION_FAILED", "broken")
    assert shard(cluster).primary.state == "UNASSIGNED"
    assert cluster_health(cluster.state).status == "red"
    assert refusing(cluster) == {"n0": ["max_retry"]}
    cluster.run(Reroute(retry_failed=True))
    assert shard(cluster).primary.state == "INITIALIZING"


def test_reports_about_what_is_no_more_are_ignored() -> None:
    cluster = Cluster()
    cluster.create("a")
    before = cluster.state.routing["a"]
    copy = before.spec.shards[0].primary
    for uuid, number, allocation_id in (
        ("other", 0, copy.allocation_id),
        (before.spec.uuid, 7, "x"),
        (before.spec.uuid, 0, "x"),
    ):
        cluster.run(ShardStarted(index="a", uuid=uuid, shard=number, allocation_id=allocation_id or ""))
        cluster.run(ShardFailed(index="a", uuid=uuid, shard=number, allocation_id=allocation_id or "", reason="?"))
    assert cluster.state.routing["a"] == before


def test_a_deposed_primary_cannot_fail_copies() -> None:
    cluster = Cluster(nodes=2)
    cluster.create("a")
    replica = shard(cluster).copies[1]
    command = ShardFailed(
        index="a",
        uuid=cluster.state.indices["a"].uuid,
        shard=0,
        allocation_id=replica.allocation_id or "",
        reason="unreachable",
        primary_term=shard(cluster).primary_term + 1,
        mark_stale=True,
    )
    with pytest.raises(ApiError, match="did not match current primary term"):
        cluster.run(command)


def test_a_stale_copy_leaves_the_in_sync_set() -> None:
    cluster = Cluster(nodes=2, starting=True)
    cluster.create("a")
    replica = shard(cluster).copies[1]
    assert replica.allocation_id in shard(cluster).in_sync
    cluster.starting = False
    cluster.run(
        ShardFailed(
            index="a",
            uuid=cluster.state.indices["a"].uuid,
            shard=0,
            allocation_id=replica.allocation_id or "",
            reason="unreachable",
            primary_term=shard(cluster).primary_term,
            mark_stale=True,
        )
    )
    assert shard(cluster).in_sync == (shard(cluster).primary.allocation_id,)


def test_allocation_can_be_switched_off() -> None:
    cluster = Cluster()
    cluster.run(PutClusterSettings(persistent={"cluster.routing.allocation.enable": "none"}))
    cluster.create("a")
    assert shard(cluster).primary.state == "UNASSIGNED"
    cluster.create("b", {"routing.allocation.enable": "all"})
    assert shard(cluster, "b").primary.state == "STARTED"
    cluster.run(PutClusterSettings(persistent={"cluster.routing.allocation.enable": None}))
    assert shard(cluster).primary.state == "STARTED"


@pytest.mark.parametrize(
    ("update", "reason"),
    [
        ({"foo.bar": 1}, "persistent setting [foo.bar], not recognized"),
        ({"cluster.name": "x"}, "persistent setting [cluster.name], not dynamically updateable"),
        ({"cluster.routing.allocation.enable": "foo"}, "Illegal allocation.enable value [FOO]"),
        ({"cluster.max_shards_per_node": "x"}, "Failed to parse value [x] for setting [cluster.max_shards_per_node]"),
    ],
)
def test_cluster_settings_that_cannot_be(update: dict[str, object], reason: str) -> None:
    cluster = Cluster()
    with pytest.raises(ApiError) as caught:
        cluster.run(PutClusterSettings(persistent=update))
    assert caught.value.reason == reason


def test_a_wildcard_resets_cluster_settings() -> None:
    cluster = Cluster()
    cluster.run(
        PutClusterSettings(persistent={"cluster.metadata": {"a": "1", "b": "2"}}, transient={"search.max_buckets": 7})
    )
    assert cluster.state.settings.get("cluster.metadata.a") == "1"
    cluster.run(PutClusterSettings(persistent={"cluster.metadata.*": None}))
    assert cluster.state.settings.spec.persistent == {}
    assert cluster.state.settings.get("search.max_buckets") == "7"


def test_the_shard_limit_counts_all_open_copies() -> None:
    cluster = Cluster()
    cluster.run(PutClusterSettings(persistent={"cluster.max_shards_per_node": 3}))
    cluster.create("a")
    with pytest.raises(ApiError) as caught:
        cluster.create("b")
    assert caught.value.reason == (
        "Validation Failed: 1: this action would add [2] total LOCAL_ONLY shards, but this cluster currently has [2]/[3]"
        " maximum LOCAL_ONLY shards open;"
    )
    with pytest.raises(ApiError, match="would add \\[2\\] total LOCAL_ONLY shards"):
        cluster.run(UpdateIndexSettings(indices=("a",), settings={"number_of_replicas": 3}))


EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("join"), st.integers(0, 3)),
        st.tuples(st.just("leave"), st.integers(0, 3)),
        st.tuples(st.just("fail"), st.integers(0, 5)),
        st.tuples(st.just("create"), st.integers(0, 3)),
        st.tuples(st.just("replicas"), st.integers(0, 3)),
        st.tuples(st.just("start"), st.integers(0, 0)),
    ),
    max_size=30,
)


@given(EVENTS)
@settings(deadline=None, max_examples=150)
def test_invariants_hold_whatever_happens(events: list[tuple[str, int]]) -> None:
    cluster = Cluster(starting=False)
    terms: dict[tuple[str, int], int] = {}
    for step, (event, number) in enumerate(events):
        _happen(cluster, event, number, step)
        counted = ClusterState().apply(list(cluster.state), 1)
        assert cluster.state.open_copies == counted.open_copies
        assert_counted(cluster.memory.follow(cluster.state, cluster.env))
        for name, routing in cluster.state.routing.items():
            for at, each in enumerate(routing.spec.shards):
                _check(cluster, each)
                assert each.primary_term >= terms.get((routing.spec.uuid, at), 0)
                terms[routing.spec.uuid, at] = each.primary_term
                assert len(each.copies) == 1 + cluster.state.indices[name].number_of_replicas


def _happen(cluster: Cluster, event: str, number: int, step: int) -> None:
    names = sorted(cluster.state.indices)
    if event == "join":
        cluster.join(number, f"e{step}")
    elif event == "leave":
        cluster.run(NodeLeft(node_id=f"n{number}"))
    elif event == "create":
        cluster.create(f"i{step}", {"number_of_replicas": number, "number_of_shards": 2})
    elif event == "replicas" and names:
        cluster.run(UpdateIndexSettings(indices=(names[0],), settings={"number_of_replicas": number}))
    elif event == "start":
        cluster.start_all()
    elif event == "fail" and names:
        copies = shard(cluster, names[number % len(names)]).copies
        position = number % len(copies)
        if copies[position].assigned:
            fail(cluster, position, names[number % len(names)])


def _check(cluster: Cluster, each: ShardRouting) -> None:
    nodes = [copy.node for copy in each.copies if copy.node]
    assert len(nodes) == len(set(nodes))
    assert set(nodes) <= set(cluster.state.nodes)
    assert each.copies[0].primary
    assert not any(copy.primary for copy in each.copies[1:])
    assert len(each.in_sync) <= max(1, len(each.copies))
    for copy in each.copies:
        assert (copy.state == "UNASSIGNED") == (copy.node is None)
        if copy.active:
            assert copy.allocation_id in each.in_sync
    if each.primary.assigned and each.in_sync:
        assert each.primary.allocation_id in each.in_sync
    if not each.primary.assigned:
        assert not any(copy.state == "INITIALIZING" and copy.allocation_id in each.in_sync for copy in each.copies[1:])


def test_a_started_shard_that_fails_is_red_and_tried_again() -> None:
    cluster = Cluster(nodes=1)
    cluster.create("a", {"number_of_replicas": 0})
    before = shard(cluster)
    cluster.starting = False
    fail(cluster)
    after = shard(cluster)
    assert (after.primary.state, after.primary.recovery) == ("INITIALIZING", "EXISTING_STORE")
    assert after.primary.allocation_id == before.primary.allocation_id
    assert after.primary_term == before.primary_term + 1
    assert cluster_health(cluster.state).status == "red"


def test_a_node_that_starts_tries_what_had_failed_too_often() -> None:
    cluster = Cluster(nodes=1)
    cluster.create("a", {"number_of_replicas": 0})
    cluster.starting = False
    for _ in range(5):
        fail(cluster)
    assert shard(cluster).primary.state == "UNASSIGNED"
    cluster.starting = True
    cluster.join(0, "e2")
    assert shard(cluster).primary.state == "STARTED"


def test_a_copy_without_a_place_leaves_the_in_sync_set_when_the_primary_asks_and_only_then() -> None:
    cluster = Cluster(nodes=2)
    cluster.create("a")
    first = cluster.state.routing["a"].spec.shards[0]
    lost = first.copies[1]
    cluster.run(NodeLeft(node_id=str(lost.node)))
    known = cluster.state.routing["a"]
    # The place may go too: what is left of the copy is its id among those in sync.
    cluster.state = cluster.state.apply(
        [with_shard(known, 0, structs.replace(known.spec.shards[0], copies=known.spec.shards[0].copies[:1]))],
        cluster.state.version + 1,
    )
    report = ShardFailed(
        index="a",
        uuid=known.spec.uuid,
        shard=0,
        allocation_id=str(lost.allocation_id),
        reason="missed a write",
        primary_term=first.primary_term,
        mark_stale=True,
    )
    with pytest.raises(ApiError, match="did not match current primary term"):
        cluster.run(structs.replace(report, primary_term=first.primary_term + 1))
    assert lost.allocation_id in cluster.state.routing["a"].spec.shards[0].in_sync
    cluster.run(report)
    assert cluster.state.routing["a"].spec.shards[0].in_sync == (first.primary.allocation_id,)


def test_a_node_that_hangs_leads_only_what_nobody_else_can() -> None:
    cluster = Cluster(nodes=3)
    cluster.create("a")
    cluster.create("alone", {"number_of_replicas": "0"})
    cluster.starting = False
    before = shard(cluster)
    node = str(before.primary.node)
    alone = shard(cluster, "alone")
    cluster.run(NodeHangs(node_id=node))
    after = shard(cluster)
    assert after.primary == structs.replace(before.copies[1], primary=True)
    assert after.primary_term == before.primary_term + 1
    assert before.primary.allocation_id in after.in_sync
    assert after.copies[1].node in (None, node), "its data is there"
    assert after.copies[1].allocation_id != before.primary.allocation_id
    assert shard(cluster, "alone") == alone


def test_nothing_changes_for_a_node_that_hangs_and_leads_nothing() -> None:
    cluster = Cluster(nodes=2)
    cluster.create("a")
    before = cluster.state
    assert not cluster.run(NodeHangs(node_id=str(shard(cluster).copies[1].node))).ops
    assert cluster.state.routing["a"] is before.routing["a"]
