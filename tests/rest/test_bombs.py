"""Small requests that ask for very much: an answer or a refusal, never a node that is busy for minutes, out of memory, or dead.

The client's patience is the only clock: what each of these took before it was bounded is minutes, hours, or all memory.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.client import Client
from tests.support.node import Node

WORDS = [f"w{number:04}" for number in range(2000)]
MOST = 1500 << 20
"""Bytes in memory that none of these may need beside what the node has."""


@pytest.fixture(scope="module", autouse=True)
def _index(node: Node) -> None:
    mapping = {"properties": {"t": {"type": "text"}, "k": {"type": "keyword"}, "d": {"type": "date"}}}
    lines: list[Any] = []
    for number, word in enumerate(WORDS):
        lines += [{"index": {"_id": str(number)}}, {"t": f"{word} aaa", "k": word, "d": number}]
    with Client(node.url) as client:
        client.call("PUT", "/bombs", {"mappings": mapping})
        assert not client.call("POST", "/bombs/_bulk?refresh=true", lines).json["errors"]


def _nested(head: str, tail: str, times: int, inner: str) -> bytes:
    return (head * times + inner + tail * times).encode()


QUERIES: dict[str, Any] = {
    "optional parts": {"regexp": {"k": "(a?){9999}b"}},
    "nothing, very often": {"regexp": {"k": "(){2147483647}"}},
    "anything, very often": {"regexp": {"k": "@{2147483647}"}},
    "repeated repetition": {"regexp": {"k": "((((a{9}){9}){9}){9}){9}"}},
    "as many states as wanted": {
        "regexp": {"k": {"value": "(.*a.{14}b.{14})|(a?){9000}", "max_determinized_states": 2**31 - 1}}
    },
    "backtracking": {"wildcard": {"k": "*w*w*w*w*w*w*w*w*w*w*w*w*w*x"}},
    "long wildcard": {"wildcard": {"k": "?*" * 20_000}},
    "long fuzzy": {"fuzzy": {"t": {"value": "a" * 20_000, "fuzziness": 2}}},
    "one long word": {"match": {"t": "a" * (8 << 20)}},
    "unclosed": {"simple_query_string": {"query": "(" * 50_000, "fields": ["t"]}},
    "many operators": {"simple_query_string": {"query": "+a|" * 5_000, "fields": ["t"]}},
    "parentheses": {"query_string": {"query": "(" * 20_000 + "a" + ")" * 20_000}},
    "many words": {"match": {"t": " ".join(WORDS * 5)}},
    "many fields": {"multi_match": {"query": "a b c", "fields": ["t"] * 2000}},
    "date math": {"range": {"d": {"gte": "now" + "+1d" * 5000}}},
}


@pytest.mark.parametrize("name", QUERIES)
def test_queries(client: Client, node: Node, name: str) -> None:
    answer = client.call("POST", "/bombs/_search", {"query": QUERIES[name]}, repeat=False)
    assert answer.status in (200, 400), answer.data[:500]
    assert client.call("GET", "/bombs/_doc/1").json["found"]
    assert node.running


BODIES: dict[str, bytes] = {
    "deep query": _nested('{"query":{"bool":{"must":', "}}}", 3000, '{"match_all":{}}'),
    "deep constant": b'{"query":' + _nested('{"constant_score":{"filter":', "}}", 500, '{"match_all":{}}') + b"}",
    "deep aggregations": b'{"aggs":' + _nested('{"a":{"terms":{"field":"k"},"aggs":', "}}", 300, "{}") + b"}",
    "deep arrays": b'{"query":' + _nested("[", "]", 100_000, "1") + b"}",
    "endless timeout": b'{"timeout":"9223372036854775807d"}',
    "as many hits as there are numbers": b'{"size":2147483647,"from":2147483647}',
    "all buckets": b'{"aggs":{"a":{"date_histogram":{"field":"d","fixed_interval":"1ms",'
    b'"extended_bounds":{"min":0,"max":9999999999999}}}}}',
    "tiny interval": b'{"aggs":{"a":{"histogram":{"field":"d","interval":1e-300}}}}',
}


@pytest.mark.parametrize("name", BODIES)
def test_bodies(client: Client, node: Node, name: str) -> None:
    answer = client.call("POST", "/bombs/_search", BODIES[name], repeat=False)
    assert answer.status in (200, 400), answer.data[:500]
    assert node.running


ANALYSES: dict[str, dict[str, Any]] = {
    "all beginnings": {
        "tokenizer": {"type": "edge_ngram", "min_gram": 1, "max_gram": 2**31 - 1},
        "text": "x" * 100_000,
    },
    "all paths": {"tokenizer": "path_hierarchy", "text": "a/" * 40_000},
    "all shingles": {
        "tokenizer": "whitespace",
        "filter": [{"type": "shingle", "min_shingle_size": 2, "max_shingle_size": 5}],
        "text": "a b " * 20_000,
    },
    "many synonyms": {
        "tokenizer": "whitespace",
        "filter": [{"type": "synonym", "synonyms": ["a => " + " ".join(WORDS)]}],
        "text": "a " * 50_000,
    },
    "many synonyms in a graph": {
        "tokenizer": "whitespace",
        "filter": [{"type": "synonym_graph", "synonyms": ["a => " + " ".join(WORDS)]}],
        "text": "a " * 50_000,
    },
    "backtracking": {"tokenizer": {"type": "pattern", "pattern": "(?=(a+)+$)(a+)+c"}, "text": "a" * 60},
    "one long word": {"tokenizer": "standard", "text": "б" * (2 << 20)},
}


@pytest.mark.parametrize("name", ANALYSES)
def test_analyses(client: Client, node: Node, name: str) -> None:
    answer = client.call("POST", "/_analyze", ANALYSES[name], repeat=False)
    assert answer.status in (200, 400), answer.data[:500]
    assert node.running


def test_a_text_cannot_be_blown_up(client: Client, node: Node) -> None:
    """Ten gigabytes, from two hundred kilobytes."""
    body = {
        "tokenizer": "keyword",
        "char_filter": [{"type": "mapping", "mappings": ["a=>" + "b" * 100_000]}],
        "text": "a" * 100_000,
    }
    assert client.call("POST", "/_analyze?filter_path=error", body, repeat=False).status in (200, 400)
    assert node.running


def test_filter_paths(client: Client) -> None:
    assert client.call("GET", "/_cluster/state?filter_path=" + "**." * 500 + "a", repeat=False).status == 200
    many = ",".join(["**.a*b*c*"] * 300)
    assert client.call("GET", "/_nodes/stats?filter_path=" + many, repeat=False).status == 200


def test_patterns_of_dynamic_templates(client: Client) -> None:
    mapping = {"match_pattern": "regex", "match": "(a+)+b", "mapping": {"type": "keyword"}}
    assert client.call("PUT", "/patterns", {"mappings": {"dynamic_templates": [{"a": mapping}]}}).status == 200
    assert client.call("PUT", "/patterns/_doc/1", {"a" * 40: 1}, repeat=False).status == 201
    assert client.call("PUT", "/patterns/_doc/2", {"aaab": 1}, repeat=False).status == 201
    properties = client.call("GET", "/patterns/_mapping").json["patterns"]["mappings"]["properties"]
    assert (properties["aaab"]["type"], properties["a" * 40]["type"]) == ("keyword", "long")


def test_a_giant_field_is_highlighted(client: Client) -> None:
    assert client.call("PUT", "/giant", {"settings": {"highlight.max_analyzed_offset": 2**31 - 1}}).status == 200
    assert client.call("PUT", "/giant/_doc/1?refresh=true", {"t": " ".join(WORDS * 300)}).status == 201
    highlight = {"fields": {"t": {"number_of_fragments": 0}}}
    body = {"query": {"match": {"t": " ".join(WORDS[:1000])}}, "_source": False, "highlight": highlight}
    answer = client.call("POST", "/giant/_search", body, repeat=False)
    [text] = answer.json["hits"]["hits"][0]["highlight"]["t"]
    assert text.count("<em>") == 300_000


def test_a_document_of_one_long_word(client: Client) -> None:
    assert (
        client.call("PUT", "/long-word/_doc/1", json.dumps({"t": "a" * (16 << 20)}).encode(), repeat=False).status
        == 201
    )


def test_afterwards_the_node_is_not_bloated(node: Node) -> None:
    with open(f"/proc/{node.pid}/status") as status:
        peak = next(line for line in status if line.startswith("VmHWM"))
    assert int(peak.split()[1]) << 10 < MOST
