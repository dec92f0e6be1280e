"""A cluster of real masters and data nodes: it forms, changes from anywhere are seen everywhere, and no acknowledged one is lost."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from tests.support.cluster import Running, until

from quidditch.cli.local_cluster import running

pytestmark = pytest.mark.timeout(300)
BODY = {"settings": {"number_of_shards": 2, "number_of_replicas": 0}}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Running]:
    with Running.temporary(masters=3, data=2) as running:
        yield running


def indices(cluster: Running, name: str) -> set[str]:
    status, rows = cluster.call(name, "GET", "/_cat/indices?format=json&h=index")
    assert status == 200
    return {row["index"] for row in rows}


def create(cluster: Running, name: str, index: str) -> None:
    status, body = cluster.call(name, "PUT", f"/{index}?timeout=60s&cluster_manager_timeout=60s", BODY)
    assert (status, body.get("acknowledged")) == (200, True), body


def everywhere(cluster: Running, wanted: set[str]) -> None:
    for member in cluster.cluster.members:
        until(lambda name=member.name: wanted <= indices(cluster, name))


def test_all_nodes_see_each_other_and_one_leader(cluster: Running) -> None:
    names = {member.name for member in cluster.cluster.members}
    leaders = set()
    for name in names:
        _, rows = cluster.call(name, "GET", "/_cat/nodes?format=json&h=name")
        assert {row["name"] for row in rows} == names
        leaders.add(cluster.leader(name))
    assert len(leaders) == 1


def test_a_change_by_one_node_is_in_force_on_all_when_it_is_answered(cluster: Running) -> None:
    for number, name in enumerate([member.name for member in cluster.cluster.members]):
        create(cluster, name, f"seen-{number}")
        for other in cluster.cluster.members:
            assert f"seen-{number}" in indices(cluster, other.name)
    _, rows = cluster.call("data-1", "GET", "/_cat/shards/seen-0?format=json&h=node,state")
    assert {row["node"] for row in rows} == {"data-1", "data-2"}


def test_a_killed_leader_is_replaced_and_comes_back_from_its_disk(cluster: Running) -> None:
    create(cluster, "data-1", "before")
    first = cluster.leader()
    cluster.kill(first)
    create(cluster, "data-2", "after")
    assert cluster.leader() != first
    cluster.start(first)
    everywhere(cluster, {"before", "after"})
    status, body = cluster.call(first, "PUT", "/before", BODY)
    assert (status, body["error"]["type"]) == (400, "resource_already_exists_exception")


def test_a_stopped_leader_is_deposed_and_obeys_when_it_wakes(cluster: Running) -> None:
    first = cluster.leader()
    cluster.kill(first, signal.SIGSTOP)
    try:
        create(cluster, "data-1", "meanwhile")
        second = cluster.leader()
        assert second != first
    finally:
        cluster.kill(first, signal.SIGCONT)
    until(lambda: "meanwhile" in indices(cluster, first))
    create(cluster, first, "awake")
    assert cluster.leader(first) == cluster.leader("data-1")
    everywhere(cluster, {"meanwhile", "awake"})


def test_a_data_node_that_comes_back_opens_its_shards_from_its_own_disk(cluster: Running) -> None:
    create(cluster, "data-1", "kept")
    cluster.kill("data-2")

    def red() -> bool:
        _, health = cluster.call("data-1", "GET", "/_cluster/health/kept")
        return bool(health["status"] == "red")

    until(red)
    cluster.start("data-2")
    status, health = cluster.call("data-1", "GET", "/_cluster/health/kept?wait_for_status=green&timeout=60s")
    assert (status, health["status"]) == (200, "green")
    _, rows = cluster.call("data-1", "GET", "/_cat/shards/kept?format=json&h=node,state")
    assert sorted((row["node"], row["state"]) for row in rows) == [("data-1", "STARTED"), ("data-2", "STARTED")]


def test_a_full_restart_forgets_nothing(cluster: Running) -> None:
    before = indices(cluster, "data-1")
    _, about = cluster.call("data-1", "GET", "/")
    names = [member.name for member in cluster.cluster.members]
    for name in names:
        cluster.kill(name)
    cluster.start(*names)
    everywhere(cluster, before)
    status, body = cluster.call("data-2", "GET", "/_cluster/health?wait_for_status=green&timeout=60s")
    assert status == 200, body
    assert cluster.call("data-2", "GET", "/")[1]["cluster_uuid"] == about["cluster_uuid"]


def test_a_master_whose_etcd_is_gone_founds_no_second_cluster(cluster: Running) -> None:
    master = next(name for name in cluster.names("master") if name != cluster.leader())
    cluster.kill(master)
    folder = cluster.cluster.folder / master
    (folder / "etcd").rename(folder / "moved")
    member = cluster.cluster[master]
    cluster.cluster.start(member)
    log = cluster.cluster.log(member)
    until(lambda: not running(member))
    assert "would make a second cluster" in log.read_text(errors="replace")
    assert not (folder / "etcd").exists()
    (folder / "moved").rename(folder / "etcd")
    cluster.start(master)
