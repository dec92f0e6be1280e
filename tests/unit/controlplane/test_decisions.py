"""Deciding holds up nothing else: what looks at everything goes aside, what is left of a batch stands by itself."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from quidditch.controlplane.core import routing
from quidditch.controlplane.core.allocation.memory import Memory
from quidditch.controlplane.core.commands import Command, CreateIndex, RegisterNode, ShardStarted, Upkeep
from quidditch.controlplane.core.draft import Decision, Env
from quidditch.controlplane.decisions import Decisions
from quidditch.controlplane.tasks import Task
from quidditch.lib.clock import SystemClock
from quidditch.lib.ids import CountedIds
from quidditch.model.errors import ApiError
from quidditch.model.objects import Index, IndexSpec, Node, NodeSpec, Object, metadata_for
from quidditch.model.state import ClusterState

T = TypeVar("T")
NODE = NodeSpec(id="n", name="n", ephemeral_id="e", roles=("data",))


def _state(indices: int) -> ClusterState:
    ids = CountedIds()
    objects: list[Object] = [Node(metadata=metadata_for("n"), spec=NODE)]
    for number in range(indices):
        name = f"i{number}"
        own = {"index.number_of_shards": "1", "index.number_of_replicas": "0", "index.uuid": name}
        index = Index(metadata=metadata_for(name), spec=IndexSpec(name=name, uuid=name, settings=own))
        placed = routing.new_routing(index, 0)
        shard = routing.started(routing.assign(placed.spec.shards[0], 0, "n", ids), 0)
        objects += [index, routing.with_shards(placed, (shard,))]
    return ClusterState().apply(objects, 1)


class _Fixture:
    def __init__(self) -> None:
        self.env = Env(0, CountedIds(), memory=Memory())
        self.counted: list[tuple[str, str]] = []
        self.threads: list[str] = []
        self.decisions = Decisions(
            SystemClock(), lambda: self.env, lambda kind, outcome: self.counted.append((kind, outcome)), self.aside
        )

    async def aside(self, function: Callable[[], T]) -> T:
        def noted() -> T:
            self.threads.append(threading.current_thread().name)
            return function()

        return await asyncio.to_thread(noted)

    async def on(self, state: ClusterState, *commands: Command) -> list[Any]:
        loop = asyncio.get_running_loop()
        tasks = [Task(each, loop.create_future(), at, 0.0, SystemClock()) for at, each in enumerate(commands)]
        return [verdict for _, verdict in await self.decisions.on(state, tasks)]


def _run(test: Callable[[_Fixture], Awaitable[None]]) -> None:
    async def main() -> None:
        await test(_Fixture())

    asyncio.run(main())


def test_the_event_loop_goes_on_while_everything_is_looked_at() -> None:
    async def test(fixture: _Fixture) -> None:
        beats = 0

        async def beat() -> None:
            nonlocal beats
            while True:
                beats += 1
                await asyncio.sleep(0)

        heart = asyncio.ensure_future(beat())
        state = _state(2000)
        (upkeep,) = await fixture.on(state, Upkeep())
        assert isinstance(upkeep, Decision)
        assert len(fixture.threads) == 1
        assert fixture.threads[0] != threading.current_thread().name
        assert beats > 1
        await fixture.on(upkeep.state, RegisterNode(node=NODE, fresh=True))
        assert len(fixture.threads) == 2
        heart.cancel()

    _run(test)


def test_a_creation_among_many_indices_and_everything_among_few_are_decided_at_once() -> None:
    async def test(fixture: _Fixture) -> None:
        (upkeep,) = await fixture.on(_state(900), Upkeep())
        fixture.threads.clear()
        (made,) = await fixture.on(upkeep.state, CreateIndex(name="x", settings={"number_of_replicas": 0}))
        assert "x" in made.state.indices
        await fixture.on(_state(10), Upkeep())
        assert not fixture.threads

    _run(test)


def test_starts_of_shards_side_by_side_are_one_decision_and_each_is_answered() -> None:
    async def test(fixture: _Fixture) -> None:
        settings = {"number_of_shards": 3, "number_of_replicas": 0}
        (made,) = await fixture.on(_state(0), CreateIndex(name="x", settings=settings))
        known = made.state.routing["x"]
        starts = [
            ShardStarted(index="x", uuid=known.spec.uuid, shard=number, allocation_id=shard.primary.allocation_id or "")
            for number, shard in enumerate(known.spec.shards)
        ]
        stale = ShardStarted(index="x", uuid="other", shard=0, allocation_id="other")
        verdicts = await fixture.on(made.state, *starts, stale, CreateIndex(name="x"), *starts[:1])
        assert [len(verdict.ops) if isinstance(verdict, Decision) else verdict for verdict in verdicts[:4]] == [
            1,
            0,
            0,
            0,
        ]
        assert isinstance(verdicts[4], ApiError)
        assert verdicts[4].type == "resource_already_exists_exception"
        assert verdicts[5].ops == ()
        assert all(shard.primary.state == "STARTED" for shard in verdicts[0].state.routing["x"].spec.shards)
        assert fixture.counted[1:] == [
            *[("ShardStarted", "decided")] * 4,
            ("CreateIndex", "refused"),
            ("ShardStarted", "decided"),
        ]

    _run(test)


def test_one_report_that_cannot_be_decided_fails_alone() -> None:
    async def test(fixture: _Fixture) -> None:
        (made,) = await fixture.on(_state(0), CreateIndex(name="x", settings={"number_of_replicas": 0}))
        known = made.state.routing["x"].spec
        good = ShardStarted(
            index="x", uuid=known.uuid, shard=0, allocation_id=known.shards[0].primary.allocation_id or ""
        )
        bad = ShardStarted(index="x", uuid=known.uuid, shard=None, allocation_id="a")  # type: ignore[arg-type]
        first, second = await fixture.on(made.state, bad, good)
        assert isinstance(first, TypeError)
        assert second.state.routing["x"].spec.shards[0].primary.state == "STARTED"

    _run(test)
