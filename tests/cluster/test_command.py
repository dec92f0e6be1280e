"""`quidditch cluster` as a person uses it: up, kill, status, down, and up again on the same data."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support import etcd
from tests.support.authority import Authority
from tests.support.client import Client
from tests.support.cluster import first_port, until

from quidditch.cli.config import environment_name
from quidditch.rest.users import User, dump, hashed

pytestmark = pytest.mark.timeout(300)
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Command]:
    """Runs `quidditch cluster … --dir …`."""
    etcd.required()
    folder = tmp_path / "cluster"

    def run(*args: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "quidditch.cli.main", "cluster", *args, "--dir", str(folder)]
        return subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)

    yield run
    if (folder / "cluster.json").exists():
        assert run("down").returncode == 0


def test_a_cluster_with_tls_and_users(cluster: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path)
    users = tmp_path / "users.yml"
    users.write_bytes(dump([User("root", "admin", hashed("root's secret"))]))
    for name, value in {**authority.http_settings("node", "127.0.0.1"), "http.users_file": str(users)}.items():
        monkeypatch.setenv(environment_name(name), value)
    up = ("up", "--masters", "1", "--data", "0", "--first-port", str(first_port()))
    assert "certificate of master-1 is not trusted" in refused(cluster(*up))
    monkeypatch.setenv("QUIDDITCH_CACERT", str(authority.ca))
    assert "missing authentication credentials" in refused(cluster("up"))
    for name, value in (("QUIDDITCH_USER", "root"), ("QUIDDITCH_PASSWORD", "root's secret")):
        monkeypatch.setenv(name, value)
    assert "https://127.0.0.1" in cluster("up").stdout
    assert "nothing to wait for" in cluster("status", "--once").stdout


def refused(result: subprocess.CompletedProcess[str]) -> str:
    """The one line that says why."""
    (line,) = result.stderr.strip().splitlines()
    assert (result.returncode, line[:11]) == (1, "quidditch: ")
    return line[11:]


def test_a_cluster_goes_on_where_it_was(cluster: Command) -> None:
    assert "there is no cluster in" in refused(cluster("ps"))
    assert "2 masters survive no more losses than 1" in refused(cluster("up", "--masters", "2"))
    port = str(first_port())
    up = cluster("up", "--masters", "1", "--data", "1", "--first-port", port)
    assert [line.split()[0] for line in up.stdout.splitlines()] == ["master-1", "data-1"], up.stderr
    rows = {row["name"]: row for row in json.loads(cluster("ps", "--json").stdout)}
    assert {(row["role"], row["state"], row["running"]) for row in rows.values()} == {
        ("master", "running", True),
        ("data", "running", True),
    }
    with Client(rows["data-1"]["http"]) as data:
        assert data.call("PUT", "/kept/_doc/1?refresh=true", {"n": 1}).status == 201
    assert "has 1 data nodes, not 2" in refused(cluster("up", "--data", "2"))

    assert "all nodes have ended" in cluster("down").stdout
    assert {row["state"] for row in json.loads(cluster("ps", "--json").stdout)} == {"ended"}
    again = cluster("up", "--masters", "1")
    assert [line.split()[1] for line in again.stdout.splitlines()] == [row["http"] for row in rows.values()]
    with Client(rows["data-1"]["http"]) as data:
        until(lambda: data.call("GET", "/kept/_count").json.get("count") == 1)


def test_status_tells_what_is_wrong(cluster: Command) -> None:
    cluster("up", "--masters", "1", "--data", "1", "--first-port", str(first_port()))
    rows = {row["name"]: row for row in json.loads(cluster("ps", "--json").stdout)}
    with Client(rows["data-1"]["http"]) as data:
        assert data.call("PUT", "/one", {"settings": {"number_of_shards": 2}}).status == 200
    shown = cluster("status").stdout
    assert "quidditch: yellow" in shown
    for copy in ("[one][0]", "[one][1]"):
        assert f"{copy} replica is UNASSIGNED (INDEX_CREATED)" in shown
    assert "why [one][0] replica: cannot allocate because allocation is not permitted to any of the nodes" in shown
    assert "data-1: a copy of this shard is already allocated to this node" in shown

    assert "there is no node [nix]" in refused(cluster("kill", "nix"))
    assert "[FOO] is no signal" in refused(cluster("kill", "data-1", "--signal", "FOO"))
    assert cluster("kill", "data-1", "--signal", "stop").stdout.startswith(f"data-1 (pid {rows['data-1']['pid']}) got")
    assert "data-1 is stopped by a signal" in refused(cluster("start", "data-1"))
    assert cluster("kill", "data-1", "--signal", "CONT").returncode == 0

    assert cluster("kill", "master-1").returncode == 0
    until(lambda: "no master leads" in cluster("status").stdout)
    assert "master-1: its process is ended" in cluster("status").stdout
    with Client(rows["data-1"]["http"]) as data:
        local = data.call("GET", "/_cluster/health?local=true")
        assert (local.status, local.json["discovered_cluster_manager"]) == (200, False)
        anywhere = data.call("GET", "/_cluster/health?master_timeout=100ms")
        assert (anywhere.status, anywhere.json["error"]["type"]) == (503, "cluster_manager_not_discovered_exception")
        for path in ("/_cluster/pending_tasks", "/_cat/health", "/_cat/pending_tasks"):
            assert data.call("GET", f"{path}?master_timeout=100ms").status == 503
    assert "master-1" in cluster("start", "master-1").stdout
    until(lambda: "no master leads" not in cluster("status").stdout)
    assert "does not run" not in cluster("kill", "data-1").stderr
    assert "data-1 does not run" in refused(cluster("kill", "data-1"))
