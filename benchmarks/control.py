"""How fast is the control plane, beside bare etcd in the same run? Writes docs/benchmarks-control.md.

python -m benchmarks.control
python -m benchmarks.control --existing 1000 --rounds 1 --no-solver
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvloop
from tests.support.cluster import Running
from tests.support.etcd import Cluster, Member

from benchmarks.control_report import Figures, render
from benchmarks.store import bare, rate, until_seen
from quidditch.controlplane.core import routing
from quidditch.controlplane.core.commands import PutClusterSettings, PutTemplate
from quidditch.controlplane.core.liveness import Limits
from quidditch.controlplane.leader import Leader
from quidditch.controlplane.service import ControlService
from quidditch.lib.clock import SystemClock
from quidditch.lib.ids import CountedIds, RandomIds
from quidditch.lib.logging import configure
from quidditch.model.objects import Index, IndexSpec, Node, NodeSpec, Object, metadata_for
from quidditch.model.state import ClusterState
from quidditch.store import api
from quidditch.store.etcd import EtcdStore
from quidditch.store.etcd import open as open_etcd
from quidditch.store.etcd.client import STATUS, TXN, Client
from quidditch.store.etcd.keys import put
from quidditch.store.etcd.wire_pb2 import StatusRequest, TxnRequest
from quidditch.transport.tcp import TcpTransport

NODES = 20
CLIENTS = 64
RATE = 200.0
"""Index creations a second that the cluster has to keep up with."""
TIMERS = (100, 1000)
"""etcd's heartbeat and election timeout in ms: those of a master."""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# --- bare etcd ------------------------------------------------------------------------------------------------------


