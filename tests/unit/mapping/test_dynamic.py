"""Growth of mappings: what OpenSearch makes of the same documents (recorded from version 3.6)."""

from __future__ import annotations

import re
from typing import Any

import pytest

from quidditch.mapping import ParseContext, merge, parse
from quidditch.mapping.dynamic import UnknownField, grow
from quidditch.model.errors import ApiError

TEXT = {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}}


def _parses_date(text: str, date_format: str) -> bool:
    pattern = r"\d{4}-\d\d-\d\d" if date_format.startswith("strict_date") else r"\d{4}/\d\d/\d\d"
    return re.fullmatch(pattern, text) is not None


def _grown(mapping: dict[str, Any], *unknown: tuple[str, str, Any]) -> dict[str, Any]:
    root = parse(mapping)
    fields = [UnknownField(path=path, type=kind, sample=sample) for path, kind, sample in unknown]
    update = grow(root, fields, _parses_date)
    if update is None:
        return {}
    shown = merge(root, update).to_json()["properties"]
    assert isinstance(shown, dict)
    return shown


def test_types_follow_json() -> None:
    assert _grown(
        {},
        ("s", "string", "x"),
        ("l", "long", 1),
        ("d", "double", 1.5),
        ("b", "boolean", True),
        ("o.x", "long", 1),
        ("e", "object", None),
        ("num", "string", "12"),
        ("p.q.r", "string", "z"),
    ) == {
        "s": TEXT,
        "l": {"type": "long"},
        "d": {"type": "float"},
        "b": {"type": "boolean"},
        "o": {"properties": {"x": {"type": "long"}}},
        "e": {"type": "object"},
        "num": TEXT,
        "p": {"properties": {"q": {"properties": {"r": TEXT}}}},
    }


def test_dates_are_detected_in_the_first_format_that_fits() -> None:
    assert _grown({}, ("x", "string", "2020-01-01"), ("y", "string", "2020/01/01")) == {
        "x": {"type": "date"},
        "y": {
            "type": "date",
            "format": "yyyy/MM/dd HH:mm:ss||yyyy/MM/dd||epoch_millis",
            "print_format": "yyyy/MM/dd HH:mm:ss",
        },
    }
    assert _grown({"date_detection": False}, ("x", "string", "2020-01-01")) == {"x": TEXT}
    assert _grown({"dynamic_date_formats": ["yyyy/MM/dd"]}, ("x", "string", "2020-01-01")) == {"x": TEXT}


@pytest.mark.parametrize(
    ("text", "kind"),
    [("12", "long"), ("-5", "long"), ("1.5", "float"), ("1e5", "float"), ("12abc", "text"), ("", "text")],
)
def test_numbers_are_detected_if_asked_for(text: str, kind: str) -> None:
    assert _grown({"numeric_detection": True}, ("x", "string", text))["x"]["type"] == kind


def test_templates_by_type_name_and_path() -> None:
    mapping = {
        "dynamic_templates": [
            {"k": {"match": "*_k", "unmatch": "no_*", "mapping": {"type": "keyword"}}},
            {"i": {"match_mapping_type": "long", "mapping": {"type": "integer"}}},
            {"n": {"match": "nm_*", "mapping": {"type": "{dynamic_type}", "doc_values": False}}},
            {"c": {"match": "st", "mapping": {"copy_to": "{name}_all"}}},
            {"p": {"path_match": "a.*", "path_unmatch": "a.b.*", "mapping": {"type": "ip"}}},
            {"r": {"match_pattern": "regex", "match": "^pre_\\d+$", "mapping": {"type": "short"}}},
        ]
    }
    grown = _grown(
        mapping,
        ("a_k", "string", "x"),
        ("no_k", "string", "x"),
        ("l", "long", 3),
        ("nm_x", "double", 1.5),
        ("st", "string", "x"),
        ("a.c", "string", "x"),
        ("pre_1", "boolean", True),
    )
    assert grown == {
        "a_k": {"type": "keyword"},
        "no_k": TEXT,
        "l": {"type": "integer"},
        "nm_x": {"type": "float", "doc_values": False},
        "st": {"type": "text", "copy_to": ["st_all"]},
        "a": {"properties": {"c": {"type": "ip"}}},
        "pre_1": {"type": "short"},
    }


