"""Where a node answers requests, and what it needs for that: TLS, users, addresses, each named where it is wrong; and files that change."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
from tests.support.authority import Authority
from tests.unit.rest.test_logins import ROOT

from quidditch.cli import addresses, guard, listen, renewal, tls
from quidditch.cli.config import Config, ConfigError, load
from quidditch.rest.users import dump

OTHERS = ["10.0.0.1", "0.0.0.0", "::", "fd00::1"]


def configured(settings: dict[str, str], **others: str) -> Config:
    return load(None, {}, {**settings, **{name.replace("__", "."): value for name, value in others.items()}})


@pytest.fixture
def secured(tmp_path: Path) -> dict[str, str]:
    """The settings of TLS and users."""
    file = tmp_path / "users.yml"
    file.write_bytes(dump([ROOT]))
    return {**Authority(tmp_path).http_settings("node"), "http.users_file": str(file)}


@pytest.mark.parametrize("host", OTHERS)
def test_what_is_missing_for_other_machines_is_listed(host: str, secured: dict[str, str]) -> None:
    for left in ([], ["http.tls.cert"], ["http.tls.key"], ["http.users_file"], list(secured)):
        settings = {**dict.fromkeys(secured, ""), **{name: secured[name] for name in secured if name not in left}}
        config = configured(settings, http__host=host, http__port="0")
        if left:
            listed = ", ".join(f"[{name}]" for name in left)
            with pytest.raises(ConfigError) as refused:
                listen.bind(config)
            assert str(refused.value) == (
                f"[http.host] is {host}, which other machines can reach: requests then need TLS and users; missing: {listed}"
            )
        else:
            assert guard.missing(config) == []
    off = configured(secured, http__host=host, http__tls__enabled="false")
    with pytest.raises(ConfigError, match=r"missing: \[http\.tls\.enabled\] \(it is false\)$"):
        listen.bind(off)


def test_loopback_needs_nothing() -> None:
    for host in ("127.0.0.1", "127.0.0.7", "localhost", "::1"):
        config = configured({}, http__host=host, http__port="0")
        with listen.bind(config) as listener:
            bound = listener.getsockname()
            assert listen.published(config, listener) == addresses.joined(bound[0], bound[1])
    with pytest.raises(ConfigError, match=r"\[http.host\] must be an IP address or localhost, not \[a.name\]"):
        listen.bind(configured({}, http__host="a.name"))


@pytest.mark.parametrize(("host", "reached"), [("0.0.0.0", ["127.0.0.1"]), ("::", ["127.0.0.1", "::1"])])
def test_all_addresses_are_listened_on(host: str, reached: list[str], secured: dict[str, str]) -> None:
    config = configured(secured, http__host=host, http__port="0", http__publish_host="10.0.0.1")
    with listen.bind(config) as listener:
        port = listener.getsockname()[1]
        assert listen.published(config, listener) == f"10.0.0.1:{port}"
        for address in reached:
            socket.create_connection((address, port), timeout=20).close()


def test_an_address_that_can_be_dialled_is_published(secured: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    def published(host: str, **others: str) -> str:
        return listen.publish_host(configured(secured, http__host=host, transport__tls__enabled="false", **others))

    assert published("10.0.0.1") == "10.0.0.1"
    assert published("0.0.0.0", http__publish_host="10.0.0.2", transport__publish_host="10.0.0.3") == "10.0.0.2"
    assert published("0.0.0.0", transport__publish_host="10.0.0.3") == "10.0.0.3"
    assert published("10.0.0.1", transport__publish_host="10.0.0.3") == "10.0.0.3"
    assert published("127.0.0.1", transport__publish_host="10.0.0.3") == "127.0.0.1"
    assert published("0.0.0.0", transport__host="10.0.0.4") == "10.0.0.4"
    for wrong in ("0.0.0.0", "::", "a.host.name"):
        with pytest.raises(ConfigError, match=r"\[http\.publish_host\]"):
            published("0.0.0.0", http__publish_host=wrong)
    monkeypatch.setattr(listen, "leaves_by", lambda name, _port, _family: {"192.0.2.1": "10.0.0.5"}.get(name))
    assert published("0.0.0.0") == "10.0.0.5"
    with pytest.raises(ConfigError, match=r"http\.host\] is ::, which nobody can dial.*set \[http\.publish_host\]"):
        published("::")


def test_files_that_are_wrong_are_named(tmp_path: Path, secured: dict[str, str]) -> None:
    junk = tmp_path / "junk"
    junk.write_text("-----BEGIN NOTHING-----")
    secured = {**secured, "http.tls.client_ca": secured["http.tls.cert"]}
    for part in secured:
        for file, problem in ((tmp_path / "no", "No such file"), (junk, ""), (tmp_path, "Is a directory")):
            with pytest.raises(ConfigError, match=rf"\[{part}\] .*{file}.*{problem}"):
                guard.guard(configured({**secured, part: str(file)}))
    for part in ("http.tls.cert", "http.tls.key"):
        with pytest.raises(ConfigError, match=rf"\[{part}\] is missing: TLS needs cert and key"):
            guard.guard(configured({**secured, part: ""}))
    (tmp_path / "users.yml").write_bytes(dump([]))
    with pytest.raises(ConfigError, match=r"\[http.users_file\] .*users.yml holds no user; `quidditch users add NAME`"):
        guard.guard(configured(secured))
    assert guard.guard(configured({**secured, "http.users_file": ""}, http__tls__enabled="false")).scheme == "http"


def test_tls_is_1_2_or_later_and_clients_show_certificates_where_an_authority_is_named(
    tmp_path: Path, secured: dict[str, str]
) -> None:
    for authority, mode in (("", ssl.CERT_NONE), (str(tmp_path / "ca.pem"), ssl.CERT_REQUIRED)):
        found = guard.guard(configured(secured, http__tls__client_ca=authority)).tls
        assert found is not None
        assert (found.value.minimum_version, found.value.verify_mode) == (ssl.TLSVersion.TLSv1_2, mode)


# --- files that change --------------------------------------------------------------------------------------------------


class Harness:
    """What is `wrong`, or cannot be read, is refused."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.used: list[bytes] = []
        self.renewed = renewal.Renewed([str(file)], self._load)
        self.renewed.use = self.used.append

    def _load(self) -> bytes:
        data = self.file.read_bytes()
        if data == b"wrong":
            raise ConfigError("the file is wrong")
        return data

    def look(self) -> Any:
        asyncio.run(self.renewed.look())
        return self.renewed.value


