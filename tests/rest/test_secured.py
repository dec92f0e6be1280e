"""A real node with TLS and users: no route without a login, clients as people use them, files that change while it runs."""

from __future__ import annotations

import http.client
import importlib
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quidditch.rest.registry import all_routes
from quidditch.rest.users import User, dump
from tests.support.authority import Authority
from tests.support.client import Client
from tests.support.cluster import until
from tests.support.node import Node
from tests.unit.rest.test_logins import hash_of

USERS = {"root": ("admin", "root's secret"), "reader": ("read", "reader's secret")}
ROOT, READER = "root:root's secret", "reader:reader's secret"
BODY = {"query": {"match": {"title": "ages"}}}


def write_users(file: Path, users: dict[str, tuple[str, str]]) -> None:
    other = file.with_name("other")
    other.write_bytes(dump([User(name, role, hash_of(word)) for name, (role, word) in users.items()]))
    other.replace(file)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("secured")


@pytest.fixture(scope="module")
def authority(folder: Path) -> Authority:
    return Authority(folder)


@pytest.fixture(scope="module")
def node(folder: Path, authority: Authority) -> Iterator[Node]:
    write_users(folder / "users.yml", USERS)
    settings = authority.http_settings("node", "127.0.0.1", "localhost")
    settings |= {"http.users_file": str(folder / "users.yml"), "http.host": "0.0.0.0", "http.publish_host": "127.0.0.1"}
    settings["raft.password"] = "nobody's business"
    args = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    with Node.temporary(args, ca=authority.ca, login=ROOT) as running:
        yield running


def test_no_route_without_a_login(node: Node) -> None:
    with node.client(login="") as client:
        for route in all_routes():
            path = re.sub(r"{\w+}", "x", route.path)
            answer = client.call(route.method, path)
            assert answer.status == 401, route
            assert answer.headers["www-authenticate"] == 'Basic realm="quidditch"'
            if route.method != "HEAD":
                assert answer.json["error"]["type"] == "security_exception"
        assert client.call("POST", "/x/_bulk", b'{"index":{}}\n{}\n' * 200_000, repeat=False).status == 401
    with node.client() as client:
        assert client.call("GET", "/_cat/indices").data == b""


def test_a_search_that_is_repeated_is_answered_to_who_may_ask_only(node: Node) -> None:
    with node.client() as client:
        client.call("PUT", "/books/_doc/1?refresh=true", {"title": "Quidditch Through the Ages"})
        for _ in range(5):
            assert client.call("POST", "/books/_search", BODY).json["hits"]["total"]["value"] == 1
        # The same connection, the same line, other credentials.
        for login, status in (("", 401), (READER, 200), ("reader:wrong one", 401), (ROOT, 200)):
            client.login = login
            for _ in range(2):
                assert client.call("POST", "/books/_search", BODY).status == status
        client.login = READER
        assert client.call("POST", "/books/_bulk", [{"index": {}}, {"title": "no"}]).status == 403
        assert client.call("DELETE", "/books").status == 403
        client.login = ROOT
        assert client.call("DELETE", "/books").status == 200


@pytest.mark.parametrize("name", ["opensearchpy", "elasticsearch8", "elasticsearch"])
def test_the_clients_that_people_use(node: Node, name: str) -> None:
    module, helpers = importlib.import_module(name), importlib.import_module(f"{name}.helpers")
    user = tuple(ROOT.split(":"))
    if name == "opensearchpy":
        client: Any = module.OpenSearch(node.url, http_auth=user, ca_certs=str(node.ca))
    else:
        client = module.Elasticsearch(node.url, basic_auth=user, ca_certs=str(node.ca))
    documents = [{"_index": "library", "_id": str(number), "pages": number} for number in range(250)]
    assert helpers.bulk(client, documents, refresh=True) == (250, [])
    assert client.search(index="library", size=0)["hits"]["total"]["value"] == 250
    assert {hit["_id"] for hit in helpers.scan(client, index="library", size=50)} == {str(n) for n in range(250)}
    client.indices.delete(index="library")
    client.close()


