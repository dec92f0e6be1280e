"""What a real OpenSearch answered to the requests in transcripts/, Quidditch answers too.

`transcripts/known.list` names the exchanges that differ so far; one that is not named and differs is a regression.
"""

from __future__ import annotations

import http.client
import json
import math
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from quidditch.model.errors import REQUEST_FAULTS
from tests.support import transcripts
from tests.support.node import Node

FOLDER = Path(__file__).parent / "transcripts"
KNOWN = frozenset((FOLDER / "known.list").read_text().splitlines())
FILES = {file.stem: transcripts.parse(file.read_text())[1] for file in sorted(FOLDER.glob("*.txt"))}
IDS = [f"{name}-{number:03}" for name, exchanges in FILES.items() for number in range(len(exchanges))]


@pytest.fixture(scope="module")
def answers() -> dict[str, str]:
    """Every exchange once, in order; each file on a node of its own."""
    found = {}
    for name, exchanges in FILES.items():
        with ExitStack() as stack:
            node = stack.enter_context(Node.temporary())
            connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=60)
            stack.callback(connection.close)
            for number, exchange in enumerate(exchanges):
                found[f"{name}-{number:03}"] = transcripts.perform(connection, exchange)
    return found


@pytest.mark.parametrize("id", IDS)
def test_answer(id: str, answers: dict[str, str]) -> None:
    name, number = id.rsplit("-", 1)
    exchange = FILES[name][int(number)]
    assert exchange.answer is not None
    same = agree(exchange.answer, answers[id])
    if id in KNOWN and not same:
        pytest.skip("differs so far (known.list)")
    assert same, f"{exchange.name}\nexpected {exchange.answer}\nactual   {answers[id]}"


def agree(expected: str, actual: str) -> bool:
    status, _, body = expected.partition(" ")
    got_status, _, got = actual.partition(" ")
    wanted, found = json.loads(body), json.loads(got)
    if status == "500":  # the request's own fault is 400 here: see REQUEST_FAULTS in model/errors.py
        assert wanted["error"]["root_cause"][0]["type"] in REQUEST_FAULTS
        status = "400"
        wanted["status"] = 400
    return status == got_status and close(wanted, found)


def close(expected: Any, actual: Any) -> bool:
    """Equality, but floats (scores, averages) within 1e-5."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        return expected.keys() == actual.keys() and all(close(expected[key], actual[key]) for key in expected)
    if isinstance(expected, list) and isinstance(actual, list):
        return len(expected) == len(actual) and all(map(close, expected, actual))
    if isinstance(expected, float) and isinstance(actual, float | int) and not isinstance(actual, bool):
        return math.isclose(expected, actual, rel_tol=1e-5)
    return bool(expected == actual)
