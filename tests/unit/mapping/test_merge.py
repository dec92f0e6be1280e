"""Updates of a living mapping, and mappings composed from templates."""

from __future__ import annotations

from typing import Any

import pytest

from quidditch.mapping import Limits, compose, merge, parse
from quidditch.model.errors import ApiError

BASE = parse(
    {
        "properties": {
            "t": {"type": "text", "analyzer": "english", "fields": {"k": {"type": "keyword"}}},
            "l": {"type": "long", "index": False},
            "o": {"properties": {"x": {"type": "long"}}},
            "n": {"type": "nested", "properties": {"x": {"type": "long"}}},
            "al": {"type": "alias", "path": "l"},
            "k": {"type": "keyword", "ignore_above": 5, "norms": True},
            "e": {"type": "object", "enabled": False},
        }
    }
)


@pytest.mark.parametrize(
    ("update", "reason"),
    [
        ({"t": {"type": "long"}}, "mapper [t] cannot be changed from type [text] to [long]"),
        (
            {"t": {"type": "text"}},
            "Mapper for [t] conflicts with existing mapper:\n"
            "\tCannot update parameter [analyzer] from [english] to [default]",
        ),
        (
            {"k": {"type": "keyword", "index": False, "doc_values": False}},
            "Mapper for [k] conflicts with existing mapper:\n"
            "\tCannot update parameter [index] from [true] to [false]\n"
            "\tCannot update parameter [doc_values] from [true] to [false]",
        ),
        ({"t": {"properties": {}}}, "can't merge a non object mapping [t] with an object mapping"),
        ({"o": {"type": "long"}}, "can't merge a non object mapping [o] with an object mapping"),
        ({"o": {"type": "nested"}}, "cannot change object mapping from non-nested to nested"),
        ({"n": {"type": "object"}}, "cannot change object mapping from nested to non-nested"),
        (
            {"n": {"type": "nested", "include_in_root": True}},
            "the [include_in_root] parameter can't be updated on a nested object mapping",
        ),
        (
            {"al": {"type": "long"}},
            "Cannot merge a field alias mapping [al] with a mapping that is not for a field alias.",
        ),
        ({"l": {"type": "alias", "path": "k"}}, "mapper [l] cannot be changed from type [long] to [FieldAliasMapper]"),
        ({"e": {"type": "object"}}, "the [enabled] parameter can't be updated for the object mapping [e]"),
        (
            {"t": {"type": "text", "analyzer": "english", "fields": {"k": {"type": "long"}}}},
            "mapper [t.k] cannot be changed from type [keyword] to [long]",
        ),
    ],
)
def test_what_may_not_change(update: Any, reason: str) -> None:
    with pytest.raises(ApiError) as caught:
        merge(BASE, {"properties": update})
    assert caught.value.reason == reason
    assert caught.value.status == 400


def test_what_may_change() -> None:
    update = {
        "dynamic": "strict",
        "properties": {
            "t": {
                "type": "text",
                "analyzer": "english",
                "search_analyzer": "simple",
                "fields": {"z": {"type": "long"}},
            },
            "k": {"type": "keyword", "ignore_above": 7},
            "o.y": {"type": "date"},
            "al": {"type": "alias", "path": "k"},
        },
    }
    shown = merge(BASE, update).to_json()
    assert shown["dynamic"] == "strict"
    assert shown["properties"]["t"] == {
        "type": "text",
        "analyzer": "english",
        "search_analyzer": "simple",
        "fields": {"k": {"type": "keyword"}, "z": {"type": "long"}},
    }
    assert shown["properties"]["k"] == {"type": "keyword", "ignore_above": 7}
    assert shown["properties"]["o"]["properties"] == {"x": {"type": "long"}, "y": {"type": "date"}}
    assert shown["properties"]["al"]["path"] == "k"


def test_metadata_fields_do_not_change() -> None:
    with pytest.raises(ApiError, match=r"Mapper for \[_source\] conflicts"):
        merge(BASE, {"_source": {"enabled": False}})
    with pytest.raises(ApiError, match=r"Cannot update parameter \[required\] from \[false\] to \[true\]"):
        merge(BASE, {"_routing": {"required": True}})


def test_later_templates_replace_fields_and_deepen_objects() -> None:
    low = {
        "_meta": {"a": {"x": 1}},
        "properties": {"f": {"type": "long"}, "o": {"properties": {"x": {"type": "long"}}}},
    }
    high = {
        "_meta": {"a": {"y": 2}},
        "properties": {"f": {"type": "keyword"}, "o": {"properties": {"y": {"type": "ip"}}}},
    }
    shown = compose([low, high]).to_json()
    assert shown["_meta"] == {"a": {"x": 1, "y": 2}}
    assert shown["properties"]["f"] == {"type": "keyword"}
    assert set(shown["properties"]["o"]["properties"]) == {"x", "y"}


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(total_fields=10), None),
        (Limits(total_fields=9), "Limit of total fields [9] has been exceeded"),
        (Limits(nested_fields=0), "Limit of nested fields [0] has been exceeded"),
        (Limits(depth=1), "Limit of mapping depth [1] has been exceeded due to object field [o]"),
        (Limits(field_name_length=1), "Field name [al] is longer than the limit of [1] characters"),
    ],
)
def test_limits(limits: Limits, reason: str | None) -> None:
    if reason is None:
        assert merge(BASE, {}, limits=limits) == BASE
        return
    with pytest.raises(ApiError) as caught:
        merge(BASE, {}, limits=limits)
    assert caught.value.reason == reason
