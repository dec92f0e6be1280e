"""Metadata and documents change while nodes are killed, paused, cut off and restarted: never two acting leaders, nothing acknowledged
lost, what clients heard of each index name can have happened one after the other, documents are whole, and the same on all copies.
"""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator

import pytest
from tests.chaos import faults, metadata
from tests.chaos.metadata import Workload
from tests.support import etcd
from tests.support.cluster import Running
from tests.support.write_history import Recorder

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Running]:
    with Running.temporary(masters=3, data=2) as running:
        metadata.prepare(running)
        yield running


@pytest.fixture(scope="module")
def recorder(cluster: Running) -> Iterator[Recorder]:
    with Recorder(cluster.etcd_endpoints()).running() as recorder:
        yield recorder


FAULTS = [name for name, fault in faults.FAULTS.items() if not fault.needs_networks and name != "follower paused"]


@pytest.mark.parametrize("fault", FAULTS)
def test_what_clients_hear_agrees_with_what_happened(cluster: Running, recorder: Recorder, fault: str) -> None:
    number = FAULTS.index(fault)
    urls = {member.name: member.url for member in cluster.cluster.members}
    workload = Workload(urls, number, prefix=f"race{number}")
    faults.happen(faults.FAULTS[fault], cluster, workload, random.Random(number))
    faults.healed(cluster)
    metadata.judge(cluster, workload, recorder)
    if fault == "nothing":
        assert not workload.answers["unknown"], workload.answers


def test_masters_that_are_cut_off() -> None:
    _chaos("metadata", "leader cut off", "follower cut off")


def test_documents_while_nodes_are_killed_paused_and_cut_off() -> None:
    _chaos("documents", "data node killed", "data node paused", "data node cut off")


def _chaos(what: str, *names: str) -> None:
    """One round of each, in a process of its own, whose threads all are in the middle of the nodes' networks."""
    etcd.required()
    command = [sys.executable, "-m", "tests.chaos", what, "--rounds", str(len(names))]
    command += [word for name in names for word in ("--fault", name)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode == 3:
        pytest.skip(ran.stderr.strip())
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
