"""Every way into the application asks who it is: all routes of the router, small and large bodies, answers given at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, cast

import orjson
import pytest
from tests.support.asgi import scope
from tests.support.client import basic
from tests.support.pressure import pressure_of
from tests.unit.rest.test_logins import PASSWORD, READER, ROOT

from quidditch.rest.logins import Logins
from quidditch.rest.node import Node
from quidditch.rest.registry import all_routes
from quidditch.rest.request import Request
from quidditch.rest.response import Response
from quidditch.rest.route import Route
from quidditch.rest.secured import SecuredApp
from quidditch.rest.server import Client
from quidditch.rest.traffic import Traffic

ADMIN = basic(f"root:{PASSWORD}").encode()
READS = basic("reader:pässwörter").encode()


class Control:
    class state:  # noqa: N801
        version = 1


def node() -> Node:
    made = Node.__new__(Node)
    made.pressure = pressure_of(1 << 20, 1 << 20)
    made.traffic = Traffic()
    made.control = cast("Any", Control)
    return made


async def reached(_request: Request, _node: Node) -> Response:
    return Response.json({"reached": True})


def reachable(route: Route) -> Route:
    """The route with a handler that only says that it was called."""
    return Route(
        route.method,
        route.path,
        reached,
        body=True,
        at_once=(lambda *_: b'{"reached":true}') if route.at_once is not None else None,
        reads=route.reads,
    )


ROUTES = [reachable(route) for route in all_routes()]


def app() -> SecuredApp:
    return SecuredApp(node(), ROUTES, 1000, logins=Logins({"root": ROOT, "reader": READER}))


def target(route: Route) -> str:
    return "/".join("x" if part.startswith("{") else part for part in route.path.split("/"))


async def respond(asked: SecuredApp, route: Route, login: bytes | None) -> tuple[int, dict[bytes, bytes], bytes]:
    headers = {} if login is None else {b"authorization": login}
    status, answered, body = await asked.respond(route.method, target(route).encode(), b"", headers, b"", Client())
    return status, dict(answered), body


async def converse(
    asked: SecuredApp,
    method: str,
    path: str,
    login: bytes | None,
    body: bytes = b"",
    client: Any = None,
    expect: bool = False,
    endless: bool = False,
) -> tuple[int, dict[bytes, bytes], int]:
    """By ASGI; status, headers, and how often the body was asked for."""
    sent: list[Any] = []
    received = 0

    async def receive() -> dict[str, Any]:
        nonlocal received
        received += 1
        return {"type": "http.request", "body": body, "more_body": endless}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = {"content-length": str(len(body)), "content-type": "application/json"} if body else {}
    made = {**scope(method, path, headers), "client": client}
    if expect:
        made["headers"].append((b"expect", b"100-continue"))
    if login is not None:
        made["headers"].append((b"authorization", login))
    await asked(made, receive, send)
    return sent[0]["status"], dict(sent[0]["headers"]), received


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scenario())


def test_no_route_answers_who_says_nothing() -> None:
    async def scenario() -> None:
        asked = app()
        for route in ROUTES:
            status, headers, body = await respond(asked, route, None)
            assert (status, headers[b"www-authenticate"]) == (401, b'Basic realm="quidditch"'), route
            assert orjson.loads(body)["error"]["type"] == "security_exception"
            assert (await converse(asked, route.method, target(route), None))[0] == 401, route
        for method, path in (("GET", "/no/such/thing/at/all"), ("OPTIONS", "/"), ("PATCH", "/_search"), ("GET", "//")):
            assert (await converse(asked, method, path, None))[0] == 401
        answers = asked.traffic.counts()
        assert all(name.endswith(" unrouted") for name in answers)

    run(scenario)


def test_an_admin_may_all_and_a_reader_what_changes_nothing() -> None:
    async def scenario() -> None:
        asked = app()
        for route in ROUTES:
            assert (await respond(asked, route, ADMIN))[0] == 200, route
            status, _, body = await respond(asked, route, READS)
            assert status == (200 if route.reads else 403), route
            if status == 403:
                assert orjson.loads(body)["error"]["type"] == "security_exception"
                assert (await converse(asked, route.method, target(route), READS))[0] == 403
        assert (await converse(asked, "GET", "/no/such/thing/at/all", READS))[0] == 400

    run(scenario)


def test_which_routes_read() -> None:
    """What is not GET or HEAD reads only where it is written here, and what is, unless it is written here."""
    readers = {f"{route.method} {route.path}" for route in all_routes() if route.reads}
    by_method = {f"{route.method} {route.path}" for route in all_routes() if route.method in ("GET", "HEAD")}
    assert by_method - readers == {"GET /_refresh", "GET /{index}/_refresh", "GET /_flush", "GET /{index}/_flush"}
    of_indices = (
        "_search",
        "_search_shards",
        "_msearch",
        "_mget",
        "_count",
        "_validate/query",
        "_field_caps",
        "_analyze",
    )
    assert readers - by_method == {
        *(f"POST /{name}" for name in of_indices),
        *(f"POST /{{index}}/{name}" for name in of_indices),
        "POST /{index}/_explain/{id}",
        *(f"{method} /_search/scroll{id}" for method in ("POST", "DELETE") for id in ("", "/{scroll_id}")),
        "POST /{index}/_search/point_in_time",
        "DELETE /_search/point_in_time",
        "DELETE /_search/point_in_time/_all",
        "POST /{index}/_pit",
        "DELETE /_pit",
        "POST /_cluster/allocation/explain",
        "POST /_index_template/_simulate",
        "POST /_index_template/_simulate/{name}",
        "POST /_index_template/_simulate_index/{name}",
    }


def test_answers_given_at_once_are_for_who_is_known() -> None:
    async def scenario() -> None:
        asked = app()
        line = ("POST", b"/books/_search", b"")
        body = b'{"query":{"match_all":{}}}'

        def headers(login: bytes | None) -> dict[bytes, bytes]:
            return {b"content-type": b"application/json", **({} if login is None else {b"authorization": login})}

        status, _, _ = await asked.respond(*line, headers(ADMIN), body, Client())
        assert status == 200
        assert asked.at_once(*line, headers(ADMIN), body) is not None
        for stranger in (None, b"", basic("root:wrong one").encode(), READS):  # the reader has not logged in yet
            assert asked.at_once(*line, headers(stranger), body) is None
        assert (await asked.respond(*line, headers(None), body, Client()))[0] == 401
        assert (await asked.respond(*line, headers(READS), body, Client()))[0] == 200
        assert asked.at_once(*line, headers(READS), body) is not None
        asked._logins.replace({"reader": READER})
        assert asked.at_once(*line, headers(ADMIN), body) is None

    run(scenario)


def test_what_is_answered_at_once_has_to_read() -> None:
    route = Route("POST", "/_write", reached, at_once=lambda *_: b"{}")
    with pytest.raises(ValueError, match="POST /_write"):
        SecuredApp(node(), [route], logins=Logins({}))


def test_no_body_is_kept_before_it_is_known_who_sends_it() -> None:
    async def scenario() -> None:
        asked = app()
        for login, expected in ((None, 401), (READS, 403), (ADMIN, 200)):
            status, headers, received = await converse(asked, "POST", "/_bulk", login, b"{}")
            assert status == expected
            assert b"connection" not in headers
            assert received > 0
        assert asked._pressure.breakers.in_flight.used == 0
        status, headers, received = await converse(asked, "POST", "/_bulk", None, b"x" * 300, endless=True)
        assert (status, headers[b"connection"], received) == (401, b"close", 4)
        status, headers, received = await converse(asked, "POST", "/_bulk", None, b"x", expect=True)
        assert (status, headers[b"connection"], received) == (401, b"close", 0)

    run(scenario)


def test_failures_are_counted_by_the_address_of_the_connection() -> None:
    async def scenario() -> None:
        asked = app()
        for host, expected in (("10.0.0.1", 429), ("10.0.0.2", 401)):
            for number in range(11 if expected == 429 else 1):
                wrong = basic(f"root:wrong {number}").encode()
                status, headers, _ = await converse(asked, "GET", "/", wrong, client=(host, 1234))
            assert status == expected
            assert (b"retry-after" in headers) == (expected == 429)

    run(scenario)


def test_a_search_that_waited_for_a_login_can_be_ended_like_any() -> None:
    patient = []

    async def scenario() -> None:
        asked = app()
        client = Client(patient=True)

        async def seen(*_: Any) -> Response:
            patient.append(client.patient)
            return Response.json({})

        route = Route("GET", "/_mine", seen, reads=True)
        asked._router._add(route)
        for _ in range(2):
            assert (await asked.respond("GET", b"/_mine", b"", {b"authorization": READS}, b"", client))[0] == 200
        assert client.patient

    run(scenario)
    assert patient == [False, True]
