"""What do a replica, a full copy and a short absence cost? Writes docs/benchmarks-replication.md.

python -m benchmarks.replication
python -m benchmarks.replication --documents 5000 --size 64 --operations 1000 --rounds 1 --output /tmp/replication.md
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

from tests.support.cluster import Running, until

from benchmarks import load
from benchmarks.__main__ import call
from benchmarks.corpus import MAPPINGS, Corpus
from benchmarks.corpus import load as load_corpus
from benchmarks.processes import Watch, bare_copy
from benchmarks.replication_report import Away, Bare, Bulk, Copy, Figures, render
from quidditch.cli.local_cluster import running

CLIENTS = 4
PRIMARY, REPLICA = "data-1", "data-2"
BIG = "big"
_PER_BULK = 500
_IDLE_SECONDS = 1.0
_IDLE_SHARE = 0.04
"""A node that takes no more of a core has no merge under way."""


class Bench:
    """One cluster and what is measured on it."""

    def __init__(self, cluster: Running, corpus: Corpus) -> None:
        self._cluster = cluster
        self._corpus = corpus
        self._url = cluster.cluster[PRIMARY].url
        self.figures = Figures(corpus.name, CLIENTS)
        self._bodies = cycle(corpus.bodies(BIG, _PER_BULK))
        self._settings(**{"indices.recovery.max_bytes_per_sec": "0", "cluster.routing.rebalance.enable": "none"})

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        return call(self._url, method, path, body)

    def _settings(self, **persistent: Any) -> None:
        self._call("PUT", "/_cluster/settings", {"persistent": persistent})

    def _pids(self) -> list[int]:
        """Of the data nodes that run, the primary's first."""
        members = [self._cluster.cluster[name] for name in (PRIMARY, REPLICA)]
        return [member.pid for member in members if running(member)]

    def _green(self, index: str) -> None:
        told = self._call("GET", f"/_cluster/health/{index}?wait_for_status=green&timeout=300s")
        if told["timed_out"]:
            raise RuntimeError(f"[{index}] does not get green: {told}")

    def _create(self, index: str) -> None:
        """One shard, its primary on the node that has to have it."""
        settings = {
            "number_of_shards": 1,
            "number_of_replicas": 0,
            "routing.allocation.require._name": PRIMARY,
            "unassigned.node_left.delayed_timeout": "1h",
        }
        self._call("PUT", f"/{index}", {"settings": settings, "mappings": MAPPINGS})
        self._green(index)
        self._call("PUT", f"/{index}/_settings", {"index.routing.allocation.require._name": None})

    def _replicas(self, index: str, count: int) -> None:
        self._call("PUT", f"/{index}/_settings", {"index.number_of_replicas": count})

    def _still(self, index: str) -> None:
        """What was written is refreshed, and no merge goes on any more."""
        self._call("POST", f"/{index}/_refresh")
        until(self._idle, 600)

    def _idle(self) -> bool:
        """Whether the nodes did hardly anything for a while."""
        with Watch(self._pids()) as watch:
            time.sleep(_IDLE_SECONDS)
        return max(watch.cpu) < _IDLE_SHARE * _IDLE_SECONDS

    # --- bulk ---------------------------------------------------------------------------------------------------------

    def bulk(self, replicas: int) -> None:
        self._create("bulk")
        self._replicas("bulk", replicas)
        self._green("bulk")
        self.figures.bulks[replicas].append(self._write("bulk", self._corpus.bodies("bulk", _PER_BULK)))
        self._call("DELETE", "/bulk")

    def _write(self, index: str, bodies: list[bytes]) -> Bulk:
        count = sum(body.count(b"\n") // 2 for body in bodies)
        with Watch(self._pids()) as watch:
            seconds = load.bulk(self._url, bodies, CLIENTS)
            self._still(index)
        return Bulk(count, seconds, watch.cpu[0], sum(watch.cpu[1:]))

    # --- a full copy --------------------------------------------------------------------------------------------------

    def fill(self, megabytes: int) -> None:
        """The shard that is copied: segments as they come to be, nothing merged by force."""
        self._create(BIG)
        while self._flushed() < megabytes * 1e6:
            load.bulk(self._url, list(self._take(40)), CLIENTS)

    def _take(self, count: int) -> Iterator[bytes]:
        for _ in range(count):
            yield next(self._bodies)

    def _flushed(self) -> int:
        """Bytes of all segments on disk, those of everything that was written."""
        self._call("POST", f"/{BIG}/_flush?wait_if_ongoing=true")
        self._still(BIG)
        return sum(path.stat().st_size for path in self._segments(PRIMARY).rglob("*") if path.is_file())

    def copy(self) -> None:
        """A replica comes to be where there is nothing of it."""
        self._replicas(BIG, 0)
        self._green(BIG)
        until(lambda: not self._segments(REPLICA).exists(), 600)
        with Watch(self._pids()) as watch:
            began = time.perf_counter()
            self._replicas(BIG, 1)
            self._green(BIG)
            seconds = time.perf_counter() - began
        told = self._recovery()
        index, size = told["index"], told["index"]["size"]["recovered_in_bytes"] / 1e6
        took = [
            millis / 1e3 for millis in (index["total_time_in_millis"], told["verify_index"]["total_time_in_millis"])
        ]
        self.figures.copies.append(Copy(size, seconds, *took, *watch.cpu, *watch.grown))

    def _recovery(self) -> Any:
        shards = self._call("GET", f"/{BIG}/_recovery")[BIG]["shards"]
        return next(shard for shard in shards if shard["target"]["name"] == REPLICA)

    def _segments(self, node: str) -> Path:
        """The folder with the segments of the shard, on that node."""
        uuid: str = self._call("GET", f"/{BIG}/_settings")[BIG]["settings"]["index"]["uuid"]
        return self._cluster.cluster.folder / node / "nodes/0/indices" / uuid / "0/segments"

    def bare(self) -> None:
        target = Path(tempfile.mkdtemp(prefix="quidditch-bare-", dir=self._cluster.cluster.folder))
        try:
            before = sum(os.times()[:4])
            seconds, megabytes = bare_copy(self._segments(PRIMARY), target / "copy")
            self.figures.bare.append(Bare(megabytes, seconds, sum(os.times()[:4]) - before))
        finally:
            shutil.rmtree(target)

    # --- operations only ----------------------------------------------------------------------------------------------

    def away(self, operations: int) -> None:
        """The node of the replica is away while so many operations are written."""
        self._settings(**{"cluster.routing.allocation.enable": "primaries"})
        self._cluster.stop(REPLICA)
        until(lambda: REPLICA not in [row["name"] for row in self._call("GET", "/_cat/nodes?format=json")])
        bodies = list(self._take(max(operations // _PER_BULK, 1)))
        written = self._write(BIG, bodies)
        self._cluster.start(REPLICA)
        self._still(BIG)
        with Watch(self._pids()) as watch:
            began = time.perf_counter()
            self._settings(**{"cluster.routing.allocation.enable": None})
            self._green(BIG)
            seconds = time.perf_counter() - began
        told = self._recovery()
        if told["index"]["files"]["total"] or told["translog"]["recovered"] < written.operations:
            raise RuntimeError(f"that was no recovery by operations only: {told}")
        self.figures.away.append(Away(written, seconds, *watch.cpu))


def measure(bench: Bench, size: int, operations: int, rounds: int) -> None:
    for _ in range(rounds):
        for replicas in (0, 1):
            bench.bulk(replicas)
            print(bench.figures.bulks[replicas][-1], flush=True)
    bench.fill(size)
    for _ in range(rounds):
        bench.copy()
        bench.bare()
        print(bench.figures.copies[-1], bench.figures.bare[-1], flush=True)
    for count in (operations // 10, operations):
        for _ in range(rounds):
            bench.away(count)
            print(bench.figures.away[-1], flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.replication")
    parser.add_argument("--documents", type=int, default=60_000, help="by bulk, with a replica and without")
    parser.add_argument("--size", type=int, default=1000, help="MB of the shard that is copied")
    parser.add_argument("--operations", type=int, default=30_000, help="missed by a replica; also a tenth of them")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=Path("docs/benchmarks-replication.md"))
    args = parser.parse_args()
    with Running.temporary(masters=1, data=2) as cluster:
        bench = Bench(cluster, load_corpus(args.documents))
        measure(bench, args.size, args.operations, args.rounds)
    args.output.write_text(render(bench.figures))
    print(render(bench.figures))


if __name__ == "__main__":
    main()
