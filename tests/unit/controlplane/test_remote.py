"""Nodes and a leader over the network in memory: joining, states, commands, a leader lost, nodes that fall silent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from quidditch.controlplane import wire
from quidditch.controlplane.core.commands import CreateIndex, DeleteIndices, NodeLeft, PutClusterSettings
from quidditch.controlplane.core.liveness import Limits
from quidditch.controlplane.leader import Leader
from quidditch.controlplane.remote import RemoteControl
from quidditch.controlplane.service import ControlService
from quidditch.lib.clock import SystemClock
from quidditch.lib.ids import RandomIds
from quidditch.model.errors import ApiError
from quidditch.model.objects import Index, NodeSpec, Object
from quidditch.store import api
from quidditch.store.memory import MemoryStore
from quidditch.transport.api import Unreachable
from quidditch.transport.memory import MemoryTransport, Network

LIMITS = Limits(probe=0.1, suspect=0.2, gone=0.5)


class Cluster:
    """Masters that share a store, and nodes; all in this process."""

    def __init__(self) -> None:
        self.network = Network()
        self.store = MemoryStore()
        self.leaders: dict[str, Leader] = {}
        self.services: dict[str, ControlService] = {}
        self.nodes: dict[str, RemoteControl] = {}
        self.transports: dict[str, MemoryTransport] = {}
        self.seeds = ["m1", "m2"]

    async def master(self, name: str) -> Leader:
        transport = self.transports[name] = self.network.join(name)
        leader = Leader(
            self.store,
            cluster_name="c",
            holder=name,
            clock=SystemClock(),
            ids=RandomIds(),
            lease_seconds=0.3,
            standby=True,
        )
        await leader.start()
        service = ControlService(leader, transport, SystemClock(), name, LIMITS)
        service.start()
        self.leaders[name], self.services[name] = leader, service
        return leader

    async def node(self, name: str, wait: bool = True) -> RemoteControl:
        transport = self.transports[name] = self.network.join(name)
        spec = NodeSpec(id=name, name=name, ephemeral_id=RandomIds().uuid(), roles=("data",), transport_address=name)
        control = self.nodes[name] = RemoteControl(
            transport, spec, self.seeds, SystemClock(), RandomIds(), beat_seconds=0.02
        )
        await control.start(10 if wait else 0)
        return control

    async def leading(self) -> str:
        while True:
            for name, leader in self.leaders.items():
                if leader.leading:
                    return name
            await asyncio.sleep(0)

    async def crash(self, master: str) -> None:
        """The master is gone without a word; its store session stays as it was."""
        await self.transports[master].close()
        await self.services[master].stop()
        leader = self.leaders.pop(master)
        for task in [*leader._tasks, leader._foreign._task]:
            if task is not None:
                task.cancel()
        await leader._chores.stop()

    async def close(self) -> None:
        for node in self.nodes.values():
            await node.stop()
        for name, leader in self.leaders.items():
            await self.services[name].stop()
            await leader.stop()
        for transport in self.transports.values():
            await transport.close()
        await self.store.close()


def run(test: Callable[[Cluster], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        cluster = Cluster()
        try:
            await asyncio.wait_for(test(cluster), 30)
        finally:
            await cluster.close()

    asyncio.run(main())


def test_nodes_join_and_see_what_any_of_them_changes() -> None:
    async def test(cluster: Cluster) -> None:
        await cluster.master("m1")
        await cluster.leading()
        one, two = await cluster.node("n1"), await cluster.node("n2")
        made = await one.submit(CreateIndex(name="a"))
        assert one.state.indices["a"].uuid == made.uuid
        assert two.state.indices["a"].uuid == made.uuid, "an answered change is applied on every live node"
        await two.submit(DeleteIndices(indices=("a",)))
        assert "a" not in one.state.indices
        with pytest.raises(ApiError, match="no such index"):
            await one.submit(DeleteIndices(indices=("a",)))
        late = await cluster.node("n3")
        assert late.state.version == one.state.version
        assert set(late.state.nodes) == {"n1", "n2", "n3"}

    run(test)


def test_a_node_that_missed_versions_is_brought_up() -> None:
    async def test(cluster: Cluster) -> None:
        await cluster.master("m1")
        await cluster.leading()
        one, two = await cluster.node("n1"), await cluster.node("n2")
        cluster.network.cut("m1", "n2")
        task = asyncio.ensure_future(one.submit(CreateIndex(name="a")))
        assert await one.wait_for(lambda state: "n2" not in state.nodes, 10), "a silent node leaves"
        await task
        assert "a" not in two.state.indices
        cluster.network.heal()
        assert await two.wait_for(lambda state: "a" in state.indices and "n2" in state.nodes, 10)

    run(test)


def test_the_next_master_takes_over_and_commands_go_on() -> None:
    async def test(cluster: Cluster) -> None:
        for name in cluster.seeds:
            await cluster.master(name)
        first = await cluster.leading()
        node = await cluster.node("n1")
        await node.submit(CreateIndex(name="a"))
        await cluster.crash(first)
        made = await node.submit(CreateIndex(name="b"), 20)
        assert {"a", "b"} <= set(node.state.indices)
        assert node.state.indices["b"].uuid == made.uuid
        second = await cluster.leading()
        assert second != first
        assert cluster.leaders[second].epoch > 1
        assert set(cluster.leaders[second].state.nodes) == {"n1"}

    run(test)


def test_without_a_leader_reads_go_on_and_changes_fail() -> None:
    async def test(cluster: Cluster) -> None:
        await cluster.master("m1")
        await cluster.leading()
        node = await cluster.node("n1")
        await node.submit(PutClusterSettings(persistent={"cluster.max_shards_per_node": 7}))
        await cluster.crash("m1")
        with pytest.raises(ApiError) as caught:
            await node.submit(CreateIndex(name="a"), 0.5)
        assert (caught.value.status, caught.value.type) == (503, "cluster_manager_not_discovered_exception")
        assert node.state.settings.get("cluster.max_shards_per_node") == "7"

    run(test)


def test_an_old_leader_is_not_listened_to() -> None:
    async def test(cluster: Cluster) -> None:
        await cluster.master("m1")
        await cluster.leading()
        node = await cluster.node("n1")
        stale = wire.Publish(0, "m0", [])
        answer = await cluster.transports["m1"].call("n1", wire.PUBLISH, wire.encode(stale), 5)
        assert wire.decode(answer, wire.Applied) == wire.Applied(cluster.leaders["m1"].epoch, node.state.version)

    run(test)


def test_a_node_of_another_cluster_is_refused() -> None:
    async def test(cluster: Cluster) -> None:
        await cluster.master("m1")
        await cluster.leading()
        await cluster.node("n1")
        spec = NodeSpec(id="x", name="x", ephemeral_id="e", roles=("data",), transport_address="x")
        join = wire.encode(wire.Join(spec, "another-uuid"))
        with pytest.raises(ApiError, match="belongs to the cluster with the uuid"):
            await cluster.transports["n1"].call("m1", wire.JOIN, join, 5)
        assert "x" not in cluster.leaders["m1"].state.nodes

    run(test)


def test_a_node_that_asks_again_changes_nothing_and_one_that_was_removed_meanwhile_is_told() -> None:
    async def test(cluster: Cluster) -> None:
        leader = await cluster.master("m1")
        await cluster.leading()
        node = await cluster.node("n1")
        before, epoch = leader.state, node.epoch
        spec = leader.state.nodes["n1"].spec
        call = cluster.transports["n1"].call
        for _ in range(2):
            await call("m1", wire.JOIN, wire.encode(wire.Join(spec, "", fresh=False)), 5)
        assert leader.state is before
        await leader.submit(NodeLeft(node_id="n1", reason="lost"))
        beat = wire.Beat("n1", spec.ephemeral_id, epoch, 0)
        assert not wire.decode(await call("m1", wire.BEAT, wire.encode(beat), 5), wire.Heard).known
        assert await node.wait_for(lambda state: "n1" in state.nodes, 10), "it joins anew"

    run(test)


def test_a_write_that_met_a_store_without_a_leader_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it was done is not known: done or not, the index is there once, and its uuid is the one answered."""

    async def test(cluster: Cluster) -> None:
        await cluster.master("m1")
        await cluster.leading()
        node = await cluster.node("n1")
        create = MemoryStore.create
        failures = [False, True]

        async def failing(store: MemoryStore, obj: Object, fence: int | None = None) -> Object:
            if isinstance(obj, Index) and failures:
                if failures.pop():
                    await create(store, obj, fence)
                raise api.Unavailable("no leader")
            return await create(store, obj, fence)

        monkeypatch.setattr(MemoryStore, "create", failing)
        for name in ("done", "not-done"):
            made = await node.submit(CreateIndex(name=name), 20)
            assert node.state.indices[name].uuid == made.uuid
        assert not failures
        failures += [False] * 100_000
        with pytest.raises(ApiError) as caught:
            await node.submit(CreateIndex(name="never"), 0.5)
        assert (caught.value.status, caught.value.type) == (503, "cluster_manager_not_discovered_exception")

    run(test)


