"""Certificates of a client: shown to the server, and taken anew when their files change."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest
from tests.support.authority import Authority

from quidditch.lib.clock import ManualClock
from quidditch.lib.kube.credentials import Credential
from quidditch.lib.kube.errors import ConfigError
from quidditch.lib.kube.tls import Contexts, Tls


async def seen(server: ssl.SSLContext, client: ssl.SSLContext) -> str:
    """The name in the certificate that the client shows to a server which asks for one."""
    shown: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        shown.set_result(writer.get_extra_info("peercert")["subjectAltName"][0][1])
        await reader.read()
        writer.close()

    serving = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=server)
    port = serving.sockets[0].getsockname()[1]
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client, server_hostname="127.0.0.1")
    try:
        return await asyncio.wait_for(shown, 10)
    finally:
        writer.close()
        await writer.wait_closed()
        serving.close()


def asking(authority: Authority) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority.ca))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(*map(str, authority.pair("server", "127.0.0.1")))
    return context


def test_a_certificate_is_shown_and_renewed_with_its_files(tmp_path: Path) -> None:
    authority, clock = Authority(tmp_path), ManualClock()
    server = asking(authority)
    cert, key = authority.pair("me", "one.example")
    contexts = Contexts(Tls(authority.ca, cert, key), clock.monotonic)
    first = contexts.get(Credential())
    assert asyncio.run(seen(server, first)) == "one.example"
    authority.pair("me", "two.example")
    clock.advance(1)
    assert contexts.get(Credential()) is first
    clock.advance(10)
    second = contexts.get(Credential())
    assert asyncio.run(seen(server, second)) == "two.example"
    key.write_text("half written")
    clock.advance(11)
    assert contexts.get(Credential()) is second


def test_a_plugins_certificate_goes_before(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server = asking(authority)
    contexts = Contexts(Tls(authority.ca.read_bytes()))
    for name in ("one.example", "two.example"):
        cert, key = authority.pair(name)
        credential = Credential(certificate=cert.read_bytes(), key=key.read_bytes())
        context = contexts.get(credential)
        assert contexts.get(credential) is context
        assert asyncio.run(seen(server, context)) == name


def test_remarks_in_a_bundle_of_authorities_may_be_in_any_language(tmp_path: Path) -> None:
    bundle = "# Autorité de certification\n".encode() + Authority(tmp_path).ca.read_bytes()
    assert Contexts(Tls(bundle)).get(Credential()).get_ca_certs()


@pytest.mark.parametrize(
    "wrong", [Tls(ca=b"nothing"), Tls(ca=b"\xff\x30"), Tls(certificate=b"nothing", key=b"nothing"), Tls(ca=Path("/no"))]
)
def test_what_is_no_certificate_is_refused(wrong: Tls) -> None:
    with pytest.raises(ConfigError, match="certificates for the API server cannot be used"):
        Contexts(wrong).get(Credential())
