"""Sends broken requests to a running node and prints what it should not have answered.

    python -m tools.fuzz http://127.0.0.1:9200 --rounds 20 --seed 3
    python -m tools.fuzz http://127.0.0.1:9200 --other http://127.0.0.1:19200      (what the two judge differently)

A finding is a 5xx, an error that does not say what is wrong, an answer that takes too long, or none at all. With `--other` also what one
accepts and the other refuses. The node's indices are wiped.
"""

from __future__ import annotations

import argparse
import http.client
import random
import time
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

from tests.support import fuzz
from tests.support.fuzz import Case


class Target:
    """A node by its URL."""

    def __init__(self, url: str, patience: float) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=patience)

    def send(self, case: Case) -> fuzz.Seen:
        started = time.monotonic()
        headers = dict(case.headers)
        if case.body:
            lines = "_bulk" in case.path or "_msearch" in case.path
            headers.setdefault("Content-Type", "application/x-ndjson" if lines else "application/json")
        for attempt in (1, 2):
            try:
                self._connection.request(case.method, case.path, case.body or None, headers)
                response = self._connection.getresponse()
                return fuzz.Seen(response.status, fuzz.plain(response.read()), time.monotonic() - started)
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                if attempt == 2 or isinstance(error, TimeoutError):
                    return fuzz.Seen(0, repr(error).encode(), time.monotonic() - started)
        raise AssertionError


def cases(chance: random.Random, each: int, only: str) -> Iterator[Case]:
    """Whole requests keep the state going; each comes with broken ones before it."""
    groups = [*fuzz.recorded(), fuzz.routed()]
    for group in groups:
        yield Case("DELETE", "/*")
        yield Case("PUT", "/fuzz/_doc/1?refresh=true", b'{"t": "x", "k": "y", "i": 1}')
        for case in group:
            if only in case.path:
                for _ in range(each):
                    yield fuzz.broken(case, chance)
            yield case


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("--other", help="a second node to compare with")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--each", type=int, default=4, help="broken requests for each whole one")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="breaks only requests whose path has this in it")
    parser.add_argument("--patience", type=float, default=10.0, help="seconds for an answer")
    args = parser.parse_args()
    ours = Target(args.url, args.patience)
    theirs = Target(args.other, args.patience) if args.other else None
    count, found = 0, set[tuple[str, str, str]]()
    with suppress(KeyboardInterrupt):
        for number in range(args.rounds):
            chance = random.Random(args.seed * 1_000_003 + number)
            for case in cases(chance, args.each, args.only):
                count += 1
                seen = ours.send(case)
                problem = fuzz.problem(case, seen)
                if theirs is not None and problem is None:
                    problem = fuzz.difference(seen, theirs.send(case))
                key = (problem or "", case.what, case.path.partition("?")[0])
                if problem and key not in found:
                    found.add(key)
                    print(f"{problem}\n    {case}\n    {seen.data[:400]!r}", flush=True)
    print(f"{count} requests, {len(found)} findings")


if __name__ == "__main__":
    main()
