"""Mappings as users write them: what is shown back, and how wrong ones are refused."""

from __future__ import annotations

from typing import Any

import pytest

from quidditch.mapping import ParseContext, parse, parse_for_create
from quidditch.model.errors import ApiError

CONTEXT = ParseContext(
    analyzers=frozenset({"default", "standard", "simple", "whitespace"}),
    normalizers=frozenset({"lowercase"}),
    similarities=frozenset({"BM25"}),
)


def _refused(definition: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        parse_for_create({"properties": {"a": definition}}, CONTEXT)
    return caught.value


@pytest.mark.parametrize(
    ("definition", "shown"),
    [
        ({"type": "text"}, {"type": "text"}),
        ({"type": "text", "analyzer": "standard"}, {"type": "text", "analyzer": "standard"}),
        ({"type": "text", "analyzer": "default"}, {"type": "text"}),
        (
            {"type": "text", "search_analyzer": "simple"},
            {"type": "text", "analyzer": "default", "search_analyzer": "simple"},
        ),
        (
            {"type": "text", "analyzer": "simple", "search_analyzer": "simple"},
            {"type": "text", "analyzer": "simple"},
        ),
        (
            {"type": "text", "search_quote_analyzer": "simple"},
            {
                "type": "text",
                "analyzer": "default",
                "search_analyzer": "default",
                "search_quote_analyzer": "simple",
            },
        ),
        ({"type": "keyword", "index": "false", "doc_values": True}, {"type": "keyword", "index": False}),
        (
            {"type": "long", "ignore_malformed": False, "coerce": True},
            {"type": "long", "ignore_malformed": False, "coerce": True},
        ),
        ({"type": "long", "boost": 3}, {"type": "long"}),
        ({"type": "float", "null_value": 3}, {"type": "float", "null_value": 3.0}),
        ({"type": "integer", "null_value": "10"}, {"type": "integer", "null_value": 10}),
        ({"type": "boolean", "null_value": "true"}, {"type": "boolean", "null_value": True}),
        ({"type": "date", "format": "strict_date_optional_time||epoch_millis"}, {"type": "date"}),
        ({"type": "scaled_float", "scaling_factor": 100}, {"type": "scaled_float", "scaling_factor": 100.0}),
        ({"type": "long", "meta": {"z": "1", "b": "2"}}, {"type": "long", "meta": {"b": "2", "z": "1"}}),
        ({"enabled": False}, {"type": "object", "enabled": False}),
        ({"type": "object"}, {"type": "object"}),
        ({"type": "nested", "include_in_parent": True}, {"type": "nested", "include_in_parent": True}),
        ({"properties": {"x": {"type": "long"}}}, {"properties": {"x": {"type": "long"}}}),
        ({"type": "text", "copy_to": "x"}, {"type": "text", "copy_to": ["x"]}),
        ({"type": "wildcard"}, {"type": "wildcard", "doc_values": True}),
        ({"type": "geo_point", "ignore_z_value": True}, {"type": "geo_point", "ignore_z_value": True}),
        (
            {"type": "text", "index_prefixes": {}},
            {"type": "text", "index_prefixes": {"min_chars": 2, "max_chars": 5}},
        ),
    ],
)
def test_a_definition_is_shown_without_its_defaults(definition: Any, shown: Any) -> None:
    mapping = parse_for_create({"properties": {"a": definition}}, CONTEXT)
    assert mapping.to_json() == {"properties": {"a": shown}}


@pytest.mark.parametrize(
    ("definition", "reason"),
    [
        ({"type": "x"}, "No handler for type [x] declared on field [a]"),
        ({"type": "text", "foo": 1}, "unknown parameter [foo] on mapper [a] of type [text]"),
        ({"foo": 1}, "No type specified for field [a]"),
        ("x", "Expected map for property [fields] on field [a] but got a class java.lang.String"),
        ({"type": "object", "foo": 1}, "Mapping definition for [a] has unsupported parameters:  [foo : 1]"),
        ({"type": "geo_point", "foo": 1}, "Mapping definition for [a] has unsupported parameters:  [foo : 1]"),
        ({"type": "alias"}, "The [path] property must be specified for field [a]."),
        ({"type": "keyword", "index": None}, "[index] on mapper [a] of type [keyword] must not have a [null] value"),
        ({"type": "keyword", "normalizer": "nope"}, "normalizer [nope] not found for field [a]"),
        ({"type": "keyword", "similarity": "nope"}, "Unknown Similarity type [nope] for field [a]"),
        (
            {"type": "keyword", "index_options": "positions"},
            "Unknown value [positions] for field [index_options] - accepted values are [docs, freqs]",
        ),
        ({"type": "text", "fields": {"b": {"type": "object"}}}, "Type [object] cannot be used in multi field"),
        ({"type": "text", "fields": {"b": {}}}, "no type specified for property [b]"),
        (
            {"type": "long", "meta": {"x": 1}},
            "[meta] values can only be strings, but got Integer[1] for field [a]",
        ),
    ],
)
def test_an_error_of_the_mapping_is_its_own_root_cause(definition: Any, reason: str) -> None:
    error = _refused(definition)
    cause = {"type": "mapper_parsing_exception", "reason": reason}
    assert error.response() == {
        "error": {
            "root_cause": [cause],
            "type": "mapper_parsing_exception",
            "reason": f"Failed to parse mapping [_doc]: {reason}",
            "caused_by": cause,
        },
        "status": 400,
    }


@pytest.mark.parametrize(
    ("definition", "kind", "reason"),
    [
        (
            {"type": "text", "analyzer": "nope"},
            "illegal_argument_exception",
            "analyzer [nope] has not been configured in mappings",
        ),
        ({"type": "keyword", "ignore_above": "x"}, "number_format_exception", 'For input string: "x"'),
        (
            {"type": "byte", "null_value": 1000},
            "illegal_argument_exception",
            "Value [1000] is out of range for a byte",
        ),
        (
            {"type": "integer", "null_value": "10.5"},
            "illegal_argument_exception",
            "Value [10.5] has a decimal part",
        ),
        (
            {"type": "float", "null_value": 1e300},
            "illegal_argument_exception",
            "[float] supports only finite values, but got [Infinity]",
        ),
        ({"type": "scaled_float"}, "illegal_argument_exception", "Field [scaling_factor] is required"),
        (
            {"type": "keyword", "index": "maybe"},
            "illegal_argument_exception",
            "Failed to parse value [maybe] as only [true] or [false] are allowed.",
        ),
    ],
)
def test_a_plain_error_is_wrapped_and_the_wrapper_is_the_root_cause(definition: Any, kind: str, reason: str) -> None:
    body = _refused(definition).response()["error"]
    wrapped = {"type": "mapper_parsing_exception", "reason": f"Failed to parse mapping [_doc]: {reason}"}
    assert body["root_cause"] == [wrapped]
    assert body["caused_by"] == {"type": kind, "reason": reason}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (
            {"foo": {"x": ["y", 2], "z": None}},
            "Root mapping definition has unsupported parameters:  [foo : {x=[y, 2], z=null}]",
        ),
        ({"_source": {"foo": 1}}, "unknown parameter [foo] on mapper [_source] of type [null]"),
        ({"_id": {}}, "_id is not configurable"),
        ({"properties": {".": {"type": "long"}}}, "Invalid field name ."),
        ({"properties": {"": {"type": "long"}}}, "name cannot be empty string"),
        ({"properties": "x"}, "properties must be a map type"),
        ({"properties": {"_id": {"type": "long"}}}, "Field [_id] is defined more than once"),
        ({"dynamic": "maybe"}, "Could not convert [dynamic.dynamic] to boolean"),
        ({"dynamic_templates": {}}, "Dynamic template syntax error. An array of named objects is expected."),
        ({"dynamic_templates": [{"a": {"match": "x"}}]}, "template must have mapping set"),
        (
            {"dynamic_templates": [{"a": {"match": "x", "foo": 1, "mapping": {}}}]},
            "Illegal dynamic template parameter: [foo]",
        ),
        (
            {"dynamic_templates": [{"a": {"match": "(", "match_pattern": "regex", "mapping": {}}}]},
            "Pattern [(] of type [regex] is invalid. Cannot create dynamic template [a].",
        ),
        ({"dynamic_date_formats": ["epoch_millis"]}, "Epoch [epoch_millis] is not supported as dynamic date format"),
    ],
)
def test_errors_of_the_root(body: Any, reason: str) -> None:
    with pytest.raises(ApiError) as caught:
        parse(body)
    assert caught.value.reason == reason
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        (
            {"a": {"type": "alias", "path": "b"}},
            "Invalid [path] value [b] for field alias [a]: an alias must refer to an existing field in the mappings.",
        ),
        (
            {"a": {"type": "alias", "path": "a"}},
            "Invalid [path] value [a] for field alias [a]: an alias cannot refer to itself.",
        ),
        (
            {"a": {"type": "alias", "path": "n.b"}, "n": {"type": "nested", "properties": {"b": {"type": "long"}}}},
            "Invalid [path] value [n.b] for field alias [a]: an alias must have the same nested scope as its target. "
            "The alias is not nested, but the target's nested scope is [n].",
        ),
        (
            {"a": {"type": "text", "copy_to": "o"}, "o": {"properties": {}}},
            "Cannot copy to field [o] since it is mapped as an object",
        ),
        (
            {"a": {"type": "text", "copy_to": "b.c"}, "b": {"type": "text", "fields": {"c": {"type": "keyword"}}}},
            "[copy_to] may not be used to copy to a multi-field: [b.c]",
        ),
        (
            {"a": {"type": "text", "fields": {"b": {"type": "keyword", "copy_to": "x"}}}},
            "[copy_to] may not be used to copy from a multi-field: [a.b]",
        ),
    ],
)
def test_references_between_fields_are_checked(properties: Any, reason: str) -> None:
    with pytest.raises(ApiError) as caught:
        parse_for_create({"properties": properties})
    assert caught.value.reason == reason


def test_the_root_is_shown_with_what_was_said() -> None:
    body = {
        "dynamic": "strict",
        "_meta": {"a": 1},
        "_routing": {"required": True},
        "_source": {"excludes": ["b"]},
        "date_detection": False,
        "numeric_detection": True,
        "dynamic_date_formats": ["yyyy/MM"],
        "dynamic_templates": [{"a": {"match": "x", "mapping": {}}}, {"a": {"match": "y", "mapping": {}}}],
        "properties": {"a.b": {"type": "long"}, "a": {"properties": {"c": {"type": "keyword"}}}},
    }
    shown = parse(body).to_json()
    assert shown == {**body, "properties": {"a": {"properties": {"b": {"type": "long"}, "c": {"type": "keyword"}}}}}
