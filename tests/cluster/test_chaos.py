"""Metadata changes while nodes are killed, paused, cut off and restarted: never two acting leaders, nothing acknowledged lost, what clients
heard of each index name can have happened one after the other.
"""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator

import pytest
from tests.support import chaos, etcd, faults
from tests.support.chaos import Workload
from tests.support.cluster import Running
from tests.support.write_history import Recorder

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Running]:
    with Running.temporary(masters=3, data=2) as running:
        chaos.prepare(running)
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
    faults.happen(fault, cluster, workload, random.Random(number))
    chaos.healed(cluster)
    chaos.judge(cluster, workload, recorder)
    if fault == "nothing":
        assert not workload.answers["unknown"], workload.answers


def test_masters_that_are_cut_off() -> None:
    """In a process of its own, whose threads all are in the middle of the nodes' networks."""
    etcd.required()
    command = [
        sys.executable,
        "-m",
        "tests.chaos",
        "--rounds",
        "2",
        "--fault",
        "leader cut off",
        "--fault",
        "follower cut off",
    ]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode == 3:
        pytest.skip(ran.stderr.strip())
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
