"""Does a long aggregation delay `_cluster/health`? A part of benchmarks.fanout; alone: `python -m benchmarks.health`.

One data node, as a machine has one: several nodes on the same cores, each a session of its own, are let in by turns, whatever their
threads do. The aggregations are asked for by another process, so that what is measured is the node and not the interpreter here.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import statistics
import time

from tests.support.cluster import Running, until

from benchmarks import load
from benchmarks.__main__ import call
from benchmarks.corpus import MAPPINGS, Corpus
from benchmarks.corpus import load as load_corpus

HEAVY = {
    "size": 0,
    "aggs": {
        "d": {
            "terms": {"field": "depends", "size": 10, "shard_size": 3000},
            "aggs": {"m": {"cardinality": {"field": "maintainer"}}},
        }
    },
}
"""An aggregation that keeps a thread of each shard busy for a long time."""
_HEALTH = b"GET /_cluster/health HTTP/1.1\r\nHost: localhost\r\n\r\n"
_SEARCHING = b"GET /_nodes/_local/stats/thread_pool?filter_path=**.search.active HTTP/1.1\r\nHost: localhost\r\n\r\n"
_SHARDS = 8
_PAUSE = 0.005
_ROUNDS = 3


class Figures:
    """p50 and p99 in milliseconds by what goes on meanwhile, the first of which is nothing."""

    def __init__(self) -> None:
        self.heavy_ms = 0.0
        self.taken: dict[str, tuple[float, float]] = {}

    def table(self) -> list[str]:
        idle = next(iter(self.taken.values()))
        lines = [
            f"`_cluster/health` of one data node, asked every {_PAUSE * 1e3:.0f} ms, beside aggregations of {self.heavy_ms:.0f} ms each:",
            "",
            "| beside | p50 ms | p99 ms | p50 / idle | p99 / idle |",
            "|---|--:|--:|--:|--:|",
        ]
        for name, (p50, p99) in self.taken.items():
            lines.append(f"| {name} | {p50:.2f} | {p99:.2f} | {p50 / idle[0]:.2f} | {p99 / idle[1]:.2f} |")
        return lines


def index_all(url: str, corpus: Corpus, shards: int) -> None:
    settings = {"number_of_shards": shards, "number_of_replicas": 0}
    call(url, "PUT", f"/fan{shards}", {"settings": settings, "mappings": MAPPINGS})
    until(lambda: call(url, "GET", f"/_cluster/health/fan{shards}")["status"] == "green")
    load.bulk(url, corpus.bodies(f"fan{shards}"), 4)
    call(url, "POST", f"/fan{shards}/_forcemerge?max_num_segments=1")
    call(url, "POST", f"/fan{shards}/_refresh")


def measure(corpus: Corpus, seconds: float) -> Figures:
    """So many seconds of each, three times in turns."""
    figures = Figures()
    clients = {"nothing": 0, "one after the other": 1, "more of them than cores": 2 * (os.cpu_count() or 1)}
    taken: dict[str, list[float]] = {name: [] for name in clients}
    with Running.temporary(masters=1, data=1) as cluster:
        url = cluster.cluster[cluster.names("data")[0]].url
        index_all(url, corpus, _SHARDS)
        heavy = load.post(f"/fan{_SHARDS}/_search?request_cache=false", json.dumps(HEAVY).encode())
        figures.heavy_ms = statistics.median(load.latencies(url, [heavy], seconds)) * 1e3
        for _ in range(_ROUNDS):
            for name, count in clients.items():
                taken[name] += _beside(url, heavy, count, seconds)
    for name, times in taken.items():
        times.sort()
        figures.taken[name] = times[len(times) // 2] * 1e3, times[int(len(times) * 0.99)] * 1e3
    return figures


def _beside(url: str, heavy: bytes, clients: int, seconds: float) -> list[float]:
    """Seconds of each request for the health while so many clients ask for aggregations."""
    if not clients:
        return _asked(url, seconds)
    spawned = multiprocessing.get_context("spawn")
    others = spawned.Process(target=load.throughput, args=(url, [heavy], clients, 60.0))
    others.start()
    try:
        until(lambda: b'"active":0' not in load.Connection(url).ask(_SEARCHING))
        return _asked(url, seconds)
    finally:
        others.kill()
        others.join()


def _asked(url: str, seconds: float) -> list[float]:
    connection = load.Connection(url)
    connection.ask(_HEALTH)
    taken = []
    end = time.perf_counter() + seconds
    while (before := time.perf_counter()) < end:
        connection.ask(_HEALTH)
        taken.append(time.perf_counter() - before)
        time.sleep(_PAUSE)
    return taken


def main() -> None:
    print("\n".join(measure(load_corpus(60_000), 4.0).table()))


if __name__ == "__main__":
    main()
