"""A cluster that is written to while things go wrong, from a seed; then it comes to rest and is judged."""

from __future__ import annotations

import asyncio
import contextlib
import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

import quidditch_kernel
from quidditch.controlplane.core.commands import AllocationCommand, CreateIndex, Reroute
from quidditch.coordinator import copies
from quidditch.coordinator.options import WriteOptions
from quidditch.model.errors import ApiError
from quidditch.model.objects import Copy, Index, ShardRouting
from quidditch.model.state import ClusterState
from quidditch.store.memory import MemoryStore
from quidditch.transport.api import TransportError
from quidditch.transport.shards import ShardMissing
from quidditch_kernel import KernelError
from tests.sim import checkers
from tests.sim.aimed import Aimed
from tests.sim.checkers import CopyAtRest, Ledger, Read, ShardId, Violation, Write
from tests.sim.disk import Record
from tests.sim.kernel import KernelData
from tests.sim.loop import SimulatedLoop, simulated
from tests.sim.machines import Coordinator, Data, Machine, Master
from tests.sim.nemesis import Nemesis
from tests.sim.net import Network
from tests.sim.slices import Slice
from tests.sim.trace import Trace
from tests.sim.twins import twins

INDEX = "documents"


@dataclass(frozen=True)
class Plan:
    """What a seed is about."""

    masters: int
    data: int
    shards: int
    replicas: int
    writers: int
    ids: int
    pause: float
    seconds: float
    delayed: str
    delay: float = 0.0005
    """What a message takes on average, and `work` what a thread does."""
    work: float = 0.0005
    harsh_faults: bool = False
    aims: tuple[str, ...] = ()
    """The dangers that its faults are aimed at, see `tests/sim/aimed.py`; none: faults of all kinds, by chance."""
    timeouts: tuple[int, ...] = (1000, 10_000, 60_000)
    """For how many ms a write may be tried, one of these."""
    kernel: bool = False
    """Whether shards are the kernel's own, not models."""
    look: float = 0.5
    """The pause between two looks at the checkpoints."""

    @classmethod
    def of(cls, seed: int) -> Plan:
        chance = random.Random(seed)
        data = chance.choice((3, 3, 4))
        return cls(
            masters=chance.choice((1, 2, 2)),
            data=data,
            shards=chance.choice((1, 1, 2)),
            replicas=chance.choice((1, 1, 2)),
            writers=chance.choice((2, 3, 5)),
            ids=chance.choice((2, 6, 12)),
            pause=chance.choice((0.1, 0.4, 0.8)),
            seconds=chance.choice((20.0, 40.0)),
            delayed=chance.choice(("0s", "1s", "5s")),
        )

    @classmethod
    def harsh(cls, seed: int) -> Plan:
        """Short and hard, for faults that any seed should find."""
        chance = random.Random(~seed)
        return cls(
            masters=chance.choice((1, 2)),
            data=3,
            shards=1,
            replicas=chance.choice((1, 2, 2)),
            writers=4,
            ids=chance.choice((2, 5)),
            pause=0.06,
            seconds=10.0,
            delayed=chance.choice(("0s", "1s")),
            delay=chance.choice((0.002, 0.01)),
            work=0.005,
            harsh_faults=True,
        )

    @classmethod
    def aimed(cls, seed: int, *aims: str, replicas: int = 2, **more: Any) -> Plan:
        """A small cluster and one danger again and again."""
        chance = random.Random(seed * 5 + len(aims))
        plan = cls(
            masters=1,
            data=3,
            shards=1,
            replicas=replicas,
            writers=4,
            ids=chance.choice((2, 5)),
            pause=0.05,
            seconds=8.0,
            delayed=chance.choice(("0s", "5s")),
            delay=0.002,
            work=0.005,
            aims=aims,
            look=0.1,
        )
        return replace(plan, **more)


@dataclass(frozen=True)
class Report:
    """What came of a seed. `violation` None: all promises were kept."""

    seed: int
    violation: str | None
    digest: str
    simulated_seconds: float
    acknowledged: int
    turns: int


