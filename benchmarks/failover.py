"""How long writes wait when the node of a primary is killed, hangs or is cut off: `python -m benchmarks.failover [rounds]`.

Real processes on this machine: one master, three data nodes, one shard with one replica. Each round kills (SIGKILL), stops (SIGSTOP) or
cuts off (nothing passes, nobody is told; needs root and `ip`) the node that has the primary and counts the time until the next write is
acknowledged; then the node comes back and the copies heal.
"""

from __future__ import annotations

import contextlib
import signal
import statistics
import sys
import time
from typing import Any

from tests.support import netns
from tests.support.cluster import Running, until

INDEX = "failover"
KINDS = ("killed", "hanging", "cut off")


def copies(cluster: Running, asked: str) -> dict[str, str]:
    """Node by role, of the copies that are started."""
    _, rows = cluster.call(asked, "GET", f"/_cat/shards/{INDEX}?format=json")
    return {row["prirep"]: row["node"] for row in rows if row["state"] == "STARTED"}


def fail(cluster: Running, name: str, kind: str) -> None:
    if kind == "cut off":
        assert cluster.networks is not None
        cluster.networks.cut(name)
    else:
        cluster.kill(name, signal.SIGKILL if kind == "killed" else signal.SIGSTOP)


def heal(cluster: Running, name: str, kind: str) -> None:
    if kind == "cut off":
        assert cluster.networks is not None
        cluster.networks.mend(name)
    elif kind == "killed":
        cluster.start(name)
    else:
        cluster.kill(name, signal.SIGCONT)


def one_round(cluster: Running, nodes: list[str], kind: str) -> float:
    until(lambda: len(copies(cluster, nodes[0])) == 2, 120)
    where = copies(cluster, nodes[0])
    asked = next(name for name in nodes if name not in where.values())
    write: Any = ("PUT", f"/{INDEX}/_doc/1?timeout=30s", {"n": 1})
    assert cluster.call(asked, *write)[0] < 300
    began = time.perf_counter()
    fail(cluster, where["p"], kind)
    while cluster.call(asked, *write)[0] >= 300:
        pass
    took = time.perf_counter() - began
    heal(cluster, where["p"], kind)
    return took


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    with contextlib.ExitStack() as stack:
        networks = None
        try:
            networks = stack.enter_context(netns.Networks.temporary())
            stack.enter_context(networks.inside())
        except netns.Missing as missing:
            print(f"nothing is cut off: {missing}", flush=True)
        cluster = stack.enter_context(Running.temporary(masters=1, data=3, networks=networks))
        nodes = cluster.names("data")
        cluster.call(nodes[0], "PUT", f"/{INDEX}", {"settings": {"number_of_replicas": 1}})
        for kind in KINDS:
            if kind == "cut off" and networks is None:
                continue
            took = sorted(one_round(cluster, nodes, kind) for _ in range(rounds))
            print(f"{kind}: {rounds} rounds, p50 {statistics.median(took):.2f} s, max {took[-1]:.2f} s", flush=True)


if __name__ == "__main__":
    main()
