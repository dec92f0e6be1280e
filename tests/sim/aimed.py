"""Faults aimed at one danger each: chance alone hardly ever has the moment at which a missing step of the protocol does harm."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from quidditch.model.objects import Copy, ShardRouting
from tests.sim.machines import Data
from tests.sim.nemesis import Nemesis

_RECOVERY = ("prepare", "track", "operations", "finish", "hand_over", "handed", "end")


class Aimed(Nemesis):
    """Brings about one of the dangers of the plan after the other, each once the cluster is whole again."""

    async def run(self, seconds: float) -> None:
        world = self._world
        end = world.loop.time() + seconds
        while world.loop.time() < end and world.violation is None:
            await asyncio.sleep(self._chance.uniform(0.2, 0.6))
            aim = self._chance.choice(world.plan.aims)
            world.trace.note("aims at", aim)
            await getattr(self, aim)()
            self.make_whole()
            await self._wait(self._whole, 12)
        self.make_whole()

    # --- what there is ----------------------------------------------------------------------------------------------

    def _shard(self) -> ShardRouting:
        return self._world.shards()[0][1]

    def _machine(self, name: str | None) -> Data:
        return next(machine for machine in self._world.data if machine.name == name)

    def _primary(self) -> Data | None:
        primary = self._shard().primary
        return self._machine(primary.node) if primary.active else None

    def _replicas(self) -> list[Data]:
        """Of the copies that are in sync, the next primary first."""
        shard = self._shard()
        return [self._machine(c.node) for c in shard.copies[1:] if c.active and c.allocation_id in shard.in_sync]

    def _whole(self) -> bool:
        return all(copy.state == "STARTED" for copy in self._shard().copies)

    async def _wait(self, holds: Callable[[], bool], seconds: float) -> bool:
        """Whether it came about in time."""
        deadline = self._world.loop.time() + seconds
        while not holds() and self._world.loop.time() < deadline:  # noqa: ASYNC110  (time is simulated)
            await asyncio.sleep(0.01)
        return holds()

    def _down(self, machine: Data, silent: bool | None = None) -> None:
        if machine.up:
            machine.crash(self._chance, self._chance.random() < 0.5 if silent is None else silent)

    def _up(self, machine: Data) -> None:
        if not machine.up:
            machine.start()

    def _on_no_node(self, machine: Data) -> Callable[[], bool]:
        return lambda: machine.name not in [node for c in self._shard().copies for node in (c.node, c.relocating_node)]

    def _led_by_another(self, machine: Data) -> Callable[[], bool]:
        def led() -> bool:
            primary = self._shard().primary
            return primary.active and primary.node != machine.name

        return led

    async def _acknowledged(self, count: int, seconds: float) -> None:
        """Until so many more writes were acknowledged."""
        before = len(self._world.ledger.acknowledged)
        await self._wait(lambda: len(self._world.ledger.acknowledged) >= before + count, seconds)

    # --- one copy after the other -----------------------------------------------------------------------------------

    async def relay(self) -> None:
        """All replicas are lost, then the primary; the replicas come back first. Often nobody writes until they have left."""
        primary, replicas = self._primary(), self._replicas()
        if primary is None or not replicas:
            return
        if self._chance.random() < 0.6:
            self._world.allowed = 0
            await asyncio.sleep(0.5)
        for replica in replicas:
            self._down(replica)
        for replica in replicas:
            await self._wait(self._on_no_node(replica), 8)
        self._world.allowed = float("inf")
        await self._acknowledged(self._chance.choice((1, 5)), 3)
        self._down(primary)
        for replica in replicas:
            self._up(replica)
        await asyncio.sleep(self._chance.uniform(2, 5))

    async def blackout(self) -> None:
        """All data nodes are lost at once, and the primary comes back first."""
        primary = self._primary()
        self._world.allowed = float("inf")
        await self._acknowledged(self._chance.randint(1, 6), 1)
        for machine in self._world.data:
            self._down(machine)
        await asyncio.sleep(self._chance.uniform(0.1, 4))
        if primary is not None:
            self._up(primary)
            await asyncio.sleep(self._chance.uniform(0.5, 2.5))

    async def leave_behind(self) -> None:
        """The next primary gets nothing, or with gaps, for a moment in which another copy gets all; then it leads, writes a little and is
        lost.
        """
        primary, replicas = self._primary(), self._replicas()
        if primary is None or len(replicas) < 2:
            return
        heir, other = replicas[0], replicas[1]
        share = self._chance.choice((1.0, 0.5))
        self._late("replica/operations", 30.0, source=primary.name, target=heir.name, share=share)
        await asyncio.sleep(self._chance.uniform(0.1, 0.5))
        self._world.allowed = 0
        await asyncio.sleep(0.02)
        self._down(primary)
        lost = self._chance.random() < 0.5
        if lost:
            self._down(other)
        if not await self._wait(self._led_by_another(primary), 6):
            return
        self._in_time()
        if lost and self._chance.random() < 0.5:
            self._up(other)
        await asyncio.sleep(self._chance.uniform(0, 0.3))
        self._world.allowed = self._chance.choice((1, 1, 2))
        await self._acknowledged(1, 3)
        self._up(other)
        await self._wait(lambda: other in self._replicas(), 6)
        if self._chance.random() < 0.5:
            await asyncio.sleep(0.3)
        self._down(heir)
        await self._wait(self._led_by_another(heir), 6)
        await asyncio.sleep(0.5)

    # --- a primary that is none any more ----------------------------------------------------------------------------

    async def deposed(self) -> None:
        """A primary that the leader hardly hears loses its place, and asks to have copies failed before it knows that."""
        primary = self._primary()
        if primary is None:
            return
        world, chance = self._world, self._chance
        others = [machine.name for machine in world.data if machine is not primary]
        masters = [machine.name for machine in world.masters]
        client = world.coordinator.name
        world.allowed = 0
        for master in masters:
            self._late("control/publish", chance.uniform(3, 5), source=master, target=primary.name)
            self._late("control/beat", 0.9, source=primary.name, target=master)
        world.net.part([primary.name], others)
        world.net.part([client], [*others, *masters])
        if await self._wait(self._led_by_another(primary), 6):
            world.allowed = float("inf")
            await asyncio.sleep(chance.uniform(3, 6))

    async def late_operations(self) -> None:
        """What an old primary sent arrives when its copy follows a new one. Often nobody has written to that yet."""
        primary = self._primary()
        if primary is None:
            return
        late = self._chance.uniform(0.5, 2.0)
        self._late("replica/operations", late, source=primary.name)
        await asyncio.sleep(self._chance.uniform(0.1, 0.4))
        if self._chance.random() < 0.6:
            self._world.allowed = 0
        if self._chance.random() < 0.5:
            names = [machine.name for machine in self._world.masters]
            self._world.net.part([primary.name], names)
            await self._wait(self._led_by_another(primary), 6)
            await asyncio.sleep(0.5)
            self._world.net.heal()
        else:
            life = primary.life
            self._world.loop.pause(life)
            await self._wait(self._led_by_another(primary), 6)
            self._world.loop.resume(life)
        self._in_time()
        await asyncio.sleep(late)

    # --- copies that are built --------------------------------------------------------------------------------------

    async def rebuild(self) -> None:
        """A copy is built, by operations or by files, while its primary writes; what goes to it comes late."""
        await self._build()
        await self._wait(self._whole, 8)

    async def build_beside_a_slow_one(self) -> None:
        """A copy is built, often by files, while the only other one lags behind: little of what goes to it is safe. Then either leads."""
        world, primary, replicas = self._world, self._primary(), self._replicas()
        if primary is None or not replicas:
            return
        placed = [node for copy in self._shard().copies for node in (copy.node, copy.relocating_node)]
        free = [machine for machine in world.data if machine.name not in placed and machine.up]
        if not free:
            return
        (target, *_), (slow, *_) = free, replicas
        self._late("replica/operations", self._chance.uniform(1.2, 2.5), source=primary.name, target=slow.name)
        await asyncio.sleep(self._chance.uniform(0, 0.4))
        await world.move(0, slow.name, target.name)
        if self._chance.random() < 0.6:  # all write anew while the copy is taken up
            world.allowed = 0
            self._late("recovery/track", 2.5, target=primary.name)
            seen = self._seen("recovery/track", primary.name)
            await self._wait(seen.is_set, 6)
            await asyncio.sleep(2.5)
            world.allowed = float("inf")
        await self._wait(lambda: target in self._replicas(), 6)
        await asyncio.sleep(self._chance.uniform(0, 2.5))
        if self._chance.random() < 0.5:
            self._down(primary)
            await self._wait(self._led_by_another(primary), 6)

    async def lose_source(self) -> None:
        """A copy is built, and at some step of that the primary is lost."""
        primary = self._primary()
        if primary is None:
            return
        step = f"recovery/{self._chance.choice(_RECOVERY)}"
        hit = self._seen(step, primary.name)
        await self._build(late=False)
        if await self._wait(hit.is_set, 6):
            await asyncio.sleep(self._chance.choice((0.0, self._chance.uniform(0, 0.05))))
            self._down(primary)
            await self._wait(self._led_by_another(primary), 6)
            await asyncio.sleep(self._chance.uniform(0, 1))

    async def _build(self, late: bool = True) -> None:
        world, chance = self._world, self._chance
        placed = [copy for copy in self._shard().copies if copy.state == "STARTED"]
        names = [copy.node for copy in placed]
        free = [machine for machine in world.data if machine.name not in names and machine.up]
        if late and chance.random() < 0.7:
            self._behind(chance.uniform(0.05, 0.35))
        if free and placed and chance.random() < 0.6:
            await world.move(0, str(chance.choice(placed).node), chance.choice(free).name)
            return
        replicas = self._replicas()
        if replicas:
            replica = chance.choice(replicas)
            self._flush_all()
            self._down(replica)
            await self._wait(self._on_no_node(replica), 6)
            if chance.random() < 0.5:
                self._flush_all()
            self._up(replica)

    async def move_primary(self) -> None:
        """The primary moves while it is written to."""
        primary = self._primary()
        names = [node for copy in self._shard().copies for node in (copy.node, copy.relocating_node)]
        free = [machine for machine in self._world.data if machine.name not in names and machine.up]
        if primary is None or not free:
            return
        if self._chance.random() < 0.7:
            self._late("recovery/hand", self._chance.uniform(0.02, 0.3))
        await self._world.move(0, primary.name, free[0].name)
        await self._wait(self._led_by_another(primary), 6)
        await asyncio.sleep(0.3)

    def _flush_all(self) -> None:
        for _, _, _, engine in self._world.engines():
            if engine.failure() is None:
                engine.flush(True)

    async def flush_and_part(self) -> None:
        """Commits while one copy lags behind, then another leads."""
        primary, replicas = self._primary(), self._replicas()
        if primary is None or not replicas:
            return
        behind = self._chance.choice(replicas)
        self._late("replica/operations", 0.3, source=primary.name, target=behind.name)
        await asyncio.sleep(self._chance.uniform(0.1, 0.35))
        self._flush_all()
        await asyncio.sleep(self._chance.uniform(0, 0.02))
        life = primary.life
        if self._chance.random() < 0.5:
            self._down(primary, silent=False)
        else:
            self._world.loop.pause(life)
        await self._wait(self._led_by_another(primary), 6)
        self._world.loop.resume(life)
        await asyncio.sleep(0.5)

    # --- messages ---------------------------------------------------------------------------------------------------

    def _late(self, action: str, seconds: float, source: str = "", target: str = "", share: float = 1.0) -> None:
        """Such messages, or a share of them, come later from now on, whoever they are from or to where nobody is named."""
        before = self._world.net.tap

        def tap(one: str, other: str, what: str) -> float:
            meant = what.startswith(action) and source in ("", one) and target in ("", other)
            if meant and (share == 1.0 or self._chance.random() < share):
                return seconds
            return before(one, other, what)

        self._world.net.tap = tap

    def _seen(self, action: str, target: str) -> asyncio.Event:
        """Set when somebody asks that of it."""
        seen, before = asyncio.Event(), self._world.net.tap

        def tap(one: str, other: str, what: str) -> float:
            if what == action and other == target:
                seen.set()
            return before(one, other, what)

        self._world.net.tap = tap
        return seen

    def _behind(self, seconds: float) -> None:
        """Operations come late to copies that are being built."""

        def building(name: str) -> bool:
            return any(_is_built(copy) and copy.node == name for copy in self._shard().placed)

        def tap(_source: str, target: str, action: str) -> float:
            return seconds if action == "replica/operations" and building(target) else 0.0

        self._world.net.tap = tap

    def _in_time(self) -> None:
        self._world.net.tap = lambda _source, _target, _action: 0.0


def _is_built(copy: Copy) -> bool:
    return copy.state == "INITIALIZING"
