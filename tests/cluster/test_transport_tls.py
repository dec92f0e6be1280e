"""Clusters whose nodes talk TLS, on addresses that other machines could reach; who has no certificate of theirs stays out."""

from __future__ import annotations

import contextlib
import http.client
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support import etcd, netns
from tests.support.authority import Authority
from tests.support.client import Client
from tests.support.cluster import Running, until
from tests.support.node import free_port

from quidditch.cli.config import environment_name
from quidditch.rest.users import User, dump, hashed
from quidditch.transport import frames

pytestmark = pytest.mark.timeout(300)
DOCUMENT = {"title": "Quidditch Through the Ages"}


@contextlib.contextmanager
def process(log: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """One `quidditch` command; its log goes to a file."""
    with log.open("ab") as file:
        command = [sys.executable, "-m", "quidditch.cli.main", *arguments]
        started = subprocess.Popen(command, stdout=file, stderr=file, stdin=subprocess.DEVNULL)
    try:
        yield started
    finally:
        started.send_signal(signal.SIGTERM)
        started.wait(30)


def sets(settings: dict[str, str]) -> list[str]:
    return [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]


def test_a_cluster_with_tls_lets_nobody_else_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path)
    files = authority.settings("node", "127.0.0.1")
    for name, value in files.items():
        monkeypatch.setenv(environment_name(name), value)
    with Running.temporary(masters=3, data=1) as cluster:
        assert cluster.call("data-1", "PUT", "/books/_doc/1?refresh=true", DOCUMENT)[0] == 201
        _, found = cluster.call("master-1", "GET", "/books/_search?q=title:ages")
        assert found["hits"]["total"]["value"] == 1

        masters = [cluster.cluster[name] for name in cluster.names("master")]
        _strangers_certificate(tmp_path, cluster, authority, [f"{each.host}:{each.transport}" for each in masters])
        leader = cluster.cluster[cluster.leader()]
        request = b"GET /version HTTP/1.1\r\nHost: node\r\n\r\n"
        greeting = frames.greeting("", "somebody")
        for port, hello in ((leader.transport, greeting), (leader.etcd, request), (leader.etcd + 1, request)):
            _without_a_certificate(leader.host, port, hello, authority)
        log = cluster.cluster.log(leader).read_text()
        assert "certificate verify failed" in log  # the stranger
        assert "peer did not return a certificate" in log
        assert _nodes(cluster) == 4


def _strangers_certificate(folder: Path, cluster: Running, authority: Authority, seeds: list[str]) -> None:
    """A node that trusts the cluster, but whose certificate is another authority's; and one that does not trust it either."""
    other = Authority(folder, "other")
    stranger = other.settings("stranger", "127.0.0.1")
    trusting = {**stranger, "transport.tls.ca": str(authority.ca)}
    for number, (settings, reason) in enumerate(
        ((trusting, "hung up before its greeting"), (stranger, "certificate verify failed"))
    ):
        log = folder / f"stranger-{number}.log"
        arguments = ["data", "--data-dir", str(folder / f"stranger-{number}"), "--http-port", str(free_port())]
        arguments += ["--transport-port", str(free_port()), "--seed-hosts", ",".join(seeds)]
        with process(log, *arguments, *sets(settings)):
            until(lambda log=log, reason=reason: reason in log.read_text())
            until(lambda log=log: "listening" in log.read_text())
            assert _nodes(cluster) == 4


def _nodes(cluster: Running) -> int:
    _, health = cluster.call("data-1", "GET", "/_cluster/health")
    return int(health["number_of_nodes"])


def _without_a_certificate(host: str, port: int, hello: bytes, authority: Authority) -> None:
    """Neither in plain text nor by TLS does what would greet a node or ask etcd get an answer."""
    with socket.create_connection((host, port), timeout=20) as plain:
        plain.sendall(hello)
        heard = _heard(plain)
        assert heard == b"" or heard.startswith(b"HTTP/1.0 400"), heard
    context = ssl.create_default_context(cafile=str(authority.ca))
    with (
        socket.create_connection((host, port), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname=host) as secured,
    ):
        secured.sendall(hello)
        assert _heard(secured) == b""