async def bare_etcd(cluster: Cluster, writes: int, figures: Figures) -> None:
    store = await open_etcd(cluster.endpoints[:1], prefix=f"/bench/{uuid.uuid4()}")
    figures.etcd_puts, _ = await rate(bare(store), writes, CLIENTS)
    _, figures.etcd_put_ms = await rate(bare(store), writes // 10, 1)
    figures.etcd_watch_ms = await until_seen(store, writes // 10)
    await store.close()


async def etcd_failovers(cluster: Cluster, rounds: int) -> list[float]:
    """Seconds from the kill of etcd's leader to the next put that a client of all members got accepted."""
    found = []
    for number in range(rounds):
        leader = await _etcd_leader(cluster)
        client = Client(cluster.endpoints, None, None, 5.0)
        await _put(client, f"before-{number}")
        leader.kill()
        began = time.monotonic()
        await _put(client, f"after-{number}")
        found.append(time.monotonic() - began)
        await client.close()
        cluster.restart(leader)
    return found


async def _put(client: Client, name: str) -> None:
    """Until it is accepted, asked again at once when it was not; a member that does not answer is waited for half a second."""
    while True:
        try:
            request = TxnRequest(success=[put(f"/failover/{name}".encode(), b"x")])
            await asyncio.wait_for(client.call(TXN, request), 0.5)
            return
        except (api.StoreError, TimeoutError):
            await asyncio.sleep(0.005)


async def _etcd_leader(cluster: Cluster) -> Member:
    while True:
        for member in cluster.members:
            client = Client([member.address], None, None, 5.0)
            status = await client.call(STATUS, StatusRequest(), repeatable=True)
            await client.close()
            if status.leader == status.header.member_id:
                return member
        await asyncio.sleep(0.05)


# --- one leader, many nodes -----------------------------------------------------------------------------------------


class Worker:
    """The process of the nodes."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    @asynccontextmanager
    async def running(cls, leader: str) -> AsyncIterator[Worker]:
        command = [sys.executable, "-m", "benchmarks.control_nodes", leader, str(NODES)]
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, limit=1 << 26)
        worker = cls(process)
        try:
            assert await worker._answer() == "joined"
            yield worker
        finally:
            process.kill()
            await process.wait()

    async def do(self, task: str, **arguments: Any) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"task": task, **arguments}).encode() + b"\n")
        return await self._answer()

    async def _answer(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(await self._process.stdout.readline())


@asynccontextmanager
async def leading(store: EtcdStore) -> AsyncIterator[tuple[Leader, str]]:
    """A leader as a master has it, and the address at which nodes find it."""
    gc.collect()
    gc.freeze()  # as every process of a node does once it serves
    leader = Leader(
        store,
        cluster_name="bench",
        holder="leader",
        clock=SystemClock(),
        ids=RandomIds(),
        standby=True,
        aside=asyncio.to_thread,
    )
    transport = TcpTransport("leader", lambda: "", lambda node: leader.state.nodes[node].spec.transport_address)
    host, port = await transport.listen("127.0.0.1", 0)
    # The nodes share one process that stands still now and then: nobody is given up for that here.
    service = ControlService(
        leader, transport, SystemClock(), f"{host}:{port}", Limits(probe=30.0, suspect=30.0, gone=60.0)
    )
    service.start()
    await leader.start()
    assert await leader.wait_for(lambda state: state.cluster is not None, 60)
    try:
        yield leader, f"{host}:{port}"
    finally:
        await service.stop()
        await leader.stop()
        await transport.close()


async def existing(store: EtcdStore, count: int) -> None:
    """So many indices of one started shard each, and the nodes that hold them, as if they had been made long ago."""
    ids = CountedIds()
    settings = {"index.number_of_shards": "1", "index.number_of_replicas": "0"}
    objects: list[Object] = [
        Node(metadata=metadata_for(name), spec=NodeSpec(id=name, name=name, ephemeral_id=name, roles=("data",)))
        for name in (f"node-{number}" for number in range(NODES))
    ]
    for number in range(count):
        name = f"old-{number:06d}"
        own = {**settings, "index.uuid": f"u{number}", "index.creation_date": "1700000000000"}
        index = Index(metadata=metadata_for(name), spec=IndexSpec(name=name, uuid=f"u{number}", settings=own))
        placed = routing.new_routing(index, 1_700_000_000_000)
        shard = routing.started(routing.assign(placed.spec.shards[0], 0, f"node-{number % NODES}", ids), 0)
        objects += [index, routing.with_shards(placed, (shard,))]
    for start in range(0, len(objects), 1000):
        await asyncio.gather(*(store.create(obj) for obj in objects[start : start + 1000]))


async def recovered(leader: Leader) -> None:
    """Until every shard is started. The nodes in the store have no process when the leader begins: it finds them gone, and opens all
    that they held again when they come. What is measured afterwards is a cluster at rest, not that recovery.
    """

    def at_rest(state: ClusterState) -> bool:
        shards = (shard for each in state.routing.values() for shard in each.spec.shards)
        return all(copy.state == "STARTED" for shard in shards for copy in shard.copies)

    if not await leader.wait_for(at_rest, timeout=600):
        raise TimeoutError("the shards that were there did not start again")


async def changes(cluster: Cluster, count: int, indices: int, figures: Figures) -> None:
    """Creations on an empty cluster and on a full one, what they take to be applied, heartbeats, look-ups."""
    for number, many in enumerate((0, count)):
        say(f"one leader, {NODES} nodes, {many} indices")
        store = await open_etcd(cluster.endpoints[:1], prefix=f"/bench/{uuid.uuid4()}")
        await existing(store, many)
        async with leading(store) as (leader, address), Worker.running(address) as worker:
            await leader.submit(PutClusterSettings(persistent={"cluster.max_shards_per_node": 100_000}))
            await recovered(leader)
            await worker.do("create", count=CLIENTS, clients=CLIENTS)
            figures.creations[many] = await worker.do("create", count=indices, clients=CLIENTS)
            figures.steady[many] = await worker.do("steadily", count=indices, a_second=RATE)
            figures.alone[many] = await worker.do("create", count=100, clients=1)
            say(f"{figures.creations[many]} {figures.steady[many]} {figures.alone[many]}")
            if number:
                figures.applied_ms = await _applied(leader, worker)
                figures.beats = await worker.do("beats", seconds=3.0, in_flight=256)
                figures.lookups = await worker.do("lookups", seconds=2.0)
        await store.close()


async def _applied(leader: Leader, worker: Worker, count: int = 100) -> tuple[float, float]:
    """p50 and p99 in ms from the moment that a change is in etcd until the last of the nodes has applied it."""
    committed: dict[int, float] = {}
    unsubscribe = leader.subscribe(lambda _, new: committed.setdefault(new.version, time.monotonic()))
    for number in range(count):
        await leader.submit(
            PutTemplate(template_kind="index", name=f"t{number}", body={"index_patterns": [f"x{number}"]})
        )
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.5)
    unsubscribe()
    at = await worker.do("applied", versions=list(committed))
    taken = sorted((there - here) * 1e3 for there, here in zip(at, committed.values(), strict=True))
    return statistics.median(taken), taken[int(len(taken) * 0.99)]


# --- real processes -------------------------------------------------------------------------------------------------


def failovers(rounds: int) -> list[float]:
    """Seconds from the kill of the leading master until a change given to a data node just then is acknowledged."""
    found = []
    with Running.temporary(masters=3, data=1) as cluster:
        for number in range(rounds):
            leader = cluster.leader()
            _template(cluster, f"before-{number}")
            cluster.kill(leader)
            began = time.monotonic()
            _template(cluster, f"after-{number}")
            found.append(time.monotonic() - began)
            cluster.start(leader)
    return found


def _template(cluster: Running, name: str) -> None:
    path = f"/_index_template/{name}?cluster_manager_timeout=60s"
    status, body = cluster.call("data-1", "PUT", path, {"index_patterns": [f"{name}-*"]})
    assert (status, body["acknowledged"]) == (200, True), body


def solver(nodes: int, indices: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.control_solver", "--json"]
    command += ["--nodes", str(nodes), "--indices", str(indices)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(answer.stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.control")
    parser.add_argument("--existing", type=int, default=10_000)
    parser.add_argument("--indices", type=int, default=1500, help="created in each part")
    parser.add_argument("--writes", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5, help="failovers, of etcd and of masters")
    parser.add_argument("--no-solver", action="store_true")
    parser.add_argument("--output", type=Path, default=Path("docs/benchmarks-control.md"))
    args = parser.parse_args()
    configure("error", sys.stderr)
    figures = Figures(existing=args.existing)
    if not args.no_solver:
        say("allocation")
        figures.solver = solver(1_000, 10_000)
    steps: list[tuple[str, Callable[[Cluster], Any]]] = [
        ("bare etcd", lambda etcd: bare_etcd(etcd, args.writes, figures)),
        ("changes", lambda etcd: changes(etcd, args.existing, args.indices, figures)),
    ]
    for what, step in steps:
        say(what)
        with Cluster.temporary(3, fsync=True, timers=TIMERS) as etcd:
            uvloop.run(step(etcd))
    say("failover of bare etcd")
    with Cluster.temporary(3, fsync=True, timers=TIMERS) as etcd:
        figures.etcd_failover = uvloop.run(etcd_failovers(etcd, args.rounds))
    say("failover of masters")
    say(f"{figures.etcd_failover}")
    figures.failover = failovers(args.rounds)
    text = render(figures)
    args.output.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
