"""The families of OpenSearch's REST tests that must not break, against a real process.

`known_failures.txt` lists what does not pass yet; a test that is not on the list and fails is a regression.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.compat import artifact, report
from tests.compat.runner import spec, suite
from tests.compat.runner.client import Client
from tests.support.node import Node

HERE = Path(__file__).parent
KNOWN = frozenset((HERE / "known_failures.txt").read_text().splitlines())


@pytest.fixture(scope="module")
def folder() -> Path:
    try:
        return artifact.fetch()
    except artifact.Unavailable as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with Node.temporary(report.NODE) as node, closing(Client(node.url)) as client:
        yield client


@pytest.mark.timeout(300)
@pytest.mark.parametrize("family", report.FAMILIES)
def test_family(family: str, folder: Path, client: Client) -> None:
    apis = spec.load(folder / "api")
    version = report.version(client)
    skips = suite.read_skips(HERE / "skips.txt")
    unexpected = []
    for test in suite.collect(folder / "test", [family]):
        suite.wipe(client)
        outcome = suite.run(test, apis, client, version, skips)
        if outcome.state == "failed" and test.id not in KNOWN:
            unexpected.append(f"{test.id}: {outcome.reason}")
    assert not unexpected
