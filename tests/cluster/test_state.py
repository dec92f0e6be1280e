"""`quidditch state` on real processes: backup while they run, the store lost, restore, and the documents are there again."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tests.support.client import Client
from tests.support.cluster import Running, until
from tests.support.node import Node

pytestmark = pytest.mark.timeout(300)
BODY = {"settings": {"number_of_shards": 1, "number_of_replicas": 0}}


def state(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "quidditch.cli.main", "state", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def done(*arguments: str | Path) -> str:
    answer = state(*arguments)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def refused(*arguments: str | Path) -> str:
    answer = state(*arguments)
    assert (answer.returncode, answer.stdout) == (1, ""), answer
    return answer.stderr


def index(cluster: Running, name: str, documents: int) -> str:
    """An index with documents; its uuid."""
    status, body = cluster.call("data-1", "PUT", f"/{name}?timeout=60s", BODY)
    assert status == 200, body
    for number in range(documents):
        status, body = cluster.call("data-1", "PUT", f"/{name}/_doc/{number}?refresh=true", {"n": number})
        assert status == 201, body
    _, rows = cluster.call("data-1", "GET", f"/_cat/indices/{name}?format=json&h=uuid")
    return str(rows[0]["uuid"])


def count(cluster: Running, name: str) -> int:
    status, body = cluster.call("data-1", "GET", f"/{name}/_count")
    return int(body["count"]) if status == 200 else -1


def test_a_cluster_goes_on_from_a_backup_in_a_new_etcd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Running.temporary(masters=1, data=1) as cluster:
        master = cluster.cluster["master-1"]
        there = ("--endpoints", f"127.0.0.1:{master.etcd}")
        kept_uuid = index(cluster, "kept", 5)
        exported = {
            (tree["kind"], tree["metadata"]["name"]): tree for tree in yaml.safe_load_all(done("export", *there))
        }
        assert exported["Index", "kept"]["spec"]["mappings"]["properties"] == {"n": {"type": "long"}}
        file = tmp_path / "backup"
        done("backup", file, *there)
        assert "is there already" in refused("backup", file, *there)
        later_uuid = index(cluster, "later", 3)
        _, about = cluster.call("data-1", "GET", "/")
        assert "the store is not" in refused("restore", file, *there)

        cluster.kill("master-1")
        shutil.rmtree(cluster.cluster.folder / "master-1")
        cluster.cluster.log(master).unlink()
        monkeypatch.setenv("QUIDDITCH_RAFT_AWAIT_RESTORE", "true")
        cluster.cluster.start(master)
        until(lambda: "waiting for `quidditch state restore`" in cluster.cluster.log(master).read_text())
        done("restore", file, *there)
        cluster.start("master-1")

        status, health = cluster.call("data-1", "GET", "/_cluster/health/kept?wait_for_status=green&timeout=60s")
        assert (status, health["status"]) == (200, "green")
        until(lambda: cluster.call("data-1", "GET", "/later")[0] == 404)
        assert count(cluster, "kept") == 5
        assert cluster.call("data-1", "GET", "/")[1]["cluster_uuid"] == about["cluster_uuid"]
        assert index(cluster, "new", 1)
        status, body = cluster.call("data-1", "PUT", "/kept/_doc/5?refresh=true", {"n": 5})
        assert (status, body["_primary_term"] > 1000) == (201, True)

        folder = cluster.cluster.folder / "data-1" / "nodes" / "0" / "indices"
        cluster.kill("data-1")
        cluster.start("data-1")
        until(lambda: count(cluster, "kept") == 6)
        assert (folder / kept_uuid).is_dir()
        assert any((folder / later_uuid / "0").iterdir()), "what was made after the backup stays on disk"
        status, _ = cluster.call("data-1", "DELETE", "/kept")
        assert status == 200
        until(lambda: not (folder / kept_uuid).exists())


def test_an_embedded_node_goes_on_from_a_backup(tmp_path: Path) -> None:
    with Node.temporary() as node:
        folder = node.data / "data"
        file = tmp_path / "backup"
        with contextlib.closing(Client(node.url)) as client:
            assert client.call("PUT", "/kept/_doc/1?refresh=true", {"n": 1}).status == 201
        done("backup", file, "--data-dir", folder)
        assert "in use by the process" in refused("restore", file, "--data-dir", folder)
        node.stop()
        exported = list(yaml.safe_load_all(done("export", "--data-dir", folder)))
        assert {"Cluster", "Index", "Routing", "Node"} <= {tree["kind"] for tree in exported}
        assert "it holds the cluster [quidditch]" in refused("restore", file, "--data-dir", folder)

        for part in folder.glob("cluster.sqlite*"):
            part.unlink()
        assert "there is no state of a cluster" in refused("export", "--data-dir", folder)
        done("restore", file, "--data-dir", folder)
        node.start()
        with contextlib.closing(Client(node.url)) as client:
            assert client.call("GET", "/_cluster/health?wait_for_status=yellow&timeout=30s").status == 200
            until(lambda: client.call("GET", "/kept/_doc/1").status == 200)


def test_mistakes_are_refused_in_a_sentence(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("something else\n")
    assert "not a backup" in refused("restore", wrong, "--data-dir", tmp_path / "new")
    assert "No such file" in refused("restore", tmp_path / "none", "--data-dir", tmp_path / "new")
    assert not (tmp_path / "new").exists()
    assert "a state is in one place" in refused("export", "--data-dir", tmp_path, "--endpoints", "127.0.0.1:1")
    (tmp_path / "master" / "etcd").mkdir(parents=True)
    assert "the folder of a master" in refused("export", "--data-dir", tmp_path / "master")
