"""How long writes wait when the node of a primary is killed or hangs: `python -m benchmarks.failover [rounds]`.

Real processes on this machine: one master, three data nodes, one shard with one replica. Each round kills (SIGKILL) or stops (SIGSTOP)
the node that has the primary and counts the time until the next write is acknowledged; then the node comes back and the copies heal.
"""

from __future__ import annotations

import signal
import statistics
import sys
import time
from typing import Any

from tests.support.cluster import Running, until

INDEX = "failover"
KINDS = {"killed": signal.SIGKILL, "hanging": signal.SIGSTOP}


def copies(cluster: Running, asked: str) -> dict[str, str]:
    """Node by role, of the copies that are started."""
    _, rows = cluster.call(asked, "GET", f"/_cat/shards/{INDEX}?format=json")
    return {row["prirep"]: row["node"] for row in rows if row["state"] == "STARTED"}


def one_round(cluster: Running, nodes: list[str], with_signal: int) -> float:
    until(lambda: len(copies(cluster, nodes[0])) == 2, 120)
    where = copies(cluster, nodes[0])
    asked = next(name for name in nodes if name not in where.values())
    write: Any = ("PUT", f"/{INDEX}/_doc/1?timeout=30s", {"n": 1})
    assert cluster.call(asked, *write)[0] < 300
    began = time.perf_counter()
    cluster.kill(where["p"], with_signal)
    while cluster.call(asked, *write)[0] >= 300:
        pass
    took = time.perf_counter() - began
    if with_signal == signal.SIGKILL:
        cluster.start(where["p"])
    else:
        cluster.kill(where["p"], signal.SIGCONT)
    return took


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 25
    with Running.temporary(masters=1, data=3) as cluster:
        nodes = cluster.names("data")
        cluster.call(nodes[0], "PUT", f"/{INDEX}", {"settings": {"number_of_replicas": 1}})
        for kind, with_signal in KINDS.items():
            took = sorted(one_round(cluster, nodes, with_signal) for _ in range(rounds))
            print(f"{kind}: {rounds} rounds, p50 {statistics.median(took):.2f} s, max {took[-1]:.2f} s", flush=True)


if __name__ == "__main__":
    main()
