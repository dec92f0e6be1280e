"""The etcd store with TLS, client certificates, and etcd's users."""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
import os
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from tests.support.authority import Authority
from tests.support.etcd import Cluster
from tests.unit.model import states

from quidditch.cli import config as configuration
from quidditch.cli import stores
from quidditch.store import api
from quidditch.store.etcd import Credentials, Tls
from quidditch.store.etcd import open as open_etcd

PREFIX = "/quidditch/secured"


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        await asyncio.wait_for(test(), 60)

    asyncio.run(main())


class Secured:
    """An etcd that talks TLS only, with clients whose certificate one authority signed."""

    def __init__(self, folder: Path) -> None:
        authority = Authority(folder)
        self.ca = authority.ca
        self.server = authority.pair("server", "127.0.0.1")
        self.client = authority.pair("client")
        self.stranger = Authority(folder, "other").pair("stranger")

    def args(self) -> list[str]:
        cert, key = self.server
        return [
            "--cert-file",
            str(cert),
            "--key-file",
            str(key),
            "--trusted-ca-file",
            str(self.ca),
            "--client-cert-auth",
        ]


def test_tls_in_both_directions(tmp_path: Path) -> None:
    secured = Secured(tmp_path)
    with Cluster.temporary(args=secured.args(), tls=True) as cluster:
        endpoints = [f"https://{address}" for address in cluster.endpoints]

        async def test() -> None:
            store = await open_etcd(endpoints, prefix=PREFIX, tls=Tls(secured.ca, *secured.client))
            made = await store.create(states.index("a"))
            async with aclosing(store.watch("0")) as events:
                assert (await anext(events)).object == made
            await store.close()
            for tls in (None, Tls(secured.ca), Tls(secured.ca, *secured.stranger)):
                with pytest.raises(api.Unavailable):
                    await open_etcd(endpoints, prefix=PREFIX, tls=tls, timeout=0.5)

        run(test)


def gateway(cluster: Cluster, path: str, token: str = "", **body: Any) -> dict[str, Any]:
    """A call by etcd's JSON gateway, for what the store itself never does."""
    connection = http.client.HTTPConnection(cluster.endpoints[0], timeout=10)
    connection.request("POST", f"/v3/auth/{path}", json.dumps(body), {"Authorization": token} if token else {})
    answer = connection.getresponse()
    read: dict[str, Any] = json.loads(answer.read())
    connection.close()
    assert answer.status == 200, read
    return read


@pytest.fixture(scope="module")
def guarded() -> Iterator[Cluster]:
    """An etcd with users: `quidditch` may use its own prefix only. Tokens are over after two seconds without use."""

    def b64(text: str) -> str:
        return base64.b64encode(text.encode()).decode()

    with Cluster.temporary(args=["--auth-token-ttl", "2"]) as cluster:
        gateway(cluster, "user/add", name="root", password="root-password")
        gateway(cluster, "role/add", name="root")
        gateway(cluster, "user/grant", user="root", role="root")
        gateway(cluster, "user/add", name="quidditch", password="a-password")
        gateway(cluster, "role/add", name="quidditch")
        permission = {"permType": "READWRITE", "key": b64(f"{PREFIX}/"), "range_end": b64(f"{PREFIX}0")}
        gateway(cluster, "role/grant", name="quidditch", perm=permission)
        gateway(cluster, "user/grant", user="quidditch", role="quidditch")
        gateway(cluster, "enable")
        yield cluster


def test_a_user_with_a_password(guarded: Cluster) -> None:
    async def test() -> None:
        user = Credentials("quidditch", "a-password")
        assert "a-password" not in repr(user)
        store = await open_etcd(guarded.endpoints, prefix=PREFIX, credentials=user, history=2)
        lease = await store.acquire("one", 0, 30)
        assert lease is not None
        made = await store.create(states.index("a"), fence=lease.epoch)
        async with aclosing(store.watch("0")) as events:
            assert (await anext(events)).object == made
            # Whatever ended the token, the next calls get a new one: here a change of the users.
            token = gateway(guarded, "authenticate", name="root", password="root-password")["token"]
            gateway(guarded, "user/add", token, name="another", password="password")
            store._client._token = "over"
            obj = await store.get("Index", "a")
            for _ in range(6):
                obj = await store.update(obj, fence=lease.epoch)
            assert await store.acquire("one", 0, 30) == lease
            await store.release(lease)
        await store.close()

    run(test)


def test_who_may_not_is_refused_with_the_reason(guarded: Cluster) -> None:
    async def test() -> None:
        with pytest.raises(api.Refused, match="user name is empty"):
            await open_etcd(guarded.endpoints, prefix=PREFIX)
        with pytest.raises(api.Refused, match="invalid user ID or password"):
            await open_etcd(guarded.endpoints, prefix=PREFIX, credentials=Credentials("quidditch", "wrong"))
        user = Credentials("quidditch", "a-password")
        with pytest.raises(api.Refused, match="permission denied"):
            await open_etcd(guarded.endpoints, prefix="/quidditch/other", credentials=user)

    run(test)


def configured(**settings: str) -> configuration.Config:
    return configuration.load(None, {}, {"cluster.name": "secured", **settings})


def test_a_user_in_the_configuration(guarded: Cluster) -> None:
    async def test() -> None:
        config = configured(**{"raft.username": "quidditch", "raft.password": "a-password"})
        store = await stores.open_etcd(config, guarded.endpoints)
        await store.list()
        await store.close()
        with pytest.raises(configuration.ConfigError, match="user name is empty"):
            await stores.open_etcd(configured(), guarded.endpoints)
        with pytest.raises(configuration.ConfigError, match="go together"):
            await stores.open_etcd(configured(**{"raft.username": "quidditch"}), guarded.endpoints)

    run(test)


def test_a_password_is_not_shown() -> None:
    command = [sys.executable, "-m", "quidditch.cli.main", "config"]
    environment = {**os.environ, "QUIDDITCH_RAFT_USERNAME": "somebody", "QUIDDITCH_RAFT_PASSWORD": "a-secret"}
    shown = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    assert 'raft.username: "somebody"' in shown
    assert "a-secret" not in shown
    assert 'raft.password: "***"' in shown


@pytest.mark.parametrize(
    ("endpoints", "tls"), [([], None), (["ftp://127.0.0.1:1"], None), (["http://127.0.0.1:1"], Tls())]
)
def test_a_wrong_configuration_is_named(endpoints: list[str], tls: Tls | None) -> None:
    async def test() -> None:
        with pytest.raises(ValueError, match="etcd endpoint"):
            await open_etcd(endpoints, prefix=PREFIX, tls=tls)

    run(test)
