"""A whole cluster for the tests of this folder."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tools.kube import network
from tools.kube.cluster import BINARIES
from tools.kube.running import Running

from tests.kube.support import Namespace
from tests.support.etcd import Missing
from tests.support.kube import required


@pytest.fixture(scope="session")
def kube() -> Iterator[Running]:
    """A cluster of three nodes in three zones; what a test does to it, it undoes. Skipped where it cannot be had."""
    required(BINARIES)
    try:
        network.required()
    except Missing as missing:
        pytest.skip(str(missing))
    folder = Path(tempfile.mkdtemp(prefix="quidditch-kube-"))
    running = Running(folder)
    try:
        running.start(with_parent=True)
        yield running
    finally:
        running.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def namespace(kube: Running, request: pytest.FixtureRequest) -> Iterator[Namespace]:
    """One of the test's own, deleted at its end."""
    made = Namespace(kube, request.node.name)
    yield made
    made.close()
