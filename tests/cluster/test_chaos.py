"""Metadata changes while nodes are killed, paused, cut off and restarted: never two acting leaders, nothing acknowledged lost, what clients
heard of each index name can have happened one after the other.
"""

from __future__ import annotations

import itertools
import signal
from collections.abc import Iterator

import pytest
from tests.support import chaos
from tests.support.chaos import Workload
from tests.support.cluster import Running
from tests.support.write_history import Recorder

pytestmark = pytest.mark.timeout(300)
_numbers = itertools.count()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Running]:
    with Running.temporary(masters=3, data=2) as running:
        chaos.prepare(running)
        yield running


@pytest.fixture(scope="module")
def recorder(cluster: Running) -> Iterator[Recorder]:
    with Recorder(cluster.etcd_endpoints()).running() as recorder:
        yield recorder


@pytest.fixture
def workload(cluster: Running) -> Workload:
    number = next(_numbers)
    return Workload({member.name: member.url for member in cluster.cluster.members}, number, prefix=f"race{number}")


def judged(cluster: Running, workload: Workload, recorder: Recorder) -> None:
    chaos.healed(cluster)
    chaos.judge(cluster, workload, recorder)


def test_without_any_fault(cluster: Running, recorder: Recorder, workload: Workload) -> None:
    with workload.running():
        workload.more(150)
    judged(cluster, workload, recorder)
    assert not workload.answers["unknown"], workload.answers


@pytest.mark.parametrize("whom", ["leader", "follower", "data node"])
def test_a_node_is_killed(cluster: Running, recorder: Recorder, workload: Workload, whom: str) -> None:
    leader = cluster.leader()
    follower = next(name for name in cluster.names("master") if name != leader)
    victim = {"leader": leader, "follower": follower, "data node": "data-2"}[whom]
    with workload.running(unread=[victim]):
        workload.more(30)
        with workload.shaken():
            cluster.kill(victim)
        workload.more(60)
        cluster.start(victim)
        workload.more(30)
    judged(cluster, workload, recorder)


def test_the_leader_is_stopped_and_wakes(cluster: Running, recorder: Recorder, workload: Workload) -> None:
    leader = cluster.leader()
    with workload.running(unread=[leader]):
        workload.more(30)
        with workload.shaken():
            cluster.kill(leader, signal.SIGSTOP)
            try:
                with workload.avoiding(leader):
                    workload.more(60)
                assert cluster.leader() != leader
            finally:
                cluster.kill(leader, signal.SIGCONT)
        workload.more(60)
    judged(cluster, workload, recorder)


def test_all_nodes_are_killed(cluster: Running, recorder: Recorder, workload: Workload) -> None:
    names = [member.name for member in cluster.cluster.members]
    with workload.running():
        workload.more(30)
        with workload.shaken():
            for name in names:
                cluster.kill(name)
            cluster.start(*names)
        workload.more(60)
    judged(cluster, workload, recorder)


def test_nodes_are_restarted_one_after_the_other(cluster: Running, recorder: Recorder, workload: Workload) -> None:
    with workload.running():
        for name in [*cluster.names("master"), "data-1"]:
            with workload.shaken():
                cluster.stop(name)
            cluster.start(name)
        workload.more(10)
    judged(cluster, workload, recorder)
