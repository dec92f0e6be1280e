"""Requests gone wrong: seeds (whole, valid requests) and ways to break them. Pure: the same chance gives the same requests.

Seeds are the recorded transcripts, one request for each route of the registry and, where it is there, OpenSearch's REST suite.
"""

from __future__ import annotations

import copy
import gzip
import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from quidditch.rest.registry import all_routes
from quidditch.rest.route import COMMON_PARAMS, METHODS
from tests.support import transcripts

TRANSCRIPTS = Path(__file__).parent.parent / "rest/transcripts"
INDEX = "fuzz"
NESTING = 3000


@dataclass(frozen=True)
class Case:
    """One request; `what` says how it was broken."""

    method: str
    path: str
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    what: str = "whole"

    def __str__(self) -> str:
        body = self.body if len(self.body) < 600 else self.body[:300] + b" ... " + self.body[-60:]
        return f"[{self.what}] {self.method} {self.path[:400]} {body!r}"


# --- seeds ----------------------------------------------------------------------------------------------------------------


def recorded() -> Iterator[list[Case]]:
    """The requests of each transcript, in order."""
    for file in sorted(TRANSCRIPTS.glob("*.txt")):
        _, exchanges = transcripts.parse(file.read_text())
        yield [_recorded(exchange) for exchange in exchanges]


def _recorded(exchange: transcripts.Exchange) -> Case:
    lines = "_bulk" in exchange.path or "_msearch" in exchange.path
    body = "\n".join(exchange.body) + ("\n" if lines and exchange.body else "")
    return Case(exchange.method, quote(exchange.path, safe="/?&=*,<>+:%-_.~"), body.encode())


_PLACES = {
    "index": INDEX, "id": "1", "name": "t", "alias": "a", "metric": "_all", "block": "write", "task_id": "x:1",
    "fields": "t", "node_id": "_local", "thread_pools": "search", "target": INDEX, "scroll_id": "abc",
}  # fmt: skip
_BODIES: list[tuple[str, Any]] = [
    ("_bulk", b'{"index":{"_index":"fuzz","_id":"2"}}\n{"t":"x"}\n'),
    ("_msearch", b'{"index":"fuzz"}\n{"query":{"match_all":{}}}\n'),
    ("point_in_time", {"pit_id": ["abc"]}),
    ("_search/scroll", {"scroll_id": "abc", "scroll": "1m"}),
    ("_search", {"query": {"match": {"t": "x"}}, "size": 2, "sort": ["i"], "aggs": {"a": {"terms": {"field": "k"}}}}),
    ("_count", {"query": {"term": {"k": "x"}}}),
    ("_explain", {"query": {"term": {"k": "x"}}}),
    ("_validate", {"query": {"term": {"k": "x"}}}),
    ("_field_caps", {"index_filter": {"term": {"k": "x"}}}),
    ("_update", {"doc": {"t": "y"}, "upsert": {"t": "z"}}),
    ("_mget", {"docs": [{"_index": INDEX, "_id": "1"}]}),
    ("_analyze", {"analyzer": "standard", "text": "a b"}),
    ("_mapping", {"properties": {"z": {"type": "keyword"}}}),
    ("_settings", {"index": {"refresh_interval": "1s"}}),
    ("_aliases", {"actions": [{"add": {"index": INDEX, "alias": "a"}}]}),
    ("_alias", {"filter": {"term": {"k": "x"}}}),
    ("_index_template", {"index_patterns": ["fz-*"], "priority": 1, "template": {"settings": {"number_of_shards": 1}}}),
    ("_component_template", {"template": {"mappings": {"properties": {"a": {"type": "long"}}}}}),
    ("_template", {"index_patterns": ["fz-*"], "order": 1}),
    ("_cluster/settings", {"transient": {"search.max_buckets": 1000}}),
    ("_doc", {"t": "x", "k": "y", "i": 1}),
    ("_create", {"t": "x"}),
    ("{index}", {"settings": {"number_of_shards": 1}, "mappings": {"properties": {"t": {"type": "text"}}}}),
]