def test_curl(node: Node) -> None:
    if shutil.which("curl") is None:
        pytest.skip("there is no curl")
    command = ["curl", "-sS", "--cacert", str(node.ca), "-o", "/dev/null", "-w", "%{http_code} %{ssl_verify_result}"]
    for arguments, printed in (([], "401 0"), (["-u", ROOT], "200 0")):
        run = subprocess.run([*command, *arguments, node.url], capture_output=True, text=True, check=True)
        assert run.stdout == printed
    assert subprocess.run(["curl", "-s", node.url], capture_output=True, check=False).returncode == 60


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A `quidditch` command."""
    line = [sys.executable, "-m", "quidditch.cli.main", *arguments]
    variables = {**os.environ, **environment}
    return subprocess.run(
        line, env=variables, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False
    )


def test_commands_reach_it_as_clients_do(node: Node, folder: Path) -> None:
    name, _, word = ROOT.partition(":")
    status = ("cluster", "status", "--once", "--url", node.url)
    source = folder / "lines.ndjson"
    source.write_text('{"n": 1}\n{"n": 2}\n')
    load = ("import", str(source), "--index", "imported", "--url", node.url)
    trust, login = ("--cacert", str(node.ca)), ("--user", name, "--password", word)
    for said in (status, load):
        assert command(*said, *trust, *login).returncode == 0
        assert (
            command(*said, QUIDDITCH_USER=name, QUIDDITCH_PASSWORD=word, QUIDDITCH_CACERT=str(node.ca)).returncode == 0
        )
        for options, problem in (
            (trust, "missing authentication credentials"),
            ((*trust, "--user", name, "--password", "wrong one"), "unable to authenticate user"),
            (login, "is not trusted"),
            ((*login, "--cacert", str(folder / "no.pem")), "no.pem cannot be used: No such file"),
            ((*trust, "--cert", str(node.ca)), "no certificate with its key in PEM"),
        ):
            result = command(*said, *options)
            told = " ".join((result.stdout + result.stderr).split())
            assert (result.returncode, problem in told, word in told) == (1, True, False), told
    with node.client() as client:
        client.call("POST", "/imported/_refresh")
        assert client.call("GET", "/imported/_count").json["count"] == 2  # the same documents twice
        client.call("DELETE", "/imported")


def test_what_the_node_tells_of_itself(node: Node) -> None:
    with node.client() as client:
        told = next(iter(client.call("GET", "/_nodes/http,settings").json["nodes"].values()))
        assert told["http"]["publish_address"] == f"127.0.0.1:{node.port}"
        assert told["http"]["bound_address"] == [f"0.0.0.0:{node.port}"]
        assert client.call("GET", "/_cat/nodes?h=http").data.decode().strip() == f"127.0.0.1:{node.port}"
        assert "nobody's business" not in str(told)
        assert told["settings"]["http"]["host"] == "0.0.0.0"


def test_other_tongues_get_no_answer(node: Node) -> None:
    with socket.create_connection(("127.0.0.1", node.port), timeout=20) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: node\r\n\r\n")
        assert b"HTTP" not in plain.recv(1000)
    old = ssl.create_default_context(cafile=node.ca)
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(("127.0.0.1", node.port), timeout=20) as plain, pytest.raises(ssl.SSLError):
        old.wrap_socket(plain, server_hostname="127.0.0.1").recv(1)
    with node.client() as client:
        assert client.call("GET", "/").status == 200


def test_users_and_certificates_change_while_it_runs(node: Node, folder: Path, authority: Authority) -> None:
    def status(login: str) -> int:
        with node.client(login=login) as client:
            return client.call("GET", "/", repeat=False).status

    assert [status(login) for login in (ROOT, "new:new one's secret")] == [200, 401]
    write_users(folder / "users.yml", {"new": ("read", "new one's secret"), "root": USERS["root"]})
    until(lambda: status(READER) == 401)
    assert [status(login) for login in (ROOT, "new:new one's secret")] == [200, 200]
    (folder / "users.yml").write_text("version: 1\nusers: {damaged")
    until(lambda: "stays in force" in node.log.read_text())
    assert status(ROOT) == 200
    write_users(folder / "users.yml", USERS)
    until(lambda: status(READER) == 200)

    def shown() -> bytes:
        return ssl.get_server_certificate(("127.0.0.1", node.port)).encode()

    with node.client() as kept:
        before = shown()
        assert kept.call("GET", "/").status == 200
        authority.pair("node", "127.0.0.1")
        until(lambda: shown() != before)
        assert kept.call("GET", "/", repeat=False).status == 200  # what was connected stays so
    with node.client() as client:
        assert client.call("GET", "/").status == 200


def test_clients_show_a_certificate_where_an_authority_of_theirs_is_named(folder: Path, authority: Authority) -> None:
    settings = {**authority.http_settings("mutual", "127.0.0.1"), "http.tls.client_ca": str(authority.ca)}
    cert, key = authority.pair("client")
    other, other_key = Authority(folder, "other").pair("stranger")
    args = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    node = Node(folder / "mutual", args=args, ca=authority.ca)
    node.client_certificate = (cert, key)
    with node:
        for pair, welcome in (((cert, key), True), ((other, other_key), False), (None, False)):
            client = Client(node.url, ca=authority.ca, certificate=pair)
            if welcome:
                assert client.call("GET", "/").status == 200
            else:
                with pytest.raises((OSError, http.client.HTTPException)):
                    client.call("GET", "/")
            client.close()


def test_a_node_that_others_could_reach_says_what_it_needs(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "quidditch.cli.main", "run", "--data-dir", str(tmp_path), "--http-host", "0.0.0.0"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert ended.stderr.endswith("missing: [http.tls.cert], [http.tls.key], [http.users_file]\n")
    assert ended.stderr.count("\n") == 1