def test_a_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"one")
    harness = Harness(file)
    assert harness.renewed.value == b"one"
    assert harness.look() == b"one"
    assert harness.used == []
    other = tmp_path / "other"
    other.write_bytes(b"two")
    os.utime(other, ns=(0, file.stat().st_mtime_ns))
    other.replace(file)  # same size, same time
    assert harness.look() == b"two"
    for _ in range(2):
        file.write_bytes(b"wrong")
        assert harness.look() == b"two"
    file.unlink()
    assert harness.look() == b"two"
    file.write_bytes(b"three")
    assert harness.look() == b"three"
    assert harness.used == [b"two", b"three"]


def test_a_link_that_leads_elsewhere_is_a_change(tmp_path: Path) -> None:
    """As Kubernetes exchanges its secrets."""
    for name in ("one", "two"):
        (tmp_path / name).write_text(name)
    link = tmp_path / "link"
    link.symlink_to("one")
    harness = Harness(link)
    other = tmp_path / "other"
    other.symlink_to("two")
    other.replace(link)
    assert harness.look() == b"two"


def test_watching_begins_and_ends(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"one")

    async def scenario() -> None:
        harness = Harness(file)
        changed = asyncio.Event()
        harness.renewed.use = lambda _: changed.set()
        harness.renewed.start(interval=0.001)
        file.write_bytes(b"another")
        await changed.wait()
        await harness.renewed.stop()
        await harness.renewed.stop()

    asyncio.run(scenario())


def test_new_connections_get_the_newest_certificate(tmp_path: Path) -> None:
    """By either event loop's own way into TLS."""
    import uvloop

    authority = Authority(tmp_path)

    def context(name: str) -> ssl.SSLContext:
        cert, key = authority.pair(name, "127.0.0.1", f"{name}.example")
        return tls.context(ssl.PROTOCOL_TLS_SERVER, "http.tls", {"cert": str(cert), "key": str(key)})

    async def shown(port: int) -> str:
        trusting = ssl.create_default_context(cafile=authority.ca)
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting)
        names = writer.get_extra_info("peercert")["subjectAltName"]
        writer.close()
        await writer.wait_closed()
        return next(value for kind, value in names if kind == "DNS")

    async def scenario() -> None:
        server_context = tls.RenewedContext.of(context("old"))
        server = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0, ssl=server_context)
        async with server:
            port = server.sockets[0].getsockname()[1]
            assert await shown(port) == "old.example"
            server_context.renew(context("new"))
            assert await shown(port) == "new.example"

    for factory in (asyncio.new_event_loop, uvloop.new_event_loop):
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(scenario())