def routed() -> list[Case]:
    """One request for each route."""
    found = []
    for route in all_routes():
        path = re.sub(r"\{(\w+)\}", lambda place: _PLACES.get(place[1], "x"), route.path)
        if "timeout" in route.params:
            path += "?timeout=1s"  # what waits for something that will not be ends
        content: Any = next((body for part, body in _BODIES if part in route.path), {})
        takes = route.body and route.method in ("PUT", "POST")
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        found.append(Case(route.method, path, data if takes else b""))
    return found


def parameters(path: str) -> list[str]:
    """The parameters of the routes that a path may be meant for."""
    parts = [part for part in path.partition("?")[0].split("/") if part]
    found: set[str] = set(COMMON_PARAMS)
    for route in all_routes():
        names = [part for part in route.path.split("/") if part]
        if len(names) == len(parts) and all(n.startswith("{") or n == p for n, p in zip(names, parts, strict=True)):
            found |= route.params
    return sorted(found)


# --- ways to break them ---------------------------------------------------------------------------------------------------

VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 1.5, -0.0, 2**31, 2**53 + 1, 2**63, 2**64, -(2**63) - 1, 10**30, 1e308, 5e-324, "", " ",
    "x", "*", "_all", ".", "..", "-1", "1e400", "NaN", "Infinity", "null", "true", "\u0000", "\ud83d\ude00", "a" * 2000,
    "a.b.c", ".a", "a.", "a..b", "now", "now/d", "now+999999999999y", "||", "9999-99-99", "-292275055-05-16", "[", "(", "a{99999}",
    "(" * 200, "\\", "~", "%", "${x}", "<a-{now/d}>", [], {}, [[]], [None], [{}], {"": 1}, {"a": {}}, ["a", 1, None, {}],
    {"a": 1, "b": 2}, [1, 2, 3], [0.5, "x"], {"type": "keyword"}, {"field": "t"}, {"query": "x"}, {"value": []},
]  # fmt: skip
TEXTS = [
    "", "%20", "x", "-1", "0", "1", "99999999999999999999", "1.5", "NaN", "true", "%00", "%ff", "%zz", "%2F", "%", "*", "_all", ",",
    ",,,", "-x", "<x-{now/d}>", "1m", "-1m", "99999999d", "1x", "a" * 3000, "%F0%9F%98%80", "[", "null", "a:b:c", "%0a", "+", "asc",
]  # fmt: skip
RAW = [
    b"NaN",
    b"Infinity",
    b"-",
    b"1e999",
    b"9" * 500,
    b"01",
    b"'x'",
    b'"\\ud800"',
    b'"\xff"',
    b'"\x00"',
    b"//",
    b"undefined",
]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every position in a JSON value."""
    yield path
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in members:
        yield from places(inner, (*path, key))


def at(value: Any, path: Sequence[Any]) -> Any:
    for key in path:
        value = value[key]
    return value


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """The value with another one at a position."""
    if not path:
        return new
    result = copy.deepcopy(value)
    at(result, path[:-1])[path[-1]] = new
    return result


def _json(body: bytes) -> tuple[list[Any], bool]:
    """The JSON values of a body, and whether they are lines."""
    try:
        return [json.loads(body)], False
    except ValueError:
        return [json.loads(line) for line in body.split(b"\n") if line.strip()], True


def _bytes(values: list[Any], lines: bool) -> bytes:
    texts = [json.dumps(value).encode() for value in values]
    return b"".join(text + b"\n" for text in texts) if lines else texts[0]


def _on_value(case: Case, chance: random.Random, change: Callable[[Any, random.Random], Any], what: str) -> Case | None:
    try:
        values, lines = _json(case.body)
    except ValueError:
        return None
    if not values:
        return None
    which = chance.randrange(len(values))
    values[which] = change(values[which], chance)
    return replace(case, body=_bytes(values, lines), what=what)


def other_value(value: Any, chance: random.Random) -> Any:
    return put(value, chance.choice(list(places(value))), copy.deepcopy(chance.choice(VALUES)))


def more_member(value: Any, chance: random.Random) -> Any:
    objects = [path for path in places(value) if isinstance(at(value, path), dict)]
    if not objects:
        return value
    path = chance.choice(objects)
    name = chance.choice(
        ["no_such_member", "", "_name", "boost", "a.b", "\u0000", "type", "field", "query", "size", "0"]
    )
    return put(value, path, {**at(value, path), name: copy.deepcopy(chance.choice(VALUES))})


def less(value: Any, chance: random.Random) -> Any:
    inner = [path for path in places(value) if path]
    if not inner:
        return value
    path = chance.choice(inner)
    result = copy.deepcopy(value)
    del at(result, path[:-1])[path[-1]]
    return result


def other_name(value: Any, chance: random.Random) -> Any:
    inner = [path for path in places(value) if path and isinstance(path[-1], str)]
    if not inner:
        return value
    path = chance.choice(inner)
    names = ["no_such_name", "", ".", "*", "a" * 300, "_id", "_source", "é", str(path[-1]).upper(), f"{path[-1]}s"]
    holder = at(value, path[:-1])
    new = chance.choice(names)
    return put(value, path[:-1], {new if key == path[-1] else key: inner for key, inner in holder.items()})


def moved(value: Any, chance: random.Random) -> Any:
    """One part of the body in the place of another."""
    found = list(places(value))
    return put(value, chance.choice(found), copy.deepcopy(at(value, chance.choice(found))))


def wrapped(value: Any, chance: random.Random) -> Any:
    """A part of the body inside a list or an object, or out of one."""
    path = chance.choice(list(places(value)))
    inner = at(value, path)
    if isinstance(inner, list) and inner and chance.random() < 0.5:
        return put(value, path, inner[0])
    return put(value, path, [inner] if chance.random() < 0.5 else {chance.choice(["value", "query", "x"]): inner})


def torn(case: Case, chance: random.Random) -> Case:
    body = case.body
    cut = chance.randrange(len(body) + 1)
    kind = chance.randrange(4)
    if kind == 0:
        return replace(case, body=body[:cut], what="cut")
    if kind == 1:
        return replace(case, body=body[:cut] + bytes([chance.randrange(256)]) + body[cut + 1 :], what="one byte")
    if kind == 2:
        return replace(case, body=body[:cut] + chance.choice(RAW) + body[cut:], what="inserted")
    numbers = list(re.finditer(rb'-?\d+(\.\d+)?|"[^"]*"|true|false|null', body))
    if not numbers:
        return replace(case, body=body[cut:], what="tail")
    token = chance.choice(numbers)
    return replace(case, body=body[: token.start()] + chance.choice(RAW) + body[token.end() :], what="token")


def doubled(case: Case, chance: random.Random) -> Case:
    """A member stands twice."""
    found = list(re.finditer(rb'"[^"\\]*": ?("[^"\\]*"|\d+|true|false)', case.body))
    if not found:
        return replace(case, body=case.body * 2, what="twice")
    member = chance.choice(found)
    return replace(case, body=case.body[: member.end()] + b", " + member[0] + case.body[member.end() :], what="doubled")


def parameter(case: Case, chance: random.Random) -> Case:
    path, _, query = case.path.partition("?")
    known = parameters(path)
    name = chance.choice([*known, *known, "no_such_parameter", "", "%ff", "q"])
    extra = f"{name}={chance.choice(TEXTS)}"
    joined = "&".join(piece for piece in (query, extra) if piece)
    return replace(case, path=f"{path}?{joined}", what="parameter")


def segment(case: Case, chance: random.Random) -> Case:
    path, mark, query = case.path.partition("?")
    parts = path.split("/")
    parts[chance.randrange(1, len(parts))] = chance.choice(
        [*TEXTS, "_search", "_doc", "_bulk", "%2e%2e", "fuzz,-fuzz", "FUZZ"]
    )
    return replace(case, path="/".join(parts) + mark + query, what="segment")


def method(case: Case, chance: random.Random) -> Case:
    return replace(case, method=chance.choice([*METHODS, "OPTIONS", "TRACE"]), what="method")


def header(case: Case, chance: random.Random) -> Case:
    name, value = chance.choice(
        [
            ("Content-Type", "text/plain"), ("Content-Type", ""), ("Content-Type", "application/json; charset=utf-16"),
            ("Content-Type", "application/yaml"), ("Content-Type", "application/smile"), ("Content-Type", "application/cbor"),
            ("Content-Type", "a/b/c;;;"), ("Content-Encoding", "gzip"), ("Content-Encoding", "br"), ("Accept", "image/png"),
            ("Accept", "application/yaml"), ("Accept", "application/cbor"), ("Accept", ";;;"), ("X-Opaque-Id", "x" * 5000),
            ("Accept-Encoding", "gzip, br;q=0"), ("Content-Type", "application/x-ndjson"), ("Authorization", "Basic !!!"),
        ]
    )  # fmt: skip
    return replace(case, headers={**case.headers, name: value}, what=f"header {name}: {value[:40]}")


def deep(case: Case, chance: random.Random) -> Case | None:
    """A part of the body nests too far."""
    try:
        values, lines = _json(case.body)
    except ValueError:
        return None
    which = chance.randrange(len(values)) if values else 0
    path = chance.choice(list(places(values[which])))
    mark = "\u0001deep"
    open_, close = chance.choice(
        [("[", "]"), ('{"a":', "}"), ('{"bool":{"must":', "}}"), ('{"properties":{"a":', "}}"), ('{"aggs":{"a":', "}}")]
    )
    count = chance.choice([25, 120, NESTING])
    values[which] = put(values[which], path, mark)
    text = _bytes(values, lines)
    return replace(
        case, body=text.replace(json.dumps(mark).encode(), (open_ * count + "1" + close * count).encode()), what="deep"
    )


_VALUED = (other_value, other_value, other_value, more_member, less, other_name, moved, wrapped)


def broken(case: Case, chance: random.Random) -> Case:
    """The request, broken in one way."""
    roll = chance.random()
    result: Case | None = None
    if case.body and roll < 0.72:
        if roll < 0.5:
            change = chance.choice(_VALUED)
            result = _on_value(case, chance, change, change.__name__)
        elif roll < 0.6:
            result = torn(case, chance)
        elif roll < 0.66:
            result = doubled(case, chance)
        else:
            result = deep(case, chance)
    if result is None:
        way = chance.choice((parameter, parameter, parameter, segment, method, header))
        result = way(case, chance)
    return result


# --- what is wrong with an answer -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Seen:
    """An answer; status 0 means none came, and `data` says why."""

    status: int
    data: bytes
    seconds: float = 0.0


def plain(data: bytes) -> bytes:
    """An answer's body without the compression that a broken request may have asked for."""
    return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data


