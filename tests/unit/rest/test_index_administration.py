"""The pure parts of index administration: actions on aliases, choice of aliases, forms for people, versions."""

from __future__ import annotations

from typing import Any

import pytest

from quidditch.controlplane.core.commands import AddAlias, RemoveAlias, RemoveIndex
from quidditch.model.errors import ApiError
from quidditch.rest import alias_actions, human, index_view


def test_actions_are_read_in_order() -> None:
    body = {
        "actions": [
            {"add": {"index": "a", "alias": "x", "routing": 5, "is_write_index": "true", "filter": {"term": {"f": 1}}}},
            {"remove": {"indices": ["a", "b"], "aliases": "y", "must_exist": False}},
            {"remove_index": {"index": "c"}},
        ]
    }
    assert alias_actions.parse(body) == [
        AddAlias(indices=("a",), aliases=("x",), routing="5", is_write_index=True, filter={"term": {"f": 1}}),
        RemoveAlias(indices=("a", "b"), aliases=("y",), must_exist=False),
        RemoveIndex(indices=("c",)),
    ]


@pytest.mark.parametrize(
    ("body", "reasons"),
    [
        ({"foo": []}, ["[1:1] [aliases] unknown field [foo]"]),
        ({"actions": 5}, ["[1:1] [aliases] actions doesn't support values of type: VALUE_NUMBER"]),
        ({}, ["No action specified"]),
        (
            {"actions": [{"foo": {}}]},
            ["[1:1] [aliases] failed to parse field [actions]", "[1:1] [alias_action] unknown field [foo]"],
        ),
        (
            {"actions": [{"add": {"index": "a"}}]},
            ["[1:1] [aliases] failed to parse field [actions]", "One of [alias] or [aliases] is required"],
        ),
        (
            {"actions": [{"add": {"index": "a", "alias": "x", "foo": 1}}]},
            [
                "[1:1] [aliases] failed to parse field [actions]",
                "[1:1] [alias_action] failed to parse field [add]",
                "[1:1] [add] unknown field [foo]",
            ],
        ),
        (
            {"actions": [{"add": {"index": "a", "indices": ["b"], "alias": "x"}}]},
            [
                "[1:1] [aliases] failed to parse field [actions]",
                "[1:1] [alias_action] failed to parse field [add]",
                "[1:1] [add] failed to parse field [indices]",
                "Only one of [index] and [indices] is supported",
            ],
        ),
        (
            {"actions": [{"remove_index": {"index": "a", "alias": "x"}}]},
            [
                "[1:1] [aliases] failed to parse field [actions]",
                "[1:1] [alias_action] failed to parse field [remove_index]",
                "[1:1] [remove_index] failed to parse field [alias]",
                "[alias] is unsupported for [REMOVE_INDEX]",
            ],
        ),
    ],
)
def test_a_wrong_action_is_told_with_the_chain_of_what_was_read(body: dict[str, Any], reasons: list[str]) -> None:
    with pytest.raises(ApiError) as caught:
        alias_actions.parse(body)
    error: Any = caught.value.response()["error"]
    chain = []
    while error is not None:
        chain.append(error["reason"])
        error = error.get("caused_by")
    assert chain == reasons


def test_the_innermost_error_of_the_parser_is_the_root_cause() -> None:
    with pytest.raises(ApiError) as caught:
        alias_actions.parse({"actions": [{"add": {"index": "a", "alias": "x", "foo": 1}}]})
    root = caught.value.response()["error"]["root_cause"]
    assert root == [{"type": "x_content_parse_exception", "reason": "[1:1] [add] unknown field [foo]"}]


def test_sizes_and_durations_for_people() -> None:
    shown = human.with_units({"store": {"size_in_bytes": 2048}, "get": {"time_in_millis": 0, "total": 3}})
    assert shown == {
        "store": {"size": "2kb", "size_in_bytes": 2048},
        "get": {"time": "0s", "time_in_millis": 0, "total": 3},
    }


@pytest.mark.parametrize(("number", "text"), [(137277827, "3.6.0"), (137217827, "3.0.0"), (136408127, "2.19.3")])
def test_version_numbers(number: int, text: str) -> None:
    assert index_view.version_text(number) == text


def test_names_are_chosen_by_patterns() -> None:
    keep = index_view.matches_name(("index.number*", "index.uuid"))
    assert keep is not None
    assert [name for name in ("index.number_of_shards", "index.uuid", "index.codec") if keep(name)] == [
        "index.number_of_shards",
        "index.uuid",
    ]
    assert index_view.matches_name(("_all",)) is None