def test_templates_make_objects() -> None:
    mapping = {
        "dynamic_templates": [
            {"n": {"match_mapping_type": "object", "match": "nest", "mapping": {"type": "nested"}}},
            {"o": {"match_mapping_type": "object", "match": "off", "mapping": {"type": "object", "enabled": False}}},
        ]
    }
    assert _grown(mapping, ("nest.a", "long", 1), ("off.b", "long", 1)) == {
        "nest": {"type": "nested", "properties": {"a": {"type": "long"}}},
        "off": {"type": "object", "enabled": False},
    }


def test_what_a_template_puts_into_an_object_is_there() -> None:
    made = {"type": "object", "properties": {"bar": {"type": "keyword"}}}
    mapping = {
        "dynamic": "strict_allow_templates",
        "dynamic_templates": [{"o": {"match": "object*", "match_mapping_type": "object", "mapping": made}}],
    }
    assert _grown(mapping, ("objectField.bar", "string", "x")) == {"objectField": {"properties": made["properties"]}}


def test_a_template_that_cannot_be_used_fails_the_document() -> None:
    mapping = {"dynamic_templates": [{"d": {"match": "x", "mapping": {"type": "text", "analyzer": "nope"}}}]}
    context = ParseContext(analyzers=frozenset({"standard"}))
    with pytest.raises(ApiError) as caught:
        grow(parse(mapping), [UnknownField(path="x", type="string", sample="s")], _parses_date, context)
    assert (caught.value.type, caught.value.reason) == ("mapper_parsing_exception", "failed to parse")
    assert caught.value.details["caused_by"]["reason"] == "analyzer [nope] has not been configured in mappings"


def test_fields_grow_inside_nested_objects_that_are_there() -> None:
    mapping = {"properties": {"n": {"type": "nested", "include_in_parent": True, "dynamic": True}}}
    assert _grown(mapping, ("n.x", "long", 1))["n"]["properties"] == {"x": {"type": "long"}}


def test_the_closest_object_decides() -> None:
    mapping = {"properties": {"o": {"dynamic": False, "properties": {}}}}
    assert _grown(mapping, ("o.x", "long", 1), ("y", "long", 2)) == {
        "o": {"type": "object", "dynamic": "false"},
        "y": {"type": "long"},
    }
    assert _grown({"dynamic": False}, ("x", "long", 1)) == {}


@pytest.mark.parametrize(
    ("mapping", "path", "reason"),
    [
        ({"dynamic": "strict"}, "x", "mapping set to strict, dynamic introduction of [x] within [_doc] is not allowed"),
        (
            {"properties": {"o": {"dynamic": "strict", "properties": {}}}},
            "o.x",
            "mapping set to strict, dynamic introduction of [x] within [o] is not allowed",
        ),
        (
            {"dynamic": "strict_allow_templates", "dynamic_templates": [{"d": {"match": "ok", "mapping": {}}}]},
            "no",
            "mapping set to strict_allow_templates, dynamic introduction of [no] within [_doc] is not allowed",
        ),
        (
            {"properties": {"a": {"type": "text"}}},
            "a.x",
            "Could not dynamically add mapping for field [a.x]. "
            "Existing mapping for [a] must be of type object but found [text].",
        ),
    ],
)
def test_what_may_not_grow(mapping: dict[str, Any], path: str, reason: str) -> None:
    with pytest.raises(ApiError) as caught:
        _grown(mapping, (path, "long", 1))
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("second", "sample", "kind"), [("double", 2.5, "float"), ("string", "a", "text"), ("boolean", True, "boolean")]
)
def test_two_types_in_one_document_do_not_go_together(second: str, sample: Any, kind: str) -> None:
    with pytest.raises(ApiError, match=re.escape(f"mapper [x] cannot be changed from type [long] to [{kind}]")):
        _grown({}, ("x", "long", 1), ("x", second, sample))
