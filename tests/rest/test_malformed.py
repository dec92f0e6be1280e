"""No request, however malformed, ends the process: each gets a 4xx that names its problem."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.client import Answer, Client
from tests.support.node import Node

DEEP = 2000
BODIES: dict[str, bytes] = {
    "empty object": b"{}",
    "no json": b"hello",
    "cut": b'{"query":{"match_all":{}',
    "not utf-8": b'{"a":"\xff\xfe"}',
    "lone surrogate": b'{"a":"\\ud800"}',
    "nul": b'{"a":"\x00"}',
    "deep array": b'{"a":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "deep object": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "huge number": b'{"size":' + b"9" * 400 + b"}",
    "nan": b'{"size":NaN}',
    "array": b"[1,2,3]",
    "text": b'"text"',
    "null": b"null",
    "number": b"42",
    "unknown member": b'{"no_such_member_of_a_body":1}',
    "newline": b"\n",
    "only newlines": b"\n\n\n",
    "wrong types": b'{"query":[],"size":"x","from":{},"sort":1,"aggs":"a","docs":3,"settings":1,"mappings":2}',
}
TARGETS = [
    ("POST", "/_bulk"),
    ("POST", "/fuzz/_bulk"),
    ("PUT", "/fuzz/_doc/1"),
    ("POST", "/fuzz/_update/1"),
    ("POST", "/_mget"),
    ("POST", "/fuzz/_search"),
    ("POST", "/_msearch"),
    ("POST", "/fuzz/_count"),
    ("PUT", "/fuzz-made"),
    ("PUT", "/fuzz/_mapping"),
    ("PUT", "/fuzz/_settings"),
    ("POST", "/_aliases"),
    ("PUT", "/_index_template/fuzz"),
    ("PUT", "/_cluster/settings"),
    ("POST", "/_analyze"),
]
PATHS = [
    "/%",
    "/%zz",
    "/%ff",
    "/fuzz/_doc/%c3%28",
    "/fuzz/_doc/1?version=x",
    "/fuzz/_doc/1?realtime=maybe",
    "/fuzz/_doc/1?=",
    "/fuzz/_doc/1?%ff=1",
    "/fuzz/_doc/1?nope=1",
    "/fuzz/_search?size=-1",
    "/fuzz/_search?size=9999999999999999999",
    "/fuzz/_search?from=-5",
    "/fuzz/_search?q=%5B",
    "/fuzz/_search?timeout=abc",
    "/fuzz/_search?format=smile",
    "/.../_search",
    "/FUZZ/_search?nope",
    "/<fuzz-{now/>/_search",
    "/fuzz/_doc",
    "/_cat/nothing",
    "/a/b/c/d/e/f",
]


@pytest.fixture(scope="module", autouse=True)
def _index(node: Node) -> None:
    with Client(node.url) as client:
        assert client.call("PUT", "/fuzz/_doc/0", {"a": 1}).status == 201


def _check(answer: Answer, good: bool = False) -> None:
    """A 4xx (or, where the request may be fine, a 2xx) whose body says something about the problem."""
    if good and answer.status < 300:
        return
    assert 400 <= answer.status < 500, answer
    error = answer.json["error"]
    if isinstance(error, dict):
        assert error["type"]
        assert error["root_cause"]
        assert "reason" in error
    else:
        assert error


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize(("method", "path"), TARGETS)
def test_bodies(client: Client, node: Node, method: str, path: str, name: str) -> None:
    _check(client.call(method, path, BODIES[name]), good=True)
    assert node.running


@pytest.mark.parametrize("path", PATHS)
def test_paths(client: Client, node: Node, path: str) -> None:
    _check(client.call("GET", path.replace("<", "%3C").replace(">", "%3E").replace("{", "%7B")))
    assert node.running


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "x"])
def test_encodings(client: Client, encoding: str) -> None:
    _check(client.call("POST", "/_bulk", b"no such encoding", {"Content-Encoding": encoding}))


JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
QUIET = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


@QUIET
@given(target=st.sampled_from(TARGETS), body=st.binary(max_size=200))
def test_any_bytes(node: Node, target: tuple[str, str], body: bytes) -> None:
    with Client(node.url) as client:
        _check(client.call(*target, body), good=True)


@QUIET
@given(target=st.sampled_from(TARGETS), body=JSON_VALUES)
def test_any_json(node: Node, target: tuple[str, str], body: Any) -> None:
    with Client(node.url) as client:
        _check(client.call(*target, json.dumps(body).encode()), good=True)


@QUIET
@given(lines=st.lists(JSON_VALUES, max_size=6))
def test_any_bulk(node: Node, lines: list[Any]) -> None:
    with Client(node.url) as client:
        _check(client.call("POST", "/fuzz/_bulk", lines or b"\n"), good=True)


@QUIET
@given(
    method=st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD", "PATCH", "OPTIONS"]),
    parts=st.lists(st.text(min_size=1, max_size=12), min_size=2, max_size=4),
    query=st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3),
)
def test_any_path(node: Node, method: str, parts: list[str], query: dict[str, str]) -> None:
    path = "".join("/" + quote(part, safe="") for part in parts)
    path += "?" + "&".join(f"{quote(name)}={quote(value)}" for name, value in query.items())
    with Client(node.url) as client:
        answer = client.call(method, path)
        if method != "HEAD":
            _check(answer, good=True)


def test_afterwards_the_node_works_and_is_not_bloated(client: Client, node: Node) -> None:
    assert client.call("GET", "/fuzz/_doc/0").json["found"]
    resident = int(Path(f"/proc/{node.pid}/statm").read_text().split()[1]) * 4096
    assert resident < 600 << 20
