"""`python -m tests.compat`: OpenSearch's REST tests against a node, a table at the end.

Examples:
    python -m tests.compat --url http://127.0.0.1:9200 --family count --family bulk
    python -m tests.compat --match 'search/10' --verbose
    python -m tests.compat --table docs/compatibility.md      (starts a node of its own)
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.compat import artifact, report
from tests.compat.runner import spec, suite
from tests.compat.runner.client import Client
from tests.support.node import Node

SKIPS = Path(__file__).parent / "skips.txt"


@contextmanager
def _node(url: str | None) -> Iterator[str]:
    if url:
        yield url
        return
    with Node.temporary(report.NODE) as node:
        yield node.url


def _print(outcome: suite.Outcome) -> None:
    reason = f"\n         {outcome.reason}" if outcome.reason else ""
    print(f"{outcome.state.upper():8}{outcome.test.id}{reason}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.compat", description="OpenSearch's REST tests against a node"
    )
    parser.add_argument("--url", help="a running node; without it one is started")
    parser.add_argument(
        "--family", action="append", help="only this family (repeatable); `issue` stands for those that make test runs"
    )
    parser.add_argument("--match", help="only tests whose id matches this regular expression")
    parser.add_argument("--verbose", action="store_true", help="one line for each test, reasons of failures")
    parser.add_argument("--failures", type=Path, help="write the ids of failed tests to this file")
    parser.add_argument("--table", type=Path, help="write the table of results to this file")
    args = parser.parse_args()
    families = [name for family in args.family or [] for name in (report.FAMILIES if family == "issue" else [family])]
    folder = artifact.fetch()
    apis = spec.load(folder / "api")
    outcomes = []
    with _node(args.url) as url:
        client = Client(url)
        version = report.version(client)
        skips = suite.read_skips(SKIPS)
        for test in suite.collect(folder / "test", families or None, args.match):
            suite.wipe(client)
            outcome = suite.run(test, apis, client, version, skips)
            outcomes.append(outcome)
            if args.verbose or (outcome.state == "failed" and sys.stdout.isatty()):
                _print(outcome)
        suite.wipe(client)
    if args.failures:
        args.failures.write_text("".join(f"{outcome.test.id}\n" for outcome in outcomes if outcome.state == "failed"))
    if args.table:
        args.table.write_text(report.table(outcomes))
    counts = Counter(outcome.state for outcome in outcomes)
    print(f"compat: {counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
