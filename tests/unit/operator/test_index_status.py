"""The status of a QuidditchIndex."""

from __future__ import annotations

from msgspec.structs import replace
from tests.unit.model import states

from quidditch.model.errors import ApiError
from quidditch.model.objects import (
    Copy,
    Node,
    NodeSpec,
    Routing,
    RoutingSpec,
    ShardRouting,
    UnassignedInfo,
    metadata_for,
)
from quidditch.model.state import ClusterState
from quidditch.operator.index_status import SHOWN, explained, index_status, never_made, refused, waits_for_node

NOW, LATER = "2026-01-01T00:00:00Z", "2026-01-01T00:00:09Z"
PRIMARY = Copy(primary=True, state="STARTED", node="n1", allocation_id="a")
NOWHERE = Copy(primary=False, unassigned=UnassignedInfo("INDEX_CREATED"))


def state(*shards: ShardRouting, name: str = "products") -> ClusterState:
    index = states.index(name, **{"index.number_of_shards": str(len(shards)), "index.number_of_replicas": "1"})
    routing = Routing(metadata=metadata_for(name), spec=RoutingSpec(index=name, uuid=index.uuid, shards=shards))
    node = Node(metadata=metadata_for("n1"), spec=NodeSpec(id="n1", name="quidditch-data-0"))
    return ClusterState().apply([index, routing, node], 1)


def conditions(status: dict) -> dict[str, tuple[str, str]]:
    return {each["type"]: (each["status"], each["reason"]) for each in status["conditions"]}


def test_an_index_is_created_then_active_and_stays_so() -> None:
    new = state(ShardRouting(copies=(Copy(primary=True, state="INITIALIZING", node="n1", allocation_id="a"),)))
    index = new.indices["products"]
    first = index_status(new, index, {}, NOW)
    assert first["state"] == "CREATING"
    assert conditions(first)["Ready"] == ("False", "PrimariesMissing")
    assert conditions(first)["Reconciling"][0] == "True"
    started = state(ShardRouting(primary_term=1, in_sync=("a",), copies=(PRIMARY,)))
    second = index_status(started, index, first, LATER)
    assert second["state"] == "ACTIVE"
    assert conditions(second)["Ready"] == ("True", "AllCopiesActive")
    assert second["shardAllocations"] == [
        {"shardId": 0, "primary": True, "state": "STARTED", "nodeId": "quidditch-data-0"}
    ]
    lost = state(ShardRouting(primary_term=1, in_sync=("a",), copies=(Copy(primary=True),)))
    third = index_status(lost, index, second, LATER, "no node holds its data")
    assert third["state"] == "ACTIVE"
    assert third["health"] == "red"
    assert conditions(third)["Ready"] == ("False", "PrimariesMissing")
    assert conditions(third)["Stalled"][0] == "True"


def test_a_transition_has_its_time_and_what_others_own_stays() -> None:
    started = state(ShardRouting(primary_term=1, in_sync=("a",), copies=(PRIMARY,)))
    index = started.indices["products"]
    foreign = {"type": "Backed", "status": "True", "reason": "X", "message": "", "lastTransitionTime": NOW}
    first = index_status(started, index, {"conditions": [foreign]}, NOW)
    index = replace(index, metadata=replace(index.metadata, generation=2))
    again = index_status(started, index, first, LATER)
    assert foreign in again["conditions"]
    ready = next(each for each in again["conditions"] if each["type"] == "Ready")
    assert (ready["lastTransitionTime"], ready["observedGeneration"]) == (NOW, 2)
    gone = replace(index, metadata=replace(index.metadata, deletion_timestamp=NOW))
    last = index_status(started, gone, again, LATER)
    assert last["state"] == "DELETING"
    ready = next(each for each in last["conditions"] if each["type"] == "Ready")
    assert (ready["status"], ready["lastTransitionTime"]) == ("False", LATER)


def test_missing_replicas_do_not_make_it_unready_and_say_why() -> None:
    one = state(ShardRouting(primary_term=1, in_sync=("a",), copies=(PRIMARY, NOWHERE)))
    index = one.indices["products"]
    assert waits_for_node(one, index)
    status = index_status(one, index, {}, NOW, "a copy is on the only node")
    assert (status["health"], status["replicas"]) == ("yellow", 0)
    assert conditions(status)["Ready"] == ("True", "ReplicasMissing")
    ready = next(each for each in status["conditions"] if each["type"] == "Ready")
    assert ready["message"] == "1 of 2 copies are not active (1 without a node): a copy is on the only node"
    delayed = replace(NOWHERE, unassigned=UnassignedInfo("NODE_LEFT", delayed=True))
    assert not waits_for_node(state(ShardRouting(copies=(PRIMARY, delayed))), index)


def test_no_object_grows_with_its_shards() -> None:
    many = state(*[ShardRouting(primary_term=1, in_sync=("a",), copies=(PRIMARY,))] * (3 * SHOWN))
    status = index_status(many, many.indices["products"], {}, NOW)
    assert len(status["shardAllocations"]) == SHOWN
    assert status["shards"] == 3 * SHOWN


def test_a_refused_spec_says_so_and_what_runs_stays_ready() -> None:
    invalid = refused(ApiError(400, "invalid_index_name_exception", "must be lowercase"))
    never = never_made({}, invalid, 1, NOW)
    assert never["state"] == "CREATING"
    assert conditions(never)["Ready"] == ("False", "InvalidIndexName")
    assert conditions(never)["Stalled"][0] == "True"
    started = state(ShardRouting(primary_term=1, in_sync=("a",), copies=(PRIMARY,)))
    index = started.indices["products"]
    running = index_status(started, index, {}, NOW)
    index = replace(index, metadata=replace(index.metadata, generation=2))
    changed = index_status(started, index, running, LATER, refusal=invalid)
    assert conditions(changed)["Ready"] == ("True", "AllCopiesActive")
    assert conditions(changed)["SpecAccepted"] == ("False", "InvalidIndexName")
    assert conditions(changed)["Stalled"][0] == "True"
    assert changed["observedGeneration"] == 2
    lost = state(ShardRouting(primary_term=1, in_sync=("a",), copies=(Copy(primary=True),)))
    red = index_status(lost, index, changed, LATER, refusal=invalid)
    assert (red["health"], conditions(red)["Ready"][0]) == ("red", "False")  # a refusal hides nothing


def test_an_explanation_names_what_stands_in_the_way_where() -> None:
    decider = {"decider": "same_shard", "decision": "NO", "explanation": "a copy is there already"}
    told = {
        "allocate_explanation": "not permitted to any of the nodes",
        "node_allocation_decisions": [{"node_name": "data-0", "deciders": [{**decider, "decision": "YES"}, decider]}],
    }
    assert explained(told) == "not permitted to any of the nodes; data-0: a copy is there already"
