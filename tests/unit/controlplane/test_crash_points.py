"""A control plane that ends before or after any of its writes: the next one finds the objects as they are and finishes the work.

What is written after one write is what there is before the next, so that dying at each number of writes is both.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest
from tests.unit.controlplane.crashes import (
    DATA,
    MASTERS,
    Action,
    Faulty,
    Measure,
    Settle,
    check_invariants,
    copied,
    die,
    lead,
    outcome,
    perform,
    prepared,
)

from quidditch.controlplane.core.commands import (
    AddAlias,
    AddBlock,
    AddVotingExclusions,
    AllocationCommand,
    ClearVotingExclusions,
    CloseIndices,
    Command,
    CreateIndex,
    DeleteIndices,
    DeleteNamed,
    DeleteShutdown,
    DeleteTemplate,
    GrowMapping,
    NodeLeft,
    NoteHealth,
    OpenIndices,
    PutClusterSettings,
    PutMapping,
    PutNamed,
    PutShutdown,
    PutTemplate,
    RegisterNode,
    RemoveAlias,
    RemoveIndex,
    Reroute,
    Rollover,
    SetVoters,
    ShardFailed,
    UpdateAliases,
    UpdateIndexSettings,
    Upkeep,
)
from quidditch.controlplane.core.decide import upkeep
from quidditch.controlplane.core.draft import Env
from quidditch.lib.clock import ManualClock
from quidditch.lib.ids import CountedIds
from quidditch.model.objects import Alias, NodeSpec, NodeStatus, Voter
from quidditch.model.state import ClusterState
from quidditch.store.memory import MemoryStore

AT_ONCE = {"index.unassigned.node_left.delayed_timeout": "0s"}
BEFORE: Sequence[Command] = (
    CreateIndex(
        name="old",
        settings={"number_of_shards": 2, "number_of_replicas": 1, **AT_ONCE},
        aliases={"both": {}, "only-old": {}, "written": {"is_write_index": True}},
    ),
    CreateIndex(name="kept", settings={"number_of_replicas": 1, **AT_ONCE}, aliases={"both": {}}),
    CreateIndex(name="single", settings={"number_of_replicas": 0}),
    PutTemplate(template_kind="index", name="before", body={"index_patterns": ["x*"]}),
    PutNamed(kind="Pipeline", name="before", body={"processors": []}),
)
FIELD = {"properties": {"x": {"type": "long"}}}
NEW = NodeSpec(id="n4", name="n4", roles=("data",), ephemeral_id="e-n4", host="n4")


def _node(state: ClusterState, index: str, position: int = 0) -> str:
    """Where a copy of the first shard is."""
    return state.routing[index].spec.shards[0].copies[position].node or ""


def _elsewhere(state: ClusterState, index: str) -> str:
    """A node without a copy of the first shard."""
    held = {copy.node for copy in state.routing[index].spec.shards[0].copies}
    return next(node.id for node in DATA if node.id not in held)


def _command(kind: str, index: str, node: str, to_node: str = "", flag: bool = False) -> Reroute:
    return Reroute(commands=(AllocationCommand(kind, index, 0, node, to_node, flag),))  # type: ignore[arg-type]


def _failed(state: ClusterState, index: str, position: int, **more: bool) -> ShardFailed:
    shard = state.routing[index].spec.shards[0]
    id = shard.copies[position].allocation_id or ""
    uuid = state.indices[index].uuid
    return ShardFailed(index=index, uuid=uuid, shard=0, allocation_id=id, reason="disk", **more)


def _flood(_state: ClusterState) -> Sequence[Action]:
    return tuple(Measure({node.id: free for node in DATA}) for free in (3, 50, 2))


def _always(*actions: Action) -> Callable[[ClusterState], Sequence[Action]]:
    return lambda _state: actions


SCENARIOS: dict[str, Callable[[ClusterState], Sequence[Action]]] = {
    "create": _always(CreateIndex(name="new", aliases={"both": {}, "fresh": {}}, settings={"number_of_shards": 2})),
    "create of a template": _always(
        PutTemplate(
            template_kind="index", name="t", body={"index_patterns": ["n*"], "template": {"aliases": {"made": {}}}}
        ),
        CreateIndex(name="n1"),
        DeleteTemplate(template_kind="index", name="t"),
    ),
    "delete": _always(DeleteIndices(indices=("old",))),
    "delete all": _always(DeleteIndices(indices=("_all",))),
    "delete and create again": _always(
        DeleteIndices(indices=("old",)), CreateIndex(name="old", aliases={"both": {}}), Settle()
    ),
    "close": _always(CloseIndices(indices=("old", "kept"))),
    "close and open": _always(CloseIndices(indices=("old",)), OpenIndices(indices=("old",))),
    "more replicas": _always(UpdateIndexSettings(indices=("*",), settings={"number_of_replicas": 2})),
    "no replicas": _always(UpdateIndexSettings(indices=("*",), settings={"number_of_replicas": 0})),
    "replicas as there are nodes": _always(
        UpdateIndexSettings(indices=("*",), settings={"auto_expand_replicas": "0-all"}), RegisterNode(node=NEW)
    ),
    "settings": _always(
        UpdateIndexSettings(indices=("*",), settings={"refresh_interval": "5s", "index.priority": 3}),
        AddBlock(indices=("old", "kept"), block="write"),
        UpdateIndexSettings(indices=("*",), settings={"index.priority": None}),
    ),
    "filters move copies": lambda state: (
        UpdateIndexSettings(indices=("kept",), settings={"index.routing.allocation.exclude._id": _node(state, "kept")}),
        Settle(),
    ),
    "mapping": lambda state: (
        PutMapping(indices=("*",), mapping=FIELD),
        GrowMapping(index="old", uuid=state.indices["old"].uuid, mapping={"properties": {"y": {"type": "keyword"}}}),
    ),
    "swap": _always(
        UpdateAliases(
            actions=(
                RemoveAlias(indices=("old",), aliases=("both",)),
                AddAlias(indices=("kept",), aliases=("only-old",)),
            )
        ),
    ),
    "index to alias": _always(
        UpdateAliases(actions=(RemoveIndex(indices=("old",)), AddAlias(indices=("kept",), aliases=("old",))))
    ),
    "indices to aliases": _always(
        UpdateAliases(
            actions=(
                RemoveIndex(indices=("old", "single")),
                RemoveAlias(indices=("kept",), aliases=("both",)),
                AddAlias(indices=("kept",), aliases=("old", "single", "fresh")),
            )
        )
    ),
    "rollover": _always(Rollover(alias="only-old", new_index="new")),
    "rollover of a write index": _always(Rollover(alias="written", new_index="new")),
    "templates and pipelines": _always(
        DeleteTemplate(template_kind="index", name="before"),
        DeleteNamed(kind="Pipeline", name="before"),
        PutNamed(kind="Pipeline", name="after", body={"processors": []}),
    ),
    "cluster settings": _always(
        PutClusterSettings(persistent={"cluster.routing.allocation.exclude._id": "n2"}),
        Settle(),
        PutClusterSettings(persistent={"cluster.routing.allocation.exclude._id": None}),
    ),
    "a node joins": _always(RegisterNode(node=NEW, fresh=True)),
    "a node starts anew": _always(RegisterNode(node=DATA[0], fresh=True)),
    "a node leaves": _always(NodeLeft(node_id="n1")),
    "a node leaves and comes back": _always(NodeLeft(node_id="n1"), RegisterNode(node=DATA[0], fresh=True)),
    "two nodes leave": _always(NodeLeft(node_id="n1"), Settle(), NodeLeft(node_id="n2")),
    "a replica fails": lambda state: (_failed(state, "kept", 1, mark_stale=True),),
    "a primary fails": lambda state: (_failed(state, "kept", 0),),
    "the only copy fails": lambda state: (_failed(state, "single", 0),),
    "move": lambda state: (_command("move", "kept", _node(state, "kept"), _elsewhere(state, "kept")),),
    "cancel a replica": lambda state: (_command("cancel", "kept", _node(state, "kept", 1)),),
    "an empty primary": lambda state: (
        NodeLeft(node_id=_node(state, "single")),
        _command("allocate_empty_primary", "single", _elsewhere(state, "single"), flag=True),
    ),
    "a node is removed": _always(
        PutShutdown(node="n1", kind="remove", reason="old"), Settle(), NodeLeft(node_id="n1"), DeleteShutdown(node="n1")
    ),
    "a node is replaced": _always(
        PutShutdown(node="n1", kind="replace", reason="old", target_node_name="n4"),
        RegisterNode(node=NEW, fresh=True),
        Settle(),
        NodeLeft(node_id="n1"),
    ),
    "a node is restarted": _always(
        PutShutdown(node="n1", kind="restart", reason="new kernel"),
        NodeLeft(node_id="n1"),
        RegisterNode(node=DATA[0], fresh=True),
        DeleteShutdown(node="n1"),
    ),
    "health": _always(NoteHealth(nodes={id: NodeStatus("DEGRADED", "slow") for id in ("n1", "n2", "n3")})),
    "flood stage": _flood,
    "voting": _always(
        AddVotingExclusions(node_names=("m1",)),
        AddVotingExclusions(node_ids=("m2", "gone")),
        SetVoters(voters=(Voter(node_id="m1", node_name="m1"),)),
        ClearVotingExclusions(),
        AddVotingExclusions(node_names=("m2",)),
    ),
}
LATER = 60_000
"""Milliseconds after which a lease has surely run out."""


def _nodes() -> Sequence[NodeSpec]:
    return (*MASTERS, *DATA, NEW)


async def _undisturbed(store: MemoryStore, actions: Sequence[Action]) -> ClusterState:
    control = await lead(copied(store), "m1", ManualClock(), _nodes())
    await perform(control, actions)
    await control.stop()
    check_invariants(control.state)
    return control.state


async def _died(store: MemoryStore, writes: int, actions: Sequence[Action]) -> bool:
    """Does it on a store that dies after some writes; answers whether that happened."""
    faulty = Faulty(store, writes)
    control = await lead(faulty, "m1", ManualClock(), _nodes())
    work = asyncio.create_task(perform(control, actions))
    met = asyncio.create_task(faulty.met.wait())
    await asyncio.wait([work, met], return_when=asyncio.FIRST_COMPLETED)
    hit = faulty.met.is_set()
    if not hit:
        work.result()
    for task in (work, met):
        task.cancel()
    await asyncio.gather(work, met, return_exceptions=True)
    await die(control)
    return hit


async def _taken_over(store: MemoryStore, actions: Sequence[Action]) -> ClusterState:
    """Another master finishes what is there, then what clients ask again."""
    control = await lead(store, "m2", ManualClock(ManualClock().now_ms() + LATER), _nodes())
    check_invariants(control.state)
    await perform(control, actions, again=True)
    check_invariants(control.state)
    await perform(control, (Upkeep(), Settle(), Upkeep()))
    assert upkeep(control.state, Env(ManualClock().now_ms() + LATER, CountedIds(), copies=True)).ops == ()
    listing = await store.list()
    assert ClusterState().apply(listing.objects, 1) == control.state
    await control.stop()
    return control.state


@pytest.mark.parametrize("scenario", sorted(SCENARIOS))
def test_the_next_leader_finishes_the_work(scenario: str) -> None:
    async def main() -> None:
        store, state = await prepared(BEFORE)
        actions = SCENARIOS[scenario](state)
        expected = outcome(await _undisturbed(store, actions))
        assert expected != outcome(state) or scenario in _SAME
        for writes in range(500):
            left = copied(store)
            died = await _died(left, writes, actions)
            assert outcome(await _taken_over(left, actions)) == expected, f"died after {writes} writes"
            if not died:
                assert writes > 0
                return
        raise AssertionError("never got through")

    asyncio.run(asyncio.wait_for(main(), 300))


_SAME = {
    "close and open",
    "a node starts anew",
    "a node is restarted",
    "a node leaves",
    "a node leaves and comes back",
    "a replica fails",
    "a primary fails",
    "the only copy fails",
    "move",
    "cancel a replica",
}
"""Scenarios after which everything is as before, but for what is by chance."""


@pytest.mark.parametrize("after", [False, True], ids=["not done", "done"])
@pytest.mark.parametrize("scenario", sorted(SCENARIOS))
def test_a_leader_that_does_not_know_what_became_of_a_write_finds_out(scenario: str, after: bool) -> None:
    async def main() -> None:
        store, state = await prepared(BEFORE)
        actions = SCENARIOS[scenario](state)
        expected = outcome(await _undisturbed(store, actions))
        for writes in range(500):
            faulty = Faulty(copied(store), writes, after=after, lasting=False)
            control = await lead(faulty, "m1", ManualClock(), _nodes())
            await perform(control, actions)
            check_invariants(control.state)
            assert outcome(control.state) == expected, f"no answer to write {writes}"
            await control.stop()
            if not faulty.met.is_set():
                return
        raise AssertionError("never got through")

    asyncio.run(asyncio.wait_for(main(), 300))


def test_a_new_cluster_is_founded_once() -> None:
    async def main() -> None:
        for writes in range(50):
            store = MemoryStore()
            faulty = Faulty(store, writes)
            starting = asyncio.create_task(lead(faulty, "m1", ManualClock(), ()))
            met = asyncio.create_task(faulty.met.wait())
            await asyncio.wait([starting, met], return_when=asyncio.FIRST_COMPLETED)
            through = not faulty.met.is_set()
            met.cancel()
            await die(await starting)
            if through:
                assert writes > 0
                return
            first = (await store.list("Cluster")).objects
            control = await lead(store, "m2", ManualClock(ManualClock().now_ms() + LATER), ())
            assert control.state.cluster_uuid
            assert not first or control.state.cluster == first[0]
            await control.stop()
        raise AssertionError("never got through")

    asyncio.run(asyncio.wait_for(main(), 60))


def test_a_deletion_once_marked_is_finished() -> None:
    async def main() -> None:
        store, _ = await prepared(BEFORE)
        assert await _died(store, 1, (DeleteIndices(indices=("old",)),))
        assert (await store.get("Index", "old")).metadata.deletion_timestamp
        state = await _taken_over(store, ())
        assert "old" not in state.indices
        assert "only-old" not in state.aliases
        assert set(state.aliases["both"].spec.indices) == {"kept"}

    asyncio.run(asyncio.wait_for(main(), 60))


@pytest.mark.parametrize("alias", ["only-old", "written"])
def test_a_rollover_once_begun_is_finished(alias: str) -> None:
    """The alias belongs to the old index until the new one is there, and never to none or two that it could write to."""

    async def main() -> None:
        begun = 0
        before, _ = await prepared(BEFORE)
        for writes in range(1, 20):
            store = copied(before)
            died = await _died(store, writes, (Rollover(alias=alias, new_index="new"),))
            known = await store.get("Alias", alias)
            assert isinstance(known, Alias)
            assert known.write_index in ("old", "new")
            there = "new" in {obj.key for obj in (await store.list("Index")).objects}
            state = await _taken_over(store, ())
            assert state.aliases[alias].write_index == ("new" if there else "old")
            assert set(state.aliases[alias].spec.indices) == (
                {"old"} if not there else {"new"} if alias == "only-old" else {"old", "new"}
            )
            assert bool(state.indices["old"].spec.rollover) == there
            if there:
                begun += 1
                assert state.indices["new"].spec.takes_over is None
            if not died:
                assert begun > 1
                return
        raise AssertionError("never got through")

    asyncio.run(asyncio.wait_for(main(), 60))
