"""What goes wrong, and when: nodes crash, hang and are cut off, messages are lost, late and repeated, disks fail."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from quidditch.model.objects import ShardRouting
from tests.sim.machines import Machine

if TYPE_CHECKING:
    from tests.sim.world import World


def _nodes(shard: ShardRouting) -> list[str | None]:
    return [node for copy in shard.copies for node in (copy.node, copy.relocating_node)]


class Nemesis:
    """Faults begin at times of chance and end after a while; two may be at work at once."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._chance = world.chance
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self, seconds: float) -> None:
        """Until then things go wrong; on return all is whole again and all nodes are up."""
        world, chance = self._world, self._chance
        copies = bool(world.plan.replicas)
        faults: list[tuple[float, float, Callable[[], Awaitable[None]]]] = [
            (4, 4, self.crash),
            (2, 1, self._pause),
            (2, 1, self._isolate),
            (1.5, 0.5, self._one_way),
            (1.5, 1, self._split),
            (1.5, 4, self._alone_with_clients),
            (1.5, 1, self._lossy),
            (1, 0.5, self._slow),
            (1, 0.5, self._repeating),
            (1, 0.5, self._crash_master),
            (0.4, 1, self._blackout),
            (0.7, 1, self._fail_shard),
            (3, 2, self._flush),
            (2 * copies, 2, self._move),
        ]
        weights = [harsh if world.plan.harsh_faults else usual for usual, harsh, _ in faults]
        end = world.loop.time() + seconds
        while world.loop.time() < end and world.violation is None:
            await asyncio.sleep(chance.expovariate(1 / 1.2))
            (fault,) = chance.choices([fault for *_, fault in faults], weights)
            world.trace.note("fault", fault.__name__)
            self._tasks.append(asyncio.ensure_future(fault()))
            if chance.random() < (0.4 if world.plan.harsh_faults else 0.7):
                await self._tasks[-1]
        await asyncio.gather(*self._tasks)
        self.make_whole()

    def make_whole(self) -> None:
        net = self._world.net
        net.heal()
        net.tap = lambda _source, _target, _action: 0.0
        self._world.allowed = float("inf")
        net.drop = net.slow = net.double = 0.0
        for machine in self._world.machines:
            if not machine.up:
                machine.start()
        self._world.trace.note("all is whole")

    async def for_a_while(self, seconds: float) -> None:
        await asyncio.sleep(min(self._chance.expovariate(1 / seconds), 4 * seconds))

    # --- nodes ------------------------------------------------------------------------------------------------------

    def _some_data(self) -> Machine | None:
        up = [machine for machine in self._world.data if machine.up and machine.life.paused_at is None]
        return self._chance.choice(up) if up else None

    async def crash(self, machine: Machine | None = None, seconds: float = 2.0) -> None:
        machine = machine or self._some_data()
        if machine is None or not machine.up:
            return
        machine.crash(self._chance, self._chance.random() < 0.5)
        await self.for_a_while(seconds)
        if not machine.up:
            machine.start()

    async def _crash_master(self) -> None:
        await self.crash(self._chance.choice(self._world.masters), 1.0)

    async def _blackout(self) -> None:
        """All data nodes at once; often the masters with them."""
        machines: list[Machine] = [*self._world.data]
        if self._chance.random() < 0.5:
            machines += self._world.masters
        await asyncio.gather(*(self.crash(machine, 1.0) for machine in machines))

    async def _pause(self) -> None:
        machine = self._some_data()
        if machine is None:
            return
        self._world.trace.note(machine.name, "pauses")
        life = machine.life
        self._world.loop.pause(life)
        await self.for_a_while(2.5)
        self._world.loop.resume(life)
        self._world.trace.note(machine.name, "goes on")

    # --- network ----------------------------------------------------------------------------------------------------

    async def _cut(self, some: list[str], others: list[str], back: bool) -> None:
        self._world.trace.note("cut", some, others, "both ways" if back else "one way")
        self._world.net.part(some, others, back=back)
        await self.for_a_while(3.0)
        self._world.net.heal()
        self._world.trace.note("healed")

    async def _isolate(self) -> None:
        """One node from all others, or from the other data nodes only."""
        machine = self._chance.choice(self._world.data)
        among = self._world.data if self._chance.random() < 0.4 else self._world.machines
        await self._cut([machine.name], [other.name for other in among if other is not machine], True)

    async def _one_way(self) -> None:
        machine = self._chance.choice(self._world.data)
        others = [other.name for other in self._world.machines if other is not machine]
        sides = ([machine.name], others) if self._chance.random() < 0.5 else (others, [machine.name])
        await self._cut(*sides, False)

    async def _split(self) -> None:
        """The data nodes in two, each seeing some of the rest."""
        sides: tuple[list[str], list[str]] = ([], [])
        for machine in self._world.machines:
            self._chance.choice(sides).append(machine.name)
        await self._cut(*sides, True)

    async def _alone_with_clients(self) -> None:
        """A node and the clients, who take it for the primary still, from all others."""
        side = [self._chance.choice(self._world.data).name, self._world.coordinator.name]
        await self._cut(side, [other.name for other in self._world.machines if other.name not in side], True)

    async def _lossy(self) -> None:
        self._world.net.drop = self._chance.choice((0.01, 0.05, 0.2))
        await self.for_a_while(2.0)
        self._world.net.drop = 0.0

    async def _slow(self) -> None:
        self._world.net.slow = self._chance.choice((0.1, 0.5))
        await self.for_a_while(3.0)
        self._world.net.slow = 0.0

    async def _repeating(self) -> None:
        self._world.net.double = self._chance.choice((0.1, 0.5))
        await self.for_a_while(3.0)
        self._world.net.double = 0.0

    # --- disks ------------------------------------------------------------------------------------------------------

    async def _fail_shard(self) -> None:
        """The disk of one copy has a fault, which its node notices."""
        engines = self._world.engines()
        if engines:
            name, shard, _, engine = self._chance.choice(engines)
            self._world.trace.note(name, shard, "has a fault")
            engine.fail("a fault of the disk")

    async def _move(self) -> None:
        """A copy is told to go to a node that has none of its shard."""
        placed = [
            (number, copy.node, [data.name for data in self._world.data if data.name not in _nodes(shard)])
            for (_, number), shard in self._world.shards()
            for copy in shard.copies
            if copy.state == "STARTED"
        ]
        free = [(number, node, others) for number, node, others in placed if others]
        if not free:
            return
        number, node, others = self._chance.choice(free)
        await self._world.move(number, str(node), self._chance.choice(others))

    async def _flush(self) -> None:
        """A copy writes a commit, as it does when its log has grown."""
        engines = self._world.engines()
        if engines:
            name, shard, _, engine = self._chance.choice(engines)
            if engine.failure() is None:
                self._world.trace.note(name, shard, "flushes")
                engine.flush(self._chance.random() < 0.5)
