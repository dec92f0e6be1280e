"""`_rollover` against a real process: conditions, dry runs, what is refused; OpenSearch 3.6.0's answers."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.client import Client
from tests.support.node import Node


@pytest.fixture(autouse=True)
def _cleared(client: Client) -> Iterator[None]:
    client.call("DELETE", "/roll-*")
    assert client.call("PUT", "/roll-1", {"aliases": {"roll-w": {}}}).status == 200
    yield
    client.call("DELETE", "/roll-*")


def _answer(old: str, new: str, rolled: bool, conditions: dict[str, bool], dry_run: bool = False) -> dict[str, Any]:
    return {
        "acknowledged": rolled,
        "shards_acknowledged": rolled,
        "old_index": old,
        "new_index": new,
        "rolled_over": rolled,
        "dry_run": dry_run,
        "conditions": conditions,
    }


def test_conditions_decide(client: Client) -> None:
    many = {"conditions": {"max_docs": 2, "max_age": "90m", "max_size": "5gb"}}
    unmet = {"[max_docs: 2]": False, "[max_age: 1.5h]": False, "[max_size: 5gb]": False}
    assert client.call("POST", "/roll-w/_rollover", many).json == _answer("roll-1", "roll-000002", False, unmet)
    assert client.call("POST", "/roll-w/_doc?refresh=true", {"a": 1}).status == 201
    body = {
        "conditions": {"max_docs": "1", "max_size": "1b", "max_age": "7d"},
        "settings": {"number_of_shards": 2},
        "mappings": {"properties": {"a": {"type": "keyword"}}},
        "aliases": {"roll-more": {}},
    }
    met = {"[max_docs: 1]": True, "[max_size: 1b]": True, "[max_age: 7d]": False}
    dry = client.call("POST", "/roll-w/_rollover?dry_run", body)
    assert dry.json == _answer("roll-1", "roll-000002", False, met, dry_run=True)
    assert client.call("POST", "/roll-w/_rollover", body).json == _answer("roll-1", "roll-000002", True, met)
    aliases = client.call("GET", "/roll-*/_alias").json
    assert aliases == {"roll-1": {"aliases": {}}, "roll-000002": {"aliases": {"roll-more": {}, "roll-w": {}}}}
    state = client.call("GET", "/_cluster/state/metadata/roll-*").json["metadata"]["indices"]
    assert state["roll-1"]["rollover_info"]["roll-w"]["met_conditions"] == {"max_docs": 1, "max_size": "1b"}
    assert state["roll-000002"]["settings"]["index"]["number_of_shards"] == "2"
    empty = {"conditions": {"max_size": "1b"}}
    assert client.call("POST", "/roll-w/_rollover", empty).json["rolled_over"] is False


def test_writes_follow_the_alias(client: Client, node: Node) -> None:
    """Documents are indexed through the alias while it rolls over; each lands in one of the indices, none is refused."""

    def write(number: int) -> int:
        with Client(node.url) as own:
            return own.call("POST", "/roll-w/_doc", {"n": number}).status

    with ThreadPoolExecutor(4) as pool:
        written = pool.map(write, range(200))
        for number in range(2, 8):
            answer = client.call("POST", "/roll-w/_rollover")
            assert answer.json["new_index"] == f"roll-{number:06d}"
        assert set(written) == {201}
    client.call("POST", "/roll-*/_refresh")
    assert client.call("GET", "/roll-*/_count").json["count"] == 200


def test_more_copies_than_there_are_are_never_active(client: Client) -> None:
    answer = client.call("POST", "/roll-w/_rollover?wait_for_active_shards=5")
    assert (answer.json["rolled_over"], answer.json["shards_acknowledged"]) == (True, False)


@pytest.mark.parametrize(
    ("body", "reasons"),
    [
        ({"bogus": {}}, ["[1:2] [rollover] unknown field [bogus]"]),
        (b"[1]", ["[1:1] [rollover] Expected START_OBJECT but was: START_ARRAY"]),
        ({"settings": []}, ["[rollover] settings doesn't support values of type: START_ARRAY"]),
        ({"conditions": []}, ["[rollover] conditions doesn't support values of type: START_ARRAY"]),
        (
            {"conditions": {"max_bogus": 1}},
            ["failed to parse field [conditions]", "[conditions] unknown field [max_bogus] did you mean any of"],
        ),
        (
            {"conditions": {"max_age": "x"}},
            ["failed to parse field [conditions]", "failed to parse field [max_age]", "as a time value"],
        ),
        (
            {"conditions": {"max_age": 7}},
            ["failed to parse field [conditions]", "max_age doesn't support values of type: VALUE_NUMBER"],
        ),
        (
            {"conditions": {"max_docs": "x"}},
            ["failed to parse field [conditions]", "failed to parse field [max_docs]", 'For input string: "x"'],
        ),
        (
            {"conditions": {"max_docs": True}},
            ["failed to parse field [conditions]", "max_docs doesn't support values of type: VALUE_BOOLEAN"],
        ),
        (
            {"conditions": {"max_size": "5"}},
            ["failed to parse field [conditions]", "failed to parse field [max_size]", "as a size in bytes"],
        ),
        (
            {"mappings": {"_doc": {}}},
            ["failed to parse field [mappings]", "The mapping definition cannot be nested under a type"],
        ),
    ],
)
def test_wrong_bodies(client: Client, body: Any, reasons: list[str]) -> None:
    answer = client.call("POST", "/roll-w/_rollover", body, {"Content-Type": "application/json"})
    error = answer.json["error"]
    assert (answer.status, error["type"]) == (400, "x_content_parse_exception")
    for reason in reasons:
        assert reason in error["reason"]
        error = error.get("caused_by")
    assert error is None
    assert list(client.call("GET", "/roll-*/_alias").json) == ["roll-1"]
