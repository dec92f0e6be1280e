"""Masters taken out of a running cluster and added to it: etcd's members follow, the lead is handed over, changes go on."""

from __future__ import annotations

import shutil

import pytest
from tests.support.cluster import Running, until

from quidditch.cli.local_cluster import running

pytestmark = pytest.mark.timeout(300)
EXCLUSIONS = "/_cluster/voting_config_exclusions"
BODY = {"settings": {"number_of_shards": 1, "number_of_replicas": 0}}


def voters(cluster: Running) -> set[str]:
    """The names of the masters that vote; their ids where they are away."""
    _, state = cluster.call("data-1", "GET", "/_cluster/state/metadata,nodes")
    ids = state["metadata"]["cluster_coordination"]["last_committed_config"]
    return {state["nodes"][id]["name"] if id in state["nodes"] else id for id in ids}


def create(cluster: Running, index: str) -> None:
    status, body = cluster.call("data-1", "PUT", f"/{index}?timeout=60s&cluster_manager_timeout=60s", BODY)
    assert (status, body.get("acknowledged")) == (200, True), body


def ends_with(cluster: Running, name: str, message: str) -> None:
    """Starts the node, which has to end with this message."""
    member = cluster.cluster[name]
    cluster.cluster.start(member)
    until(lambda: not running(member))
    assert message in cluster.cluster.log(member).read_text(errors="replace")


def test_masters_leave_and_join_a_running_cluster() -> None:
    with Running.temporary(masters=3, data=1) as cluster:
        masters = set(cluster.names("master"))
        until(lambda: voters(cluster) == masters)
        first = cluster.leader()

        # Out: the leader itself.
        status, body = cluster.call("data-1", "POST", f"{EXCLUSIONS}?node_names={first}&timeout=60s")
        assert (status, body) == (200, None)
        assert voters(cluster) == masters - {first}
        second = until(lambda: (found := cluster.leader()) != first and found)
        create(cluster, "without-the-first")
        status, body = cluster.call("data-1", "DELETE", f"{EXCLUSIONS}?wait_for_removal=false")
        assert status == 200
        assert cluster.leader() == second
        status, _ = cluster.call("data-1", "POST", f"{EXCLUSIONS}?node_names={first}&timeout=60s")
        assert status == 200
        cluster.kill(first)
        status, _ = cluster.call("data-1", "DELETE", EXCLUSIONS)
        assert status == 200

        # In: another one, which then is one of three.
        new = cluster.cluster.add("master")
        cluster.start(new.name)
        until(lambda: voters(cluster) == masters - {first} | {new.name})
        cluster.kill(second)
        create(cluster, "with-the-new")
        cluster.start(second)
        cluster.kill(new.name)
        cluster.start(new.name)
        until(lambda: voters(cluster) == masters - {first} | {new.name})

        # A name is free once its last bearer was taken out, and not before.
        other = next(iter(masters - {first, second}))
        member = cluster.cluster[other]
        cluster.kill(other)
        shutil.rmtree(cluster.cluster.folder / other)
        member.joins = True
        ends_with(cluster, other, f"etcd has a member [{other}] already")
        shutil.rmtree(cluster.cluster.folder / other)
        status, _ = cluster.call("data-1", "POST", f"{EXCLUSIONS}?node_names={other}&timeout=60s")
        assert status == 200
        assert voters(cluster) == {second, new.name}
        status, body = cluster.call("data-1", "DELETE", EXCLUSIONS)
        assert (status, body) == (200, None)
        cluster.start(other)
        until(lambda: voters(cluster) == {second, new.name, other})
        create(cluster, "replaced")