def _heard(connection: socket.socket) -> bytes:
    """What the other side says before it hangs up."""
    try:
        return connection.recv(1000)
    except (ConnectionError, ssl.SSLError):
        return b""


MACHINES = ("vm1", "vm2", "vm3")


def test_three_machines_and_a_data_node_form_a_cluster(tmp_path: Path) -> None:
    """As the README says it: each node on a machine of its own, known to the others by that machine's address."""
    etcd.required()
    authority = Authority(tmp_path)
    users = tmp_path / "users.yml"
    users.write_bytes(dump([User("root", "admin", hashed("root's secret"))]))
    try:
        with netns.Networks.temporary("10.9.0") as networks, contextlib.ExitStack() as stack:
            addresses = {name: networks.plug(name) for name in (*MACHINES, "vm4")}
            shared = f"discovery.seed_hosts: [{', '.join(f'{addresses[name]}:9300' for name in MACHINES)}]\n"
            shared += f"raft.peers: [{', '.join(f'{name}={addresses[name]}:2380' for name in MACHINES)}]\n"
            for name, address in addresses.items():
                # One says where it is, the others listen everywhere and find out.
                settings = {"transport.host": address if name == "vm1" else "0.0.0.0"}
                settings |= authority.settings(name, address) | authority.http_settings(name, address)
                settings |= {"http.host": settings["transport.host"], "http.users_file": str(users)}
                file = tmp_path / f"{name}.yml"
                file.write_text(shared + "".join(f"{key}: {value}\n" for key, value in settings.items()))
                command = ["master" if name in MACHINES else "data", "--config", str(file), "--name", name]
                command += ["--data-dir", str(tmp_path / f"data-{name}")]
                with networks.inside(name):
                    stack.enter_context(process(tmp_path / f"{name}.log", *command))

            def ask(name: str, method: str, path: str, body: Any = None) -> Any:
                """From a machine beside them."""
                url = f"https://{addresses[name]}:9200"
                with networks.inside(), Client(url, ca=authority.ca, login="root:root's secret") as client:
                    try:
                        return client.call(method, path, body).json
                    except OSError:
                        return {}

            until(lambda: ask("vm4", "GET", "/_cluster/health").get("number_of_nodes") == 4)
            assert ask("vm4", "PUT", "/books/_doc/1?refresh=true", DOCUMENT)["result"] == "created"
            for name in addresses:
                assert ask(name, "GET", "/books/_search?q=title:ages")["hits"]["total"]["value"] == 1
            nodes = ask("vm2", "GET", "/_nodes")["nodes"].values()
            for port, section in ((9300, "transport"), (9200, "http")):
                assert {node["name"]: node[section]["publish_address"] for node in nodes} == {
                    name: f"{address}:{port}" for name, address in addresses.items()
                }
            rows = ask("vm3", "GET", "/_cat/nodes?format=json&h=name,http")
            assert {row["name"]: row["http"] for row in rows} == {
                name: f"{each}:9200" for name, each in addresses.items()
            }
            with networks.inside():
                _without_a_login(f"https://{addresses['vm1']}:9200", authority)
    except netns.Missing as missing:
        pytest.skip(str(missing))


def _without_a_login(url: str, authority: Authority) -> None:
    """Neither who says nothing nor who says something wrong is answered, nor who talks no TLS."""
    for login in ("", "root:wrong one"):
        with Client(url, ca=authority.ca, login=login) as client:
            assert client.call("GET", "/_cat/nodes").status == 401
    with Client(url.replace("https", "http")) as plain, pytest.raises((OSError, http.client.HTTPException)):
        plain.call("GET", "/")


def test_a_node_that_others_could_reach_says_what_it_needs(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with process(log, "data", "--data-dir", str(tmp_path / "data"), "--set", "transport.host=0.0.0.0") as node:
        assert node.wait(60) == 1
    assert "[transport.tls.ca], [transport.tls.cert] and [transport.tls.key], or" in log.read_text()
    assert log.read_text().count("\n") == 1