class World:
    def __init__(self, seed: int, loop: SimulatedLoop, trace: Trace, disks: dict[str, Any], plan: Plan) -> None:
        self.loop = loop
        self.trace = trace
        self.plan = plan
        self.chance = random.Random(seed * 3 + 1)
        self.net = Network(loop, trace, seed * 3 + 2, _may_come_twice)
        self.net.delay, loop.work_seconds = plan.delay, plan.work
        self.net.exact = not plan.kernel
        self.ledger = Ledger()
        self.violation: Violation | None = None
        self.store = MemoryStore(new_uid=_counted("uid"), timestamp=lambda: "2026-01-01T00:00:00Z")
        seeds = [f"m{number}" for number in range(plan.masters)]
        self.masters = [Master(name, self.net, seeds, self.store) for name in seeds]
        made = KernelData if plan.kernel else Data
        self.data = [made(f"d{number}", self.net, seeds) for number in range(plan.data)]
        self.coordinator = Coordinator("c", self.net, seeds)
        self.machines: list[Machine] = [*self.masters, *self.data, self.coordinator]
        self._values = _counted("v")
        disks.clear()
        for machine in self.data:
            disks[machine.name] = machine.disk
            machine.disk.assigned = self._assigned(machine.name)

    def _assigned(self, name: str) -> Callable[[str, Record], None]:
        def told(path: str, record: Record) -> None:
            uuid, number = path.split("/")[-2:]
            try:
                self.ledger.assigned((uuid, int(number)), name, record)
            except Violation as violation:
                self.violation = self.violation or violation

        return told

    # --- a run ------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        for machine in self.machines:
            machine.start()
        await self._until("the cluster is there", lambda: self._control().leader_id != "", 30)
        create = CreateIndex(
            name=INDEX,
            settings={
                "number_of_shards": self.plan.shards,
                "number_of_replicas": self.plan.replicas,
                "unassigned.node_left.delayed_timeout": self.plan.delayed,
                # Otherwise the kernel's own threads would decide what files there are.
                **({"refresh_interval": "-1"} if self.plan.kernel else {}),
            },
        )
        await self.loop.spawn(self.coordinator.life, self._control().submit(create))
        await self._until("all copies are there", self._green, 60)
        watch = self.loop.create_task(self._watch())
        clients = [
            self.loop.spawn(self.coordinator.life, self._client(random.Random(self.chance.random())))
            for _ in range(self.plan.writers)
        ]
        nemesis = Aimed(self) if self.plan.aims else Nemesis(self)
        await nemesis.run(self.plan.seconds)
        self._stopping = True
        await asyncio.gather(*clients)
        await self._until("all copies are there again", self._green, 180)
        await self._until("all copies know the checkpoint", self._settled, 90)
        watch.cancel()
        self._judge()

    _stopping = False
    allowed: float = float("inf")
    """How many operations clients may begin yet."""

    async def _until(self, what: str, holds: Callable[[], bool], seconds: float) -> None:
        deadline = self.loop.time() + seconds
        while not holds():
            self._check()
            if self.loop.time() > deadline:
                raise Violation(f"within {seconds:g} s it did not come about that {what}: {self._describe()}")
            await asyncio.sleep(0.2)
        self._check()

    def _check(self) -> None:
        if self.violation is not None:
            raise self.violation
        for fault in self.loop.faults:
            # Errors of the domain may go unheard when whoever asked has given up.
            if not isinstance(fault.get("exception"), ApiError | TransportError | ShardMissing | KernelError):
                raise Violation(str(fault))

    def _control(self) -> Any:
        return self.coordinator.remote if self.coordinator.remote is not None else _NoControl()

    def _describe(self) -> str:
        state = self.state
        routing = state.routing.get(INDEX)
        shards = "" if routing is None else "; ".join(_shard_text(shard) for shard in routing.spec.shards)
        copies = ", ".join(
            f"{machine.name}[{shard[1]}] {engine.checkpoints()}"
            for machine in self.data
            for shard, _, engine in self._open(machine)
        )
        up = " ".join(machine.name for machine in self.machines if machine.up)
        return f"{shards}; open: {copies}; up: {up}; nodes: {list(state.nodes)}; clients wait: {self._waiting()}"

    def _waiting(self) -> int:
        return sum(write.ended == float("inf") for write in self.ledger.writes)

    async def move(self, number: int, node: str, to_node: str) -> None:
        command = AllocationCommand(kind="move", index=INDEX, shard=number, node=node, to_node=to_node)
        self.trace.note("move", number, node, "->", to_node)
        self.loop.spawn(self.coordinator.life, self._tell(Reroute(commands=(command,))))

    async def _tell(self, command: Any) -> None:
        with contextlib.suppress(ApiError, TransportError):
            await self._control().submit(command, 5)

    # --- clients ----------------------------------------------------------------------------------------------------

    async def _client(self, chance: random.Random) -> None:
        while not self._stopping:
            if self.allowed <= 0:
                await asyncio.sleep(0.02)
                continue
            self.allowed -= 1
            if chance.random() < 0.1:
                await self._read(chance)
            else:
                await self._write(chance)
            await asyncio.sleep(chance.expovariate(1 / self.plan.pause))

    def _pick(self, chance: random.Random) -> tuple[Index, ShardId, str]:
        index = self._control().state.indices[INDEX]
        number = chance.randrange(self.plan.shards)
        return index, (index.uuid, number), f"{number}-{chance.randrange(self.plan.ids)}"

    async def _write(self, chance: random.Random) -> None:
        index, shard, id = self._pick(chance)
        value = None if chance.random() < 0.15 else orjson.dumps({"v": self._values()}).decode()
        item = {"action": "delete" if value is None else "index", "index": INDEX, "id": id, "source": value or ""}
        write = Write(shard, id, value, self.loop.time())
        self.ledger.writes.append(write)
        options = WriteOptions(timeout_ms=chance.choice(self.plan.timeouts), active_shards=1)
        slice = self._slice({**item, "total_copies": 1 + self.plan.replicas})
        assert self.coordinator.shards is not None
        try:
            result = await self.coordinator.shards.write(index, shard[1], slice, options)
            answer = next(iter(orjson.loads(result.item(0)).values()))
        except (ApiError, TransportError, KernelError, ShardMissing) as error:
            self.trace.note("write", id, value, "failed:", str(error)[:120])
        else:
            if "error" in answer:
                self.trace.note("write", id, value, "refused:", str(answer["error"])[:120])
                write.outcome = "refused" if answer["status"] == 409 else "unknown"
            else:
                write.outcome, write.seq_no, write.term = "ok", answer["_seq_no"], answer["_primary_term"]
                self.trace.note("write", id, value, "acknowledged", write.seq_no, write.term)
        write.ended = self.loop.time()

    def _slice(self, item: dict[str, Any]) -> Any:
        if not self.plan.kernel:
            return Slice(INDEX, [item], item["total_copies"])
        op = {key: value for key, value in item.items() if key != "source"}
        return quidditch_kernel.Slice.single(orjson.dumps(op), item["source"].encode())

    async def _read(self, chance: random.Random) -> None:
        index, shard, id = self._pick(chance)
        assert self.coordinator.shards is not None
        meant = copies.meant(self._control().state, index, shard[1])
        if meant is None:
            return
        target = self.coordinator.shards.at(meant[0])
        request = orjson.dumps({"id": id, "realtime": True, "source": True})
        try:
            found = await asyncio.wait_for(target.get(index.uuid, shard[1], request), 5)
        except (ApiError, TransportError, KernelError, ShardMissing, TimeoutError):
            return
        value = orjson.dumps(orjson.loads(b"{%s}" % found)["_source"]).decode() if found is not None else None
        self.ledger.reads.append(Read(shard, id, self.loop.time(), value))

    # --- looking ----------------------------------------------------------------------------------------------------

    @property
    def state(self) -> ClusterState:
        """What the coordinator knows."""
        state: ClusterState = self._control().state
        return state

    def shards(self) -> list[tuple[ShardId, ShardRouting]]:
        """The routing as it is in the store."""
        found = self.store._objects.get(("Routing", INDEX))
        if found is None:
            return []
        return [((found.spec.uuid, number), shard) for number, shard in enumerate(found.spec.shards)]

    def _open(self, machine: Data) -> list[tuple[ShardId, str, Any]]:
        """The copies that a node has open: the shard, the allocation id, the engine."""
        if machine.node is None or not machine.up:
            return []
        return [
            ((uuid, number), copy.allocation_id, copy.kernel)
            for uuid, local in machine.node.indices.items()
            for number, copy in local.shards.items()
            if not copy.kernel.closed
        ]

    def engines(self) -> list[tuple[str, ShardId, str, Any]]:
        return [(machine.name, *copy) for machine in self.data for copy in self._open(machine)]

    def _green(self) -> bool:
        shards = self.shards()
        return (
            bool(shards)
            and all(copy.state == "STARTED" for _, shard in shards for copy in shard.copies)
            and all(self._copy(shard, copy) is not None for shard, routing in shards for copy in routing.copies)
        )

    def _copy(self, shard: ShardId, copy: Copy) -> Any:
        for name, other, allocation_id, engine in self.engines():
            if name == copy.node and other == shard and allocation_id == copy.allocation_id:
                return engine
        return None

    def _settled(self) -> bool:
        """Whether every copy is open and knows that all have everything."""
        for shard, routing in self.shards():
            numbers = set()
            for copy in routing.copies:
                engine = self._copy(shard, copy)
                if engine is None:
                    return False
                numbers.add(engine.checkpoints())
            if len(numbers) != 1 or len(set(numbers.pop())) != 1:
                return False
        return True

    async def _watch(self) -> None:
        while self.violation is None:
            await asyncio.sleep(self.plan.look)
            try:
                self._look()
            except Violation as violation:
                self.violation = violation

    def _look(self) -> None:
        """Checkpoints while the cluster runs. A copy whose node is down counts with what lies on its disk, and so does one that has gone
        back, for a new term or as the beginning of a new copy: its log has not.
        """
        known: dict[ShardId, dict[str, int]] = {}
        stored: dict[tuple[str, ShardId, str], int] = {}
        for name, shard, id, engine in self.engines():
            _, _, stored[name, shard, id], known.setdefault(shard, {})[name] = engine.checkpoints()
        for shard, routing in self.shards():
            in_sync = {}
            for machine in self.data:
                if self._is_in_sync(machine, shard, routing):
                    self._has_acknowledged(machine, shard)
                    told = (stored.get((machine.name, shard, id)) for id in routing.in_sync)
                    at = next((each for each in told if each is not None), None)
                    lies = self._on_disk(machine, shard)
                    at = lies if at is None or lies is None else max(at, lies)
                    if at is not None:
                        in_sync[machine.name] = at
            checkers.check_checkpoints(shard, known.get(shard, {}), in_sync)

    def _is_in_sync(self, machine: Data, shard: ShardId, routing: ShardRouting) -> bool:
        """Whether the data on the node counts as in sync."""
        ids = machine.allocations.of(*shard) if machine.allocations is not None else None
        return bool(ids) and any(id in routing.in_sync for id in ids or ())

    def _has_acknowledged(self, machine: Data, shard: ShardId) -> None:
        folder = self._folder(machine, shard)
        if folder is not None:
            writes = [write for write in self.ledger.writes[-100:] if write.shard == shard and write.outcome == "ok"]
            checkers.check_stored(shard, machine.name, writes, folder)

    def _folder(self, machine: Data, shard: ShardId) -> Any:
        return machine.disk.folder(self._path(machine, shard))

    def _path(self, machine: Data, shard: ShardId) -> str:
        return f"{machine.name}/nodes/0/indices/{shard[0]}/{shard[1]}"

    def _on_disk(self, machine: Data, shard: ShardId) -> int | None:
        return machine.disk.durable(self._path(machine, shard))

    def _judge(self) -> None:
        self._look()
        checkers.check_history(self.ledger)
        for shard, routing in self.shards():
            copies = []
            made = [record for (its, _, _), (_, record) in self.ledger.made.items() if its == shard]
            for copy in routing.copies:
                engine = self._copy(shard, copy)
                max_seq_no, _, local, known = engine.checkpoints()
                documents, history = engine.rest(made)
                copies.append(CopyAtRest(str(copy.node), documents, max_seq_no, local, known, history))
            checkers.check_rest(shard, self.ledger, copies)
        self._check()


