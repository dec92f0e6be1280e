"""What queries learn about fields from a mapping."""

from __future__ import annotations

import json

from quidditch.mapping import parse

MAPPING = parse(
    {
        "properties": {
            "title": {"type": "text", "analyzer": "english", "fields": {"raw": {"type": "keyword"}}},
            "also": {"type": "alias", "path": "title"},
            "day": {"type": "date", "format": "yyyy"},
            "n": {
                "type": "nested",
                "properties": {
                    "k": {"type": "keyword", "normalizer": "lowercase"},
                    "m": {"type": "nested", "properties": {"x": {"type": "long", "index": False}}},
                },
            },
            "w": {"type": "wildcard"},
            "ip": {"type": "ip", "null_value": "nonsense"},
        }
    }
)


def test_a_field_is_resolved_with_its_defaults() -> None:
    title = MAPPING.field("title")
    assert title is not None
    assert (title.analyzer, title.search_analyzer, title.search_quote_analyzer) == ("english", "english", "english")
    assert title.indexed
    assert not title.doc_values
    raw = MAPPING.field("title.raw")
    assert raw is not None
    assert raw.parent == "title"
    assert raw.doc_values


def test_an_alias_leads_to_its_target() -> None:
    assert MAPPING.field("also") == MAPPING.field("title")


def test_nested_scopes() -> None:
    assert MAPPING.nested_paths == ("n", "n.m")
    inner = MAPPING.field("n.m.x")
    assert inner is not None
    assert inner.nested == "n.m"
    assert not inner.indexed
    keyword = MAPPING.field("n.k")
    assert keyword is not None
    assert (keyword.nested, keyword.normalizer) == ("n", "lowercase")


def test_patterns_find_fields_and_aliases_but_no_metadata() -> None:
    assert list(MAPPING.matching("t*")) == ["title", "title.raw"]
    assert list(MAPPING.matching("*")) == ["also", "day", "ip", "n.k", "n.m.x", "title", "title.raw", "w"]
    assert list(MAPPING.matching("_id")) == ["_id"]
    assert MAPPING.matching("nope") == {}


def test_objects_are_no_fields() -> None:
    assert MAPPING.field("n") is None
    assert MAPPING.object("n") is not None


def test_the_kernel_gets_types_that_it_knows() -> None:
    properties = json.loads(MAPPING.kernel_json())["properties"]
    assert properties["w"]["type"] == "keyword"
    assert properties["ip"] == {"type": "ip"}
    assert properties["day"] == {"type": "date", "format": "yyyy"}