def problem(case: Case, seen: Seen, patience: float = 10.0) -> str | None:
    """What is wrong with the answer, whatever the request; None if nothing."""
    if seen.status == 0:
        return f"no answer: {seen.data.decode()}"
    if seen.seconds > patience:
        return "took too long"
    if seen.status >= 500:
        return f"status {seen.status}: {_type_of(seen.data)}"
    if (
        b"Traceback (most recent call last)" in seen.data and "error_trace" not in case.path
    ) or b"panicked" in seen.data:
        return "the inside shows"
    if b'"status":500' in seen.data:
        return "a part answers 500"
    if seen.status < 400 or case.method == "HEAD" or not seen.data:
        return None
    if seen.status in (404, 408) and not seen.data.lstrip().startswith(b'{"error"'):
        return None  # a document or an index that is not there, a health that did not come
    return _unclear(seen.data)


def _type_of(data: bytes) -> str:
    found = re.findall(rb'"type":\s*"([a-z_]+)"', data)
    return b" < ".join(dict.fromkeys(found)).decode()


def _unclear(data: bytes) -> str | None:
    """What an error body lacks."""
    if data.startswith(b"error:") or b"\nerror:" in data or data.startswith(b"---"):
        return None  # YAML was asked for
    try:
        error = json.loads(data)["error"]
    except (ValueError, KeyError, TypeError):
        return "the error is no error body"
    if isinstance(error, str):
        return None if error else "the error has no text"
    if not error.get("type") or "root_cause" not in error:
        return "the error has no type or no root_cause"
    reason = error.get("reason")
    if not reason and error["type"] not in ("null_pointer_exception",):
        return f"the error has no reason: {error['type']}"
    return None


def difference(ours: Seen, theirs: Seen) -> str | None:
    """What one node accepts and the other refuses."""
    if (ours.status < 400) == (theirs.status < 400) or 0 in (ours.status, theirs.status):
        return None
    if ours.status < 400:
        return f"accepted ({ours.status}), the other: {theirs.status} {_reason_of(theirs.data)}"
    return f"refused ({ours.status} {_type_of(ours.data)}), the other accepts ({theirs.status})"


def _reason_of(data: bytes) -> str:
    return data[:300].decode(errors="replace")
