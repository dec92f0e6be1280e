"""Starting and ending a node: the data folder's lock, ports, addresses, signals."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.support.client import Answer, Client
from tests.support.node import Node, free_port


def _run(*args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "quidditch.cli.main", *args]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def _one_line(result: subprocess.CompletedProcess[str]) -> str:
    assert result.returncode == 1
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("quidditch: ")
    return lines[0]


def test_documents_are_there_after_a_restart_and_after_a_kill(tmp_path: Path) -> None:
    with Node(tmp_path) as node, Client(node.url) as client:
        uuid = client.call("GET", "/").json["cluster_uuid"]
        assert client.call("PUT", "/life/_doc/1", {"n": 1}).status == 201
        assert node.stop() == 0
        node.start()
        assert client.call("GET", "/life/_doc/1").json["_source"] == {"n": 1}
        assert client.call("PUT", "/life/_doc/2", {"n": 2}).status == 201
        node.kill()
        node.start()
        assert client.call("GET", "/").json["cluster_uuid"] == uuid
        assert [client.call("GET", f"/life/_doc/{id}").json["_source"]["n"] for id in (1, 2)] == [1, 2]
        assert client.call("GET", "/life/_search").json["hits"]["total"]["value"] == 2


def test_one_process_per_data_folder(tmp_path: Path) -> None:
    with Node(tmp_path) as node:
        line = _one_line(_run("run", "--data-dir", str(tmp_path / "data"), "--http-port", str(free_port())))
        assert "is in use by the process with pid" in line
        assert str(node.pid) in line
        assert str(tmp_path / "data") in line


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with Node(tmp_path / "a") as node:
        line = _one_line(_run("run", "--data-dir", str(tmp_path / "b"), "--http-port", str(node.port)))
        assert f"port {node.port} of 127.0.0.1 is in use" in line


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (["--http-host", "0.0.0.0"], "missing: [http.tls.cert], [http.tls.key], [http.users_file]"),
        (["--http-host", "nonsense"], "must be an IP address"),
        (["--http-port", "x"], "must be a port"),
        (["--set", "cluster.nmae=x"], "unknown setting [cluster.nmae] (flag), did you mean [cluster.name]?"),
        (["--config", "missing.yml"], "missing.yml"),
    ],
)
def test_what_is_refused_is_named(tmp_path: Path, args: list[str], text: str) -> None:
    assert text in _one_line(_run("run", "--data-dir", str(tmp_path), *args))


def test_a_data_folder_that_cannot_be_written(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    assert "file" in _one_line(_run("run", "--data-dir", str(file)))


def test_sigterm_answers_requests_in_flight(tmp_path: Path) -> None:
    with Node(tmp_path) as node:
        lines = [
            line for n in range(20_000) for line in ({"index": {"_id": str(n)}}, {"n": n, "text": f"document {n}"})
        ]
        answers: list[Answer] = []

        def write() -> None:
            with Client(node.url) as client:
                answers.append(client.call("POST", "/drain/_bulk", lines, repeat=False))

        thread = threading.Thread(target=write)
        thread.start()
        with Client(node.url) as client:
            while client.call("HEAD", "/drain").status != 200 and thread.is_alive():
                pass
        assert node.stop() == 0
        thread.join()
        assert answers[0].status == 200
        assert not answers[0].json["errors"]


def test_config_shows_what_is_in_force(tmp_path: Path) -> None:
    file = tmp_path / "q.yml"
    file.write_text("http.port: 9333\n")
    result = _run("config", "--config", str(file))
    assert result.returncode == 0
    assert 'http.port: "9333"' in result.stdout
    assert str(file) in result.stdout


def test_a_node_without_a_cluster_says_so(tmp_path: Path) -> None:
    """It answers neither that an index is missing nor that all is green: it does not know."""
    alone = ("controlPlane.mode=raft", "node.roles=data", "discovery.seed_hosts=127.0.0.1:9", "cluster.name=far")
    args = [part for setting in alone for part in ("--set", setting)]
    with Node(tmp_path, args=args) as node, Client(node.url) as client:
        assert (client.call("GET", "/").json["cluster_name"], client.call("GET", "/").json["cluster_uuid"]) == (
            "far",
            "_na_",
        )
        for path in ("/books/_search", "/_cat/indices", "/_nodes", "/books/_doc/1", "/_cluster/settings"):
            answer = client.call("GET", path)
            assert (answer.status, answer.json["error"]["type"]) == (503, "cluster_block_exception"), path
        assert client.call("PUT", "/books/_doc/1", {"n": 1}).status == 503
        assert client.call("GET", "/_cluster/health?master_timeout=10ms").status == 503
        local = client.call("GET", "/_cluster/health?local=true").json
        assert (local["status"], local["discovered_cluster_manager"], local["cluster_name"]) == ("red", False, "far")
        assert b"quidditch_leader_known 0.0" in client.call("GET", "/_prometheus/metrics").data
