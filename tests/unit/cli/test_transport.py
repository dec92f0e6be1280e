"""Where a node listens for others, what it tells them, and the files of TLS: what is refused says how it would be right."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest
from tests.support.authority import Authority

from quidditch.cli import stores, transport
from quidditch.cli.config import Config, ConfigError, load
from quidditch.cli.tls import RenewedContext
from quidditch.transport.api import TransportError
from quidditch.transport.tcp import TcpTransport

PLAIN = {"transport.tls.enabled": "false"}


def configured(**settings: str) -> Config:
    return load(None, {}, settings)


def opened(config: Config) -> TcpTransport:
    return transport.open_transport("node", str, lambda _node: None, transport.renewed_tls(config))


def test_loopback_needs_nothing() -> None:
    for host in ("127.0.0.1", "127.0.0.7", "localhost", "::1"):
        assert transport.publish_host(configured(**{"transport.host": host})) == host
    assert transport.tls_files(configured()) == {}


@pytest.mark.parametrize("host", ["10.0.0.1", "0.0.0.0", "::", "fd00::1"])
def test_others_reach_a_node_by_tls_or_where_that_is_said_to_be_needless(host: str, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"(?s)transport\.host.*tls\.ca.*tls\.cert.*tls\.key.*tls\.enabled\] to false"
    ):
        transport.host(configured(**{"transport.host": host}))
    for settings in (PLAIN, Authority(tmp_path).settings("node")):
        assert transport.host(configured(**{"transport.host": host, **settings})) == host


def test_an_address_that_can_be_dialled_is_published() -> None:
    everywhere = {"transport.host": "0.0.0.0", **PLAIN}
    named = configured(**everywhere, **{"transport.publish_host": "10.0.0.1"})
    assert transport.publish_host(named) == "10.0.0.1"
    assert stores.own_endpoint(named) == "10.0.0.1:2379"
    six = configured(**everywhere, **{"transport.publish_host": "fd00::1"})
    assert stores.own_endpoint(six) == "[fd00::1]:2379"
    for settings in ({}, {"discovery.seed_hosts": "127.0.0.1:9300"}, {"raft.peers": "a=127.0.0.1:2380"}):
        with pytest.raises(ConfigError, match=r"nobody can dial.*set \[transport\.publish_host\]"):
            transport.publish_host(configured(**everywhere, **settings))
    for wrong in ("0.0.0.0", "a.host.name"):
        with pytest.raises(ConfigError, match=r"\[transport\.publish_host\]"):
            transport.publish_host(configured(**everywhere, **{"transport.publish_host": wrong}))


def test_tls_is_on_where_its_files_are_named(tmp_path: Path) -> None:
    files = Authority(tmp_path).settings("node")
    assert list(transport.tls_files(configured(**files))) == ["ca", "cert", "key"]
    assert transport.tls_files(configured(**{**files, **PLAIN})) == {}
    context = opened(configured(**files))._client_tls
    assert isinstance(context, RenewedContext)
    assert context.newest.minimum_version == ssl.TLSVersion.TLSv1_2
    for part in files:
        with pytest.raises(ConfigError, match=rf"\[{part}\] is missing"):
            transport.tls_files(configured(**{**files, part: ""}))
    with pytest.raises(ConfigError, match="is missing"):
        transport.tls_files(configured(**{"transport.tls.enabled": "true"}))
    with pytest.raises(ConfigError, match="must be true or false"):
        transport.tls_files(configured(**{"transport.tls.enabled": "yes"}))


def test_the_masters_own_etcd_has_the_same_tls_unless_it_has_its_own(tmp_path: Path) -> None:
    files = Authority(tmp_path).settings("node")
    assert stores.tls_files(configured(**files))["ca"] == files["transport.tls.ca"]
    assert stores.tls_files(configured(**files, **{"raft.tls.ca": "other"})) == {"ca": "other"}
    assert stores.tls_files(configured(**files, **{"raft.endpoints": "127.0.0.1:2379"})) == {}
    assert stores.own_endpoint(configured(**files)) == "https://127.0.0.1:2379"


def test_files_that_are_wrong_are_named(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    files = authority.settings("node")
    _, other = authority.pair("other")
    junk = tmp_path / "junk"
    junk.write_text("-----BEGIN NOTHING-----")
    locked = tmp_path / "locked"
    with locked.open("wb") as file:
        command = ["openssl", "pkey", "-aes256", "-passout", "pass:secret", "-in", files["transport.tls.key"]]
        subprocess.run(command, stdout=file, check=True)
    for part in files:
        for file, problem in ((tmp_path / "no", "No such file"), (junk, "in PEM"), (tmp_path, "Is a directory")):
            with pytest.raises(ConfigError, match=rf"\[{part}\] .*{file}.*{problem}"):
                opened(configured(**{**files, part: str(file)}))
    for path, problem in ((other, "is not the key of the certificate"), (locked, "without a password")):
        with pytest.raises(ConfigError, match=rf"\[transport.tls.key\] {path} .*{problem}"):
            opened(configured(**{**files, "transport.tls.key": str(path)}))


def test_nodes_take_another_authority_while_they_run(tmp_path: Path) -> None:
    """Who has a certificate of the new one is let in from then on, who has one of the old one no longer."""
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    old, new = Authority(tmp_path / "old"), Authority(tmp_path / "new")
    files = old.settings("node")

    async def scenario() -> None:
        config = configured(**files)
        tls = transport.renewed_tls(config)
        assert tls is not None
        host = transport.open_transport("host", str, lambda _: None, tls)

        async def echo(payload: bytes) -> bytes:
            return payload

        host.serve("echo", echo)
        address = await transport.listen(configured(**{"transport.port": "0"}), host)

        async def heard(authority: Authority) -> bool:
            guest = transport.open_transport(
                "guest", str, lambda _: None, transport.renewed_tls(configured(**authority.settings("guest")))
            )
            try:
                return await guest.call(f"@{address}", "echo", b"hello", 20) == b"hello"
            except TransportError:
                return False
            finally:
                await guest.close()

        assert [await heard(old), await heard(new)] == [True, False]
        for setting, file in new.settings("node").items():
            shutil.copy(file, files[setting])
        await tls.look()
        assert [await heard(old), await heard(new)] == [False, True]
        await host.close()

    asyncio.run(scenario())