class _NoControl:
    leader_id = ""
    state = ClusterState()


def _counted(prefix: str) -> Callable[[], str]:
    numbers = iter(range(1 << 60))
    return lambda: f"{prefix}-{next(numbers)}"


def _may_come_twice(action: str) -> bool:
    """Who sends these sends them again when no answer comes."""
    return action.startswith(("replica/", "recovery/", "control/"))


def _shard_text(shard: ShardRouting) -> str:
    copies = ", ".join(f"{'p' if c.primary else 'r'} {c.state} {c.node} {c.allocation_id}" for c in shard.copies)
    return f"term {shard.primary_term}, in sync {list(shard.in_sync)}: {copies}"


_disks: dict[str, Any] = {}


def simulate(seed: int, plan: Plan | None = None, echo: Callable[[str], None] | None = None) -> Report:
    """Runs a seed. Everything but the report is gone afterwards."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(dir=_memory()))
        stack.enter_context(contextlib.chdir(folder))
        plan = plan or Plan.of(seed)
        stack.enter_context(twins(_disks, plan.kernel))
        loop = stack.enter_context(simulated(seed))
        trace = Trace(loop.time, echo)
        world = World(seed, loop, trace, _disks, plan)
        for machine in world.data:
            stack.callback(machine.disk.end)
        try:
            loop.run_until_complete(world.run())
            violation = None
        except Violation as error:
            violation = str(error)
        trace.note("end", loop.turns, violation)
        acknowledged = len(world.ledger.acknowledged)
        return Report(seed, violation, trace.digest(), loop.time(), acknowledged, loop.turns)


def _memory() -> str | None:
    """A folder in memory, where there is one: the files of a simulation are many and small."""
    shared = Path("/dev/shm")
    return str(shared) if shared.is_dir() else None
