"""The kernel alone, in this process: the same bulks and searches without HTTP, coordinator and control plane."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import quidditch_kernel as kernel
from benchmarks.corpus import MAPPINGS
from quidditch import mapping


class Alone:
    """One shard of the benchmark's index."""

    def __init__(self, folder: Path, index: str) -> None:
        self._index = index
        self._runtime = kernel.Runtime(b"{}")
        compiled = kernel.Mapping(mapping.parse(MAPPINGS).kernel_json(), b"{}")
        config = {
            "index": index,
            "uuid": "bench",
            "shard": 0,
            "primary_term": 1,
            "durability": "request",
            "refresh_interval_ms": 1000,
        }
        self.shard = kernel.Shard.open(self._runtime, str(folder), json.dumps(config).encode(), compiled)

    def bulk(self, bodies: Sequence[bytes], threads: int) -> float:
        """Seconds for all bodies: split, route, apply with fsync, render."""
        target = {
            "index": self._index,
            "uuid": "bench",
            "shards": 1,
            "routing_shards": 1024,
            "partition_size": 1,
            "total_copies": 1,
        }
        targets = json.dumps({self._index: target}).encode()

        def run(body: bytes) -> None:
            parsed = kernel.split_bulk(body, None, b"{}")
            results = [(slice, self.shard.bulk(slice)) for _, _, slice in parsed.route(targets, b"{}")]
            _, failed = parsed.render(results, 0)
            assert not failed

        with ThreadPoolExecutor(threads) as pool:
            start = time.perf_counter()
            list(pool.map(run, bodies))
            return time.perf_counter() - start

    def close(self) -> None:
        self.shard.close()
        self._runtime.close()