def test_a_master_ends_though_the_store_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits goes to the next leader; nothing that it began is left behind."""

    async def test(cluster: Cluster) -> None:
        leader = await cluster.master("m1")
        await cluster.leading()
        node = await cluster.node("n1")
        asked = asyncio.Event()

        async def never(*_: object, **__: object) -> None:
            asked.set()
            await asyncio.Event().wait()

        for name in ("create", "update", "acquire", "release", "leader"):
            monkeypatch.setattr(MemoryStore, name, never)
        change = asyncio.ensure_future(node.submit(CreateIndex(name="a"), 60))
        await asked.wait()
        await leader.stop()
        assert all(task.done() for task in leader._tasks)
        monkeypatch.undo()
        await cluster.master("m2")
        await change
        assert "a" in node.state.indices

    run(test)


def test_leaving_is_heard_at_once() -> None:
    async def test(cluster: Cluster) -> None:
        await cluster.master("m1")
        await cluster.leading()
        one, two = await cluster.node("n1"), await cluster.node("n2")
        await two.stop()
        assert await one.wait_for(lambda state: "n2" not in state.nodes, 5)

    run(test)


def test_an_index_that_is_asked_for_twice_is_made_once() -> None:
    async def test(cluster: Cluster) -> None:
        await cluster.master("m1")
        await cluster.leading()
        node = await cluster.node("n1")
        command = CreateIndex(name="a", uuid=RandomIds().uuid())
        first, second = await node.submit(command), await node.submit(command)
        assert first == second
        with pytest.raises(ApiError, match="already exists"):
            await node.submit(CreateIndex(name="a"))

    run(test)


def test_a_node_that_is_gone_is_removed_though_the_store_failed_first(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(cluster: Cluster) -> None:
        await cluster.master("m1")
        await cluster.leading()
        one = await cluster.node("n1")
        await cluster.node("n2")
        delete, refused = cluster.store.delete, 0

        async def failing(kind: str, *arguments: Any, **options: Any) -> Any:
            nonlocal refused
            refused += 1
            if refused <= 2:
                raise api.Unavailable("not now")
            return await delete(kind, *arguments, **options)

        monkeypatch.setattr(cluster.store, "delete", failing)
        await cluster.transports["n2"].close()
        assert await one.wait_for(lambda state: set(state.nodes) == {"n1"}, 20)
        assert refused == 3

    run(test)


def test_why_a_command_is_refused_is_seen_on_every_node() -> None:
    async def test(cluster: Cluster) -> None:
        await cluster.master("m1")
        await cluster.leading()
        one, two = await cluster.node("n1"), await cluster.node("n2")
        cluster.network.hold("m1", "n2")
        creating = asyncio.ensure_future(one.submit(CreateIndex(name="a")))
        assert await one.wait_for(lambda state: "a" in state.indices, 10)
        refused = asyncio.ensure_future(one.submit(CreateIndex(name="a")))
        await asyncio.sleep(0.1)
        assert not refused.done()
        cluster.network.heal()
        with pytest.raises(ApiError, match="already exists"):
            await refused
        assert "a" in two.state.indices
        await creating

    run(test)


def test_a_deletion_that_comes_again_spares_what_was_created_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(cluster: Cluster) -> None:
        await cluster.master("m1")
        await cluster.leading()
        one, two = await cluster.node("n1"), await cluster.node("n2")
        await two.submit(CreateIndex(name="a"))
        transport = cluster.transports["n1"]
        call, made = transport.call, []

        async def losing_one_answer(node: str, action: str, payload: bytes, timeout: float) -> bytes:
            answer = await call(node, action, payload, timeout)
            if action == wire.SUBMIT and not made:
                made.append(await two.submit(CreateIndex(name="a")))
                raise Unreachable("the connection broke before the answer came")
            return answer

        monkeypatch.setattr(transport, "call", losing_one_answer)
        await one.submit(DeleteIndices(indices=("a",)))
        assert one.state.indices["a"].uuid == made[0].uuid

    run(test)


def test_pending_tasks_are_asked_of_the_next_leader_when_the_first_has_lost_the_lead() -> None:
    async def test(cluster: Cluster) -> None:
        for name in cluster.seeds:
            await cluster.master(name)
        first = await cluster.leading()
        node = await cluster.node("n1")
        leader = cluster.leaders[first]
        leader._candidate.may_lead = lambda: False
        leader._step_down()
        assert node.leader_id == first, "it has not heard of it yet"
        assert await node.pending_tasks() == []
        assert node.leader_id != first

    run(test)


def test_who_still_takes_itself_for_the_leader_is_not_joined() -> None:
    """Nodes that did so beat in vain and joined again, without a pause, until it knew better."""

    async def test(cluster: Cluster) -> None:
        def master(name: str, epoch: int) -> None:
            async def join(_: bytes) -> bytes:
                return wire.encode(wire.Joined("c", name, name, epoch))

            async def beat(payload: bytes) -> bytes:
                return wire.encode(wire.Heard(wire.decode(payload, wire.Beat).epoch == epoch, epoch))

            transport = cluster.transports[name] = cluster.network.join(name)
            transport.serve(wire.JOIN, join)
            transport.serve(wire.BEAT, beat)

        node = await cluster.node("n1", wait=False)
        newer = wire.encode(wire.Publish(2, "m2", []))
        await cluster.network.join("x").call("n1", wire.PUBLISH, newer, 1)
        master("m1", 1)
        master("m2", 2)
        await asyncio.wait_for(node._found.wait(), 10)
        assert node.leader_id == "m2"

    run(test)
