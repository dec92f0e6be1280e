"""The application itself, called as uvicorn calls it."""

import asyncio
import gzip
from types import SimpleNamespace
from typing import Any, cast

import orjson
import pytest
import yaml
from tests.support.asgi import scope
from tests.support.pressure import pressure_of

from quidditch.controlplane.api import ControlPlane
from quidditch.model.errors import ApiError
from quidditch.rest.node import Node
from quidditch.rest.pressure import Pressure
from quidditch.rest.request import Request
from quidditch.rest.response import Response
from quidditch.rest.route import Route
from quidditch.rest.server import App
from quidditch.rest.traffic import Traffic

JSON = {"content-type": "application/json"}


class Answer:
    def __init__(self, messages: list[dict[str, Any]]) -> None:
        start, body = messages
        self.status: int = start["status"]
        self.headers = {name.decode(): value.decode() for name, value in start["headers"]}
        self.body: bytes = body["body"]
        assert int(self.headers["content-length"]) == len(self.body)

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


async def _echo(request: Request, _node: Node) -> Response:
    answer = {"body": request.json_or_none(), "size": request.int("size"), "id": request.param("id"), "none": {}}
    return Response.json(answer).warning('"old"')


async def _raw(_request: Request, _node: Node) -> Response:
    return Response.raw(b'{"a":{"b":1,"c":2}}')


async def _fails(_request: Request, _node: Node) -> Response:
    raise RuntimeError("nobody thought of it")


async def _refuses(_request: Request, _node: Node) -> Response:
    raise ApiError(418, "teapot_exception", "short and stout", {"caused_by": {"type": "a", "reason": "b"}})


async def _large(_request: Request, _node: Node) -> Response:
    return Response.json({"text": "x" * 5000})


ROUTES = [
    Route("GET", "/_echo/{id}", _echo, ["size"]),
    Route("POST", "/_echo/{id}", _echo, ["size"]),
    Route("GET", "/_raw", _raw, body=False),
    Route("GET", "/_alone", _raw, body=False, alone=True),
    Route("GET", "/_fails", _fails),
    Route("GET", "/_refuses", _refuses),
    Route("GET", "/_large", _large),
    Route("POST", "/_lines", _echo, stream=True, load="write"),
]


def _app(pressure: Pressure | None = None, version: int = 1) -> App:
    node = Node.__new__(Node)
    node.pressure = pressure or pressure_of(1 << 20, 1 << 20)
    node.traffic = Traffic()
    node.control = cast("ControlPlane", SimpleNamespace(state=SimpleNamespace(version=version)))
    return App(node, ROUTES, max_body_bytes=1000)


