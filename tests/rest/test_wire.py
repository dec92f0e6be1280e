"""What goes over the wire besides documents: headers, HEAD, methods, limits."""

from __future__ import annotations

import gzip
import json
import socket

import pytest

from tests.support.client import Client
from tests.support.node import Node


@pytest.fixture(scope="module", autouse=True)
def _document(node: Node) -> None:
    client = Client(node.url)
    assert client.call("PUT", "/wire/_doc/1?refresh=true", {"text": "x" * 3000}).status == 201
    client.close()


def _raw(node: Node, data: bytes) -> bytes:
    """Bytes in, bytes out until the server closes the connection."""
    with socket.create_connection(("127.0.0.1", node.port), timeout=20) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        received = b""
        while piece := connection.recv(65536):
            received += piece
        return received


def test_info(client: Client) -> None:
    answer = client.call("GET", "/")
    assert answer.json["version"]["distribution"] == "opensearch"
    assert answer.json["tagline"] == "The OpenSearch Project: https://opensearch.org/"
    assert len(answer.json["cluster_uuid"]) >= 16
    assert answer.headers["x-elastic-product"] == "Elasticsearch"


@pytest.mark.parametrize("path", ["/", "/wire/_doc/1", "/wire/_source/1"])
def test_head_is_get_without_a_body(client: Client, path: str) -> None:
    got, head = client.call("GET", path), client.call("HEAD", path)
    assert (head.status, head.data) == (200, b"")
    assert head.headers["content-length"] == got.headers["content-length"] == str(len(got.data))


def test_head_of_what_is_missing(client: Client) -> None:
    assert client.call("HEAD", "/wire/_doc/2").status == 404
    assert client.call("HEAD", "/nothing/_doc/2").status == 404


def test_opaque_id_and_vendor_type(client: Client) -> None:
    kind = "application/vnd.elasticsearch+json; compatible-with=8"
    answer = client.call("GET", "/wire/_doc/1", headers={"X-Opaque-Id": "q", "Accept": kind})
    assert answer.headers["x-opaque-id"] == "q"
    assert answer.headers["content-type"].startswith("application/vnd.elasticsearch+json")


def test_gzip(client: Client) -> None:
    answer = client.call("GET", "/wire/_doc/1", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert json.loads(gzip.decompress(answer.data))["_source"] == {"text": "x" * 3000}
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    assert client.call("PUT", "/wire/_doc/2", gzip.compress(b'{"a":1}'), headers).status == 201


def test_a_method_that_the_path_does_not_have(client: Client) -> None:
    answer = client.call("PATCH", "/wire/_doc/1")
    assert answer.status == 405
    assert set(answer.headers["allow"].split(",")) == {"GET", "HEAD", "POST", "PUT", "DELETE"}


def test_a_line_that_is_too_long(node: Node) -> None:
    answer = _raw(node, b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"too_long_http_line_exception" in answer


def test_headers_that_are_too_long(node: Node) -> None:
    for head in (b"X-A: " + b"a" * 20000 + b"\r\n", b"X-A: b\r\n" * 4000):
        answer = _raw(node, b"GET / HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n")
        assert b"too_long_http_header_exception" in answer


def test_what_is_no_http(node: Node, client: Client) -> None:
    for data in (
        b"\x16\x03\x01\x02\x00",
        b"GARBAGE\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nA B: c\r\n\r\n",
    ):
        answer = _raw(node, data)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")
    assert client.call("GET", "/").status == 200


def test_a_body_that_is_declared_too_large(node: Node) -> None:
    head = b"POST /_bulk HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 999999999999\r\n\r\n"
    assert _raw(node, head).startswith(b"HTTP/1.1 413 ")


def test_pipelined_requests_are_answered_in_order(node: Node) -> None:
    request = b"GET /wire/_doc/%d?_source=false HTTP/1.1\r\nHost: x\r\n\r\n"
    last = b"GET /wire/_doc/9 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = _raw(node, request % 1 + request % 7 + last)
    places = [answer.index(b'"_id":"%d"' % number) for number in (1, 7, 9)]
    assert places == sorted(places)


def test_a_client_that_goes_away_hurts_nobody(node: Node, client: Client) -> None:
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", node.port)) as connection:
            connection.sendall(b"POST /_bulk HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
    assert client.call("GET", "/").status == 200


def test_figures_that_monitoring_reads_by_name(client: Client) -> None:
    """opensearch-benchmark's telemetry needs both collectors and all pools."""
    [node] = client.call("GET", "/_nodes/stats/jvm").json["nodes"].values()
    assert node["jvm"]["gc"]["collectors"].keys() == {"young", "old"}
    assert node["jvm"]["mem"]["pools"].keys() == {"young", "survivor", "old"}
