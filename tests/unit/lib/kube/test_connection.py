"""What becomes of a request when the other side does not answer as it should: a peer that answers by script."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from quidditch.lib.kube import errors
from quidditch.lib.kube.client import Client
from quidditch.lib.kube.config import Config
from quidditch.lib.kube.credentials import Credentials, Fixed, TokenFile
from quidditch.lib.kube.limits import RateLimit
from quidditch.lib.kube.resource import LEASES
from quidditch.lib.kube.tls import Tls
from quidditch.lib.kube.watch import Event, Watch

CUT = b""
"""Instead of an answer: the connection ends once the request has been read."""
LEASE = {"metadata": {"name": "l", "resourceVersion": "5"}}


def answer(code: int, tree: object = None, *headers: str) -> bytes:
    body = json.dumps({"code": code} if tree is None else tree).encode()
    lines = [f"HTTP/1.1 {code} x", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def lines(*events: object, end: bool = True) -> bytes:
    """A watch's answer."""
    body = b"".join(json.dumps(event).encode() + b"\n" for event in events)
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"%x\r\n%s\r\n" % (len(body), body) + (b"0\r\n\r\n" if end else b"")


class Peer:
    """Answers the next request with the next of its answers, and keeps what it was asked."""

    def __init__(self, answers: Sequence[bytes]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self.url = ""
        self.open: set[asyncio.Task[None]] = set()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open.add(asyncio.ensure_future(self.serve(reader, writer)))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                headers = {key.lower(): value for key, _, value in (line.partition(": ") for line in head[1:])}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                method, path, _ = head[0].split(" ")
                self.asked.append((method, path, headers, body))
                given = self.answers.pop(0) if self.answers else answer(500)
                if given == CUT:
                    break
                writer.write(given)
                await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@contextlib.asynccontextmanager
async def talking(
    *answers: bytes, timeout: float = 5.0, credentials: Credentials | None = None, limit: RateLimit | None = None
) -> AsyncIterator[tuple[Client, Peer]]:
    peer = Peer(answers)
    server = await asyncio.start_server(peer.accept, "127.0.0.1", 0)
    peer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    config = Config(server=peer.url, tls=Tls(), credentials=credentials or Fixed.token("secret"))
    client = Client(config, timeout=timeout, limit=limit)
    try:
        yield client, peer
    finally:
        await client.close()
        server.close()
        await asyncio.gather(*peer.open)


def methods(peer: Peer) -> list[str]:
    return [method for method, _, _, _ in peer.asked]


def test_a_read_is_repeated_when_the_connection_breaks_or_the_server_is_in_trouble() -> None:
    async def main() -> None:
        async with talking(CUT, answer(503), answer(429, None, "Retry-After: 0"), answer(200, LEASE)) as (client, peer):
            assert await client.get(LEASES, "l") == LEASE
            assert methods(peer) == ["GET"] * 4

    asyncio.run(main())


Write = Callable[[Client], Awaitable[Any]]
WRITES: dict[str, Write] = {
    "POST": lambda client: client.create(LEASES, LEASE),
    "PUT": lambda client: client.replace(LEASES, LEASE),
    "PATCH": lambda client: client.patch(LEASES, "l", {"spec": {}}),
    "DELETE": lambda client: client.delete(LEASES, "l"),
}


@pytest.mark.parametrize("method", WRITES)
def test_a_write_whose_answer_is_lost_is_not_repeated(method: str) -> None:
    """Also on a connection that was used before, where HTTP clients like to try again by themselves."""

    async def main() -> None:
        async with talking(answer(200, LEASE), CUT, answer(200, LEASE)) as (client, peer):
            await client.get(LEASES, "l")
            with pytest.raises(errors.Unreachable) as raised:
                await WRITES[method](client)
            assert raised.value.sent
            assert methods(peer) == ["GET", method]

    asyncio.run(main())


@pytest.mark.parametrize("method", WRITES)
def test_a_write_that_was_not_carried_out_is_repeated(method: str) -> None:
    async def main() -> None:
        async with talking(answer(429), answer(200, LEASE)) as (client, peer):
            assert await WRITES[method](client) == LEASE
            assert methods(peer) == [method] * 2

    asyncio.run(main())


def test_a_write_is_not_repeated_when_the_server_is_in_trouble() -> None:
    async def main() -> None:
        async with talking(answer(504)) as (client, peer):
            with pytest.raises(errors.ServerError):
                await client.create(LEASES, LEASE)
            assert methods(peer) == ["POST"]

    asyncio.run(main())


def test_forced_apply_is_repeated_unless_it_compares_a_version() -> None:
    async def main() -> None:
        async with talking(CUT, answer(200, LEASE), CUT) as (client, peer):
            await client.apply(LEASES, {"metadata": {"name": "l"}}, field_manager="me")
            assert methods(peer) == ["PATCH"] * 2
            with pytest.raises(errors.Unreachable):
                await client.apply(LEASES, LEASE, field_manager="me")
            assert methods(peer) == ["PATCH"] * 3
            assert "fieldManager=me" in peer.asked[0][1]
            assert json.loads(peer.asked[0][3])["kind"] == "Lease"

    asyncio.run(main())


def test_no_connection_means_not_sent() -> None:
    async def main() -> None:
        async with talking() as (client, peer):
            pass
        client = Client(Config(server=peer.url, tls=Tls(), credentials=Fixed.token("t")), timeout=0.3)
        with pytest.raises(errors.Unreachable) as raised:
            await client.create(LEASES, LEASE)
        assert not raised.value.sent
        await client.close()

    asyncio.run(main())


def test_a_server_that_is_silent_is_given_up() -> None:
    async def main() -> None:
        async with talking(b"HTTP/1.1 200 OK\r\n", timeout=0.2) as (client, _):
            with pytest.raises(errors.Unreachable, match="no answer in time") as raised:
                await client.replace(LEASES, LEASE)
            assert raised.value.sent

    asyncio.run(main())


def test_asking_again_later_than_the_deadline_is_not_waited_for() -> None:
    async def main() -> None:
        async with talking(answer(429, None, "Retry-After: 60")) as (client, peer):
            with pytest.raises(errors.TooManyRequests) as raised:
                await client.get(LEASES, "l")
            assert raised.value.retry_after == 60
            assert len(peer.asked) == 1

    asyncio.run(main())


def test_a_refused_token_is_read_again_once(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("old")

    async def main() -> None:
        answers = answer(200, LEASE), answer(401), answer(200, LEASE), answer(401), answer(401)
        async with talking(*answers, credentials=TokenFile(token)) as (client, peer):
            await client.get(LEASES, "l")
            token.write_text("new")
            await client.create(LEASES, LEASE)
            sent = [headers["authorization"] for _, _, headers, _ in peer.asked]
            assert sent == ["Bearer old", "Bearer old", "Bearer new"]
            with pytest.raises(errors.Unauthorized):
                await client.get(LEASES, "l")

    asyncio.run(main())


def test_who_gets_no_turn_sends_nothing() -> None:
    async def main() -> None:
        limit = RateLimit(0.001, 1)
        async with talking(answer(200, LEASE), limit=limit) as (client, peer):
            await client.get(LEASES, "l")
            with pytest.raises(errors.Unreachable, match="no turn in time") as raised:
                await client.create(LEASES, LEASE, timeout=0.1)
            assert not raised.value.sent
            assert len(peer.asked) == 1

    asyncio.run(main())


@pytest.mark.parametrize("body", ["no object", [1]])
def test_an_answer_that_is_no_object_is_none(body: object) -> None:
    async def main() -> None:
        async with talking(answer(200, body)) as (client, _):
            with pytest.raises(errors.Unreachable, match="no object"):
                await client.create(LEASES, LEASE)

    asyncio.run(main())


def event(type: str, version: int) -> dict[str, Any]:
    return {"type": type, "object": {"metadata": {"name": "l", "resourceVersion": str(version)}}}


async def watched(client: Client, count: int) -> list[tuple[str, str]]:
    seen: list[Event] = []
    async with contextlib.aclosing(Watch(client, LEASES, "1", silence=0.3).events()) as events:
        async for each in events:
            seen.append(each)
            if len(seen) == count:
                break
    return [(each.type, each.version) for each in seen]


def test_a_watch_goes_on_where_it_was() -> None:
    async def main() -> None:
        answers = (
            lines(event("ADDED", 3), event("BOOKMARK", 7)),
            CUT,
            answer(503),
            lines(event("MODIFIED", 8), end=False),
            lines(event("DELETED", 9)),
        )
        async with talking(*answers) as (client, peer):
            assert await watched(client, 7) == [
                ("BEGUN", "1"),
                ("ADDED", "3"),
                ("BOOKMARK", "7"),
                ("BEGUN", "7"),
                ("MODIFIED", "8"),  # silent from then on
                ("BEGUN", "8"),
                ("DELETED", "9"),
            ]
            asked = [path for _, path, _, _ in peer.asked]
            assert all("allowWatchBookmarks=true" in path and "timeoutSeconds=" in path for path in asked)
            versions = ["1", "7", "7", "7", "8"]
            assert [f"resourceVersion={version}&" in path for version, path in zip(versions, asked, strict=True)] == [
                True
            ] * 5

    asyncio.run(main())


GONE = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}


@pytest.mark.parametrize("given", [answer(410, GONE), lines({"type": "ERROR", "object": GONE})])
def test_a_watch_of_what_is_gone_says_so(given: bytes) -> None:
    async def main() -> None:
        async with talking(given) as (client, _):
            with pytest.raises(errors.Gone, match="too old"):
                await watched(client, 3)

    asyncio.run(main())


def test_a_watch_that_is_not_allowed_ends() -> None:
    async def main() -> None:
        async with talking(answer(403)) as (client, _):
            with pytest.raises(errors.Forbidden):
                await watched(client, 1)

    asyncio.run(main())


def test_patience_with_a_server_out_of_reach_ends() -> None:
    async def main() -> None:
        async with talking() as (client, peer):
            pass
        client = Client(Config(server=peer.url, tls=Tls(), credentials=Fixed.token("t")))
        with pytest.raises(errors.Unreachable):
            await anext(Watch(client, LEASES, "1", patience=0.3).events())
        await client.close()

    asyncio.run(main())


def test_closing_the_client_ends_a_watch() -> None:
    async def main() -> None:
        async with (
            talking(lines(event("ADDED", 3), end=False)) as (client, _),
            contextlib.aclosing(Watch(client, LEASES, "1").events()) as events,
        ):
            assert [(await anext(events)).type for _ in range(2)] == ["BEGUN", "ADDED"]
            pending = asyncio.ensure_future(anext(events))
            await asyncio.sleep(0)
            await client.close()
            with pytest.raises(StopAsyncIteration):
                await pending

    asyncio.run(main())