def call(
    method: str,
    target: str,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    app: App | None = None,
    chunks: int = 1,
) -> Answer:
    given = dict(headers or {})
    if body and chunks == 1:
        given.setdefault("content-length", str(len(body)))
    elif body:
        given["transfer-encoding"] = "chunked"
    size = -(-len(body) // chunks)
    pieces = [body[at : at + size] for at in range(0, len(body), size)] if body else [b""]
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        if not pieces:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run((app or _app())(scope(method, target, given), receive, send))
    return Answer(sent)


def test_answers_with_the_product_header_and_the_opaque_id() -> None:
    answer = call("GET", "/_echo/a%2Fb?size=3", headers={"x-opaque-id": "me"})
    assert answer.status == 200
    assert answer.headers["x-elastic-product"] == "Elasticsearch"
    assert answer.headers["x-opaque-id"] == "me"
    assert answer.headers["content-type"] == "application/json; charset=UTF-8"
    assert answer.headers["warning"].startswith("299 OpenSearch-")
    assert answer.json == {"body": None, "size": 3, "id": "a/b", "none": {}}


def test_a_body_may_come_in_pieces() -> None:
    assert call("POST", "/_echo/1", b'{"a":[1,2,3]}', JSON, chunks=4).json["body"] == {"a": [1, 2, 3]}


def test_no_route() -> None:
    answer = call("GET", "/nope/nope?x=1")
    assert (answer.status, answer.json) == (
        400,
        {"error": "no handler found for uri [/nope/nope?x=1] and method [GET]"},
    )


def test_wrong_method() -> None:
    answer = call("PUT", "/_echo/1")
    assert answer.status == 405
    assert answer.headers["allow"] == "GET,POST"
    text = "Incorrect HTTP method for uri [/_echo/1] and method [PUT], allowed: [GET, POST]"
    assert answer.json == {"error": text, "status": 405}
    options = call("OPTIONS", "/_echo/1")
    assert (options.status, options.headers["allow"], options.body) == (200, "GET,POST", b"")


def test_unknown_parameter() -> None:
    answer = call("GET", "/_echo/1?sise=3")
    assert answer.status == 400
    reason = "request [/_echo/1] contains unrecognized parameter: [sise] -> did you mean [size]?"
    assert answer.json["error"]["reason"] == reason


def test_content_types() -> None:
    form = call("POST", "/_echo/1", b"{}", {"content-type": "application/x-www-form-urlencoded"})
    text = "Content-Type header [application/x-www-form-urlencoded] is not supported"
    assert (form.status, form.json) == (406, {"error": text, "status": 406})
    missing = call("POST", "/_echo/1", b"{}")
    assert (missing.status, missing.json) == (406, {"error": "Content-Type header is missing", "status": 406})
    smile = call("POST", "/_echo/1", b"{}", {"content-type": "application/smile"})
    assert smile.status == 406


def test_yaml_in_and_out() -> None:
    answer = call("POST", "/_echo/1", b"a: [1, x]\nd: 2024-01-01\n", {"content-type": "application/yaml"})
    assert answer.headers["content-type"] == "application/yaml"
    assert yaml.safe_load(answer.body)["body"] == {"a": [1, "x"], "d": "2024-01-01"}
    as_json = call("POST", "/_echo/1?format=json", b"a: 1", {"content-type": "application/yaml"})
    assert as_json.json["body"] == {"a": 1}


def test_yaml_aliases_and_streams_are_refused() -> None:
    bomb = b"a: &a [x]\nb: [*a, *a]\n"
    assert call("POST", "/_echo/1", bomb, {"content-type": "application/yaml"}).status == 400
    lines = call("POST", "/_lines", b"a: 1", {"content-type": "application/yaml"})
    assert lines.status == 406
    assert b"does not support stream parsing" in lines.body


def test_a_vendors_client_gets_its_type() -> None:
    kind = "application/vnd.elasticsearch+json; compatible-with=8"
    answer = call("POST", "/_echo/1", b"{}", {"content-type": kind, "accept": kind})
    assert answer.headers["content-type"] == "application/vnd.elasticsearch+json;compatible-with=8"


def test_gzip_both_ways() -> None:
    packed = gzip.compress(b'{"a":1}')
    answer = call("POST", "/_echo/1", packed, {**JSON, "content-encoding": "gzip"})
    assert answer.json["body"] == {"a": 1}
    large = call("GET", "/_large", headers={"accept-encoding": "gzip, deflate"})
    assert large.headers["content-encoding"] == "gzip"
    assert orjson.loads(gzip.decompress(large.body)) == {"text": "x" * 5000}
    small = call("GET", "/_raw", headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in small.headers


def test_bad_compression() -> None:
    broken = call("POST", "/_echo/1", b"no gzip", {**JSON, "content-encoding": "gzip"})
    assert broken.status == 400
    cut = call("POST", "/_echo/1", gzip.compress(b'{"a":1}')[:-9], {**JSON, "content-encoding": "gzip"})
    assert cut.status == 400
    parts = gzip.compress(b'{"a":') + gzip.compress(b"1}")
    assert call("POST", "/_echo/1", parts, {**JSON, "content-encoding": "gzip"}).json["body"] == {"a": 1}
    more = call("POST", "/_echo/1", parts + b"rest", {**JSON, "content-encoding": "gzip"})
    assert more.status == 400
    bomb = call("POST", "/_echo/1", gzip.compress(b" " * 100_000), {**JSON, "content-encoding": "gzip"})
    assert bomb.status == 413
    brotli = call("POST", "/_echo/1", b"x", {**JSON, "content-encoding": "br"})
    assert brotli.status == 415


@pytest.mark.parametrize("chunks", [1, 4])
def test_too_large_a_body(chunks: int) -> None:
    pressure = pressure_of(1 << 20, 1 << 20)
    answer = call("POST", "/_echo/1", b"x" * 1001, JSON, _app(pressure), chunks)
    assert answer.status == 413
    assert answer.headers["connection"] == "close"
    assert pressure.breakers.in_flight.used == 0


def test_pressure() -> None:
    busy = call("POST", "/_lines", b'{"a":1}', JSON, _app(pressure_of(1 << 20, 3)))
    assert (busy.status, busy.json["error"]["type"]) == (429, "rejected_execution_exception")
    full = call("POST", "/_lines", b'{"a":1}', JSON, _app(pressure_of(3, 1 << 20)))
    assert (full.status, full.json["error"]["type"]) == (429, "circuit_breaking_exception")
    assert full.json["error"]["durability"] == "TRANSIENT"


def test_errors_have_opensearchs_form() -> None:
    answer = call("GET", "/_refuses?filter_path=x")
    cause = {"type": "teapot_exception", "reason": "short and stout"}
    expected = {"root_cause": [cause], **cause, "caused_by": {"type": "a", "reason": "b"}}
    assert (answer.status, answer.json) == (418, {"error": expected, "status": 418})


def test_error_trace() -> None:
    answer = call("GET", "/_refuses?error_trace=true")
    assert "short and stout" in answer.json["error"]["stack_trace"]
    assert "stack_trace" in answer.json["error"]["root_cause"][0]


def test_the_unforeseen_is_a_500(caplog: pytest.LogCaptureFixture) -> None:
    answer = call("GET", "/_fails")
    assert (answer.status, answer.json["error"]["reason"]) == (500, "RuntimeError: nobody thought of it")
    assert "GET /_fails failed" in caplog.text


def test_pretty_and_filter_path_of_raw_answers() -> None:
    assert call("GET", "/_raw").body == b'{"a":{"b":1,"c":2}}'
    assert call("GET", "/_raw?filter_path=a.b").body == b'{"a":{"b":1}}'
    assert call("GET", "/_raw?pretty").body.startswith(b'{\n  "a" : {\n')
    assert call("GET", "/_raw?format=yaml").body == b"---\na:\n  b: 1\n  c: 2\n"


def test_a_body_where_none_belongs() -> None:
    answer = call("GET", "/_raw", b"{}", JSON)
    assert answer.json["error"]["reason"] == "request [GET /_raw] does not support having a body"


@pytest.mark.parametrize("body", [b"{", b"[1,", b'{"a":}', b"\xff", b'{"a":"\xc3\x28"}', b"nul", b"[" * 900])
def test_what_is_no_json_is_a_400(body: bytes) -> None:
    answer = call("POST", "/_echo/1", body, JSON)
    assert answer.status == 400
    assert answer.json["error"]["type"] in ("json_parse_exception", "json_e_o_f_exception")


def test_source_parameter_needs_its_type() -> None:
    answer = call("GET", "/_echo/1?source=%7B%22a%22:1%7D&source_content_type=application/json")
    assert answer.json["body"] == {"a": 1}
    missing = call("GET", "/_echo/1?source=%7B%7D")
    assert missing.json["error"]["reason"] == "source and source_content_type parameters are required"


def test_before_the_node_has_joined_a_cluster_it_knows_nothing() -> None:
    app = _app(version=0)
    refused = call("GET", "/_raw", app=app)
    assert (refused.status, refused.json["error"]["type"]) == (503, "cluster_block_exception")
    assert refused.json["error"]["reason"] == "blocked by: [SERVICE_UNAVAILABLE/1/state not recovered / initialized];"
    assert call("GET", "/_alone", app=app).status == 200
