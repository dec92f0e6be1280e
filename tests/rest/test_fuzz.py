"""Broken requests, a bounded number: none gets a 5xx, an error without text, or no answer. `python -m tools.fuzz` sends more."""

from __future__ import annotations

import random
import re

import pytest

from tests.support import fuzz
from tests.support.client import Client
from tests.support.fuzz import Case, Seen
from tests.support.node import Node

GROUPS = {f"transcript {number}": group for number, group in enumerate(fuzz.recorded())} | {"routes": fuzz.routed()}
EACH = 2
MOST = 600 << 20
"""Bytes that the process may hold in memory afterwards."""


def _send(client: Client, case: Case) -> Seen:
    headers = dict(case.headers)
    if case.body and ("_bulk" in case.path or "_msearch" in case.path):
        headers.setdefault("Content-Type", "application/x-ndjson")
    answer = client.call(case.method, case.path, case.body or None, headers)
    return Seen(answer.status, fuzz.plain(answer.data))


@pytest.mark.parametrize("name", GROUPS)
def test_broken_requests(client: Client, node: Node, name: str) -> None:
    chance = random.Random(name)
    problems = []
    client.call("DELETE", "/*")
    client.call("PUT", "/fuzz/_doc/1?refresh=true", {"t": "x", "k": "y", "i": 1})
    for whole in GROUPS[name]:
        for case in [*(fuzz.broken(whole, chance) for _ in range(EACH)), whole]:
            problem = fuzz.problem(case, _send(client, case), patience=60)
            if problem:
                problems.append(f"{problem}: {case}")
    assert node.running
    assert not problems, "\n".join(problems)
    assert "Traceback" not in node.log.read_text(errors="replace")


def test_afterwards_the_node_is_not_bloated(node: Node) -> None:
    with open(f"/proc/{node.pid}/status") as status:
        found = re.search(r"VmRSS:\s+(\d+) kB", status.read())
    assert found is not None
    assert int(found[1]) << 10 < MOST
