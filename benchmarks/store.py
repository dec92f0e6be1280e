"""How fast is the control plane's store on etcd beside bare puts to the same etcd, in the same run?

python -m benchmarks.store --members 3 --writes 3000
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import statistics
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import aclosing

from tests.support.etcd import Cluster
from tests.unit.controlplane.harness import NODE, leader, starts_shards
from tests.unit.model import states

from quidditch.controlplane.core.commands import CreateIndex, RegisterNode
from quidditch.model.codec import encode
from quidditch.store.etcd import EtcdStore
from quidditch.store.etcd import open as open_etcd
from quidditch.store.etcd.client import TXN
from quidditch.store.etcd.keys import put
from quidditch.store.etcd.wire_pb2 import TxnRequest

_VALUE = encode(states.index("a-name-of-usual-length"))
Figures = dict[str, list[float]]


async def rate(write: Callable[[int], Awaitable[object]], writes: int, in_flight: int) -> tuple[float, float]:
    """Writes per second, and the median latency in ms."""
    numbers = iter(range(writes))
    taken: list[float] = []

    async def worker() -> None:
        for number in numbers:
            began = time.perf_counter()
            await write(number)
            taken.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(in_flight)))
    return writes / (time.perf_counter() - began), statistics.median(taken) * 1e3


def bare(store: EtcdStore) -> Callable[[int], Awaitable[object]]:
    """One put of an object's bytes."""
    name = uuid.uuid4().hex
    return lambda number: store._client.call(TXN, TxnRequest(success=[put(f"/bare/{name}/{number}".encode(), _VALUE)]))


def creating(store: EtcdStore, epoch: int) -> Callable[[int], Awaitable[object]]:
    name = uuid.uuid4().hex
    return lambda number: store.create(states.index(f"{name}-{number}"), fence=epoch)


async def until_seen(store: EtcdStore, writes: int) -> float:
    """Median ms from the call of a write to its event on a watch."""
    name = uuid.uuid4().hex
    taken = []
    async with aclosing(store.watch((await store.list()).version)) as events:  # type: ignore[type-var]
        for number in range(writes):
            began = time.perf_counter()
            writing = asyncio.create_task(store.create(states.index(f"{name}-{number}")))
            async for event in events:
                if event.object is not None:
                    break
            taken.append(time.perf_counter() - began)
            await writing
    return statistics.median(taken) * 1e3


async def index_creations(cluster: Cluster, clients: int, indices: int) -> float:
    """Indices per second through the leader, each of one shard that a node reports started."""
    store = await open_etcd(cluster.endpoints, prefix=f"/bench/{uuid.uuid4()}")
    control = leader(store)
    await control.start()
    starts_shards(control)
    await control.submit(RegisterNode(node=NODE, fresh=True))
    found = await rate(lambda number: control.submit(CreateIndex(name=f"i{number}")), indices, clients)
    await control.stop()
    await store.close()
    return found[0]


async def measure(cluster: Cluster, writes: int, rounds: int) -> None:
    figures: Figures = {}
    store = await open_etcd(cluster.endpoints, prefix=f"/bench/{uuid.uuid4()}")
    lease = await store.acquire("bench", 0, 60)
    assert lease is not None
    for _ in range(rounds):
        for in_flight, what in itertools.product((1, 64, 256), ("puts", "creates")):
            write = bare(store) if what == "puts" else creating(store, lease.epoch)
            many = writes if in_flight > 1 else writes // 10
            a_second, latency = await rate(write, many, in_flight)
            figures.setdefault(f"{what}, {in_flight} in flight: a second", []).append(a_second)
            figures.setdefault(f"{what}, {in_flight} in flight: p50 ms", []).append(latency)
        figures.setdefault("create until seen on a watch: p50 ms", []).append(await until_seen(store, writes // 10))
        figures.setdefault("indices a second, 64 clients", []).append(await index_creations(cluster, 64, writes // 6))
    await store.close()
    for name, values in figures.items():
        print(f"{name:40} {statistics.median(values):10.2f}   ({', '.join(f'{value:.1f}' for value in values)})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, default=3)
    parser.add_argument("--writes", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with Cluster.temporary(options.members, fsync=True) as cluster:
        asyncio.run(measure(cluster, options.writes, options.rounds))


if __name__ == "__main__":
    main()
