"""How fast is Quidditch beside its kernel alone and a real OpenSearch? Writes docs/benchmarks.md.

python -m benchmarks --documents 60000 --seconds 2
python -m benchmarks --no-opensearch --shape 'match, 1 word'
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.support.node import Node

from benchmarks import edge, load, opensearch, report, shapes
from benchmarks.corpus import MAPPINGS, Corpus
from benchmarks.corpus import load as load_corpus
from benchmarks.kernel import Alone

INDEX = "bench"
CLIENTS = 4
CHEAP = "term on a keyword"
"""Its searches cost the kernel little and run on the event loop's thread: what else they cost is the edge's."""


def call(url: str, method: str, path: str, body: Any = None) -> Any:
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url + path, data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=600) as response:
        return json.loads(response.read())


def index_all(url: str, corpus: Corpus) -> float:
    """Seconds of `_bulk` with fsync per request, one shard, no replica."""
    settings = {"number_of_shards": 1, "number_of_replicas": 0}
    call(url, "PUT", f"/{INDEX}", {"settings": settings, "mappings": MAPPINGS})
    seconds = load.bulk(url, corpus.bodies(INDEX), CLIENTS)
    call(url, "POST", f"/{INDEX}/_refresh")
    call(url, "POST", f"/{INDEX}/_forcemerge?max_num_segments=1")
    call(url, "POST", f"/{INDEX}/_refresh")
    return seconds


def search_all(url: str, bodies: dict[str, list[bytes]], seconds: float) -> dict[str, report.Search]:
    found = {}
    for name, variants in bodies.items():
        requests = _requests(variants)
        taken = sorted(load.latencies(url, requests, seconds))
        rate = load.throughput(url, requests, 8, seconds)
        found[name] = report.Search(statistics.median(taken) * 1e3, taken[int(len(taken) * 0.99)] * 1e3, rate)
    return found


def _requests(bodies: list[bytes]) -> list[bytes]:
    return [load.post(f"/{INDEX}/_search?request_cache=false", body) for body in bodies]


def start_and_idle(folder: Path) -> tuple[float, float]:
    """Seconds from exec to the first answer (median of five), idle memory in MiB."""
    taken = []
    for number in range(5):
        node = Node(folder / f"start{number}")
        before = time.perf_counter()
        node.start()
        taken.append(time.perf_counter() - before)
        memory = _rss(node.pid)
        node.stop()
    return statistics.median(taken), memory


def _rss(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each shape and engine, twice")
    parser.add_argument("--shape", action="append", help="only this shape")
    parser.add_argument("--no-opensearch", action="store_true")
    parser.add_argument("--output", type=Path, default=Path("docs/benchmarks.md"))
    args = parser.parse_args()
    corpus = load_corpus(args.documents)
    bodies = {name: found for name, found in shapes.bodies(corpus).items() if not args.shape or name in args.shape}
    folder = Path(tempfile.mkdtemp(prefix="quidditch-bench-"))
    result = report.Result(corpus.name, sum(map(len, corpus.bodies(INDEX))) / 1e6, len(corpus.documents))
    try:
        with ExitStack() as stack:
            print("start", flush=True)
            result.start, result.idle = start_and_idle(folder)
            print("kernel alone", flush=True)
            alone = Alone(folder / "kernel", INDEX)
            result.kernel_bulk = alone.bulk(corpus.bodies(INDEX), CLIENTS)
            alone.close()
            print("quidditch", flush=True)
            node = stack.enter_context(Node(folder / "node"))
            result.bulk = index_all(node.url, corpus)
            if not args.no_opensearch:
                _compare(folder, corpus, bodies, args.seconds, result)
            result.search = search_all(node.url, bodies, args.seconds)
            result.loaded = _rss(node.pid)
            if CHEAP in bodies:
                result.edge = edge.python_share(node.url, node.pid, INDEX, _requests(bodies[CHEAP]), args.seconds)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    args.output.write_text(report.render(result))
    print(report.render(result))


def _compare(
    folder: Path,
    corpus: Corpus,
    bodies: dict[str, list[bytes]],
    seconds: float,
    result: report.Result,
) -> None:
    print("opensearch", flush=True)
    home = folder / "peer"
    home.mkdir()
    folder.chmod(0o755)
    with opensearch.running(home) as url:
        if url is None:
            return
        index_all(url, corpus)  # warms the virtual machine up
        call(url, "DELETE", f"/{INDEX}")
        result.peer_bulk = index_all(url, corpus)
        search_all(url, bodies, seconds / 2)
        result.peer_search = search_all(url, bodies, seconds)


if __name__ == "__main__":
    main()
