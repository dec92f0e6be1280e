"""_delete_by_query, _update_by_query, _reindex and the tasks they become, against a real process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.client import Answer, Client

INDEX = "by-query"
COUNT = 25


@pytest.fixture(autouse=True)
def _documents(client: Client) -> Iterator[None]:
    client.call("DELETE", f"/{INDEX}*")
    lines: list[Any] = []
    for n in range(COUNT):
        lines += [{"index": {"_index": INDEX, "_id": str(n), "routing": f"r{n % 3}"}}, {"n": n, "odd": n % 2 == 1}]
    assert not client.call("POST", "/_bulk?refresh=true", lines).json["errors"]
    yield
    client.call("DELETE", f"/{INDEX}*")


def count(client: Client, index: str = INDEX, query: str = "*") -> int:
    return int(client.call("GET", f"/{index}/_count?q={query}").json["count"])


def counts(answer: Answer) -> dict[str, int]:
    names = ("total", "updated", "created", "deleted", "batches", "version_conflicts")
    return {name: answer.json[name] for name in names if name in answer.json}


def test_delete_goes_page_by_page(client: Client) -> None:
    body = {"query": {"term": {"odd": True}}}
    answer = client.call("POST", f"/{INDEX}/_delete_by_query?refresh&scroll_size=5", body)
    assert answer.status == 200
    assert counts(answer) == {"total": 12, "deleted": 12, "batches": 3, "version_conflicts": 0}
    assert count(client) == COUNT - 12


def test_scrolls_are_closed_behind(client: Client) -> None:
    client.call("DELETE", "/_search/scroll/_all")
    client.call("POST", f"/{INDEX}/_update_by_query?scroll_size=5")
    assert client.call("GET", f"/{INDEX}/_stats/search").json["_all"]["total"]["search"]["open_contexts"] == 0


def test_max_docs(client: Client) -> None:
    answer = client.call("POST", f"/{INDEX}/_delete_by_query?refresh=true", {"max_docs": 7, "query": {"match_all": {}}})
    assert counts(answer) == {"total": 7, "deleted": 7, "batches": 1, "version_conflicts": 0}
    assert count(client) == COUNT - 7


def test_size_of_the_body_is_that_of_batches_and_of_the_url_the_most(client: Client) -> None:
    by_body = client.call("POST", f"/{INDEX}/_update_by_query?refresh=true", {"size": 10})
    assert (by_body.json["updated"], by_body.json["batches"]) == (COUNT, 3)
    by_url = client.call("POST", f"/{INDEX}/_update_by_query?size=10")
    assert (by_url.json["updated"], by_url.json["total"]) == (10, 10)


def test_what_changed_meanwhile_is_a_conflict(client: Client) -> None:
    client.call("PUT", f"/{INDEX}/_settings", {"index.refresh_interval": "-1"})
    client.call("PUT", f"/{INDEX}/_doc/3?routing=r0", {"n": 300})
    body = {"query": {"term": {"n": 3}}}
    aborted = client.call("POST", f"/{INDEX}/_delete_by_query", body)
    assert aborted.status == 409
    assert counts(aborted) == {"total": 1, "deleted": 0, "batches": 1, "version_conflicts": 1}
    failure = aborted.json["failures"][0]
    assert (failure["id"], failure["status"]) == ("3", 409)
    assert failure["cause"]["type"] == "version_conflict_engine_exception"
    went_on = client.call("POST", f"/{INDEX}/_delete_by_query?conflicts=proceed", body)
    assert (went_on.status, went_on.json["failures"], went_on.json["version_conflicts"]) == (200, [], 1)
    assert client.call("GET", f"/{INDEX}/_doc/3?routing=r0").json["_source"] == {"n": 300}


def test_update_indexes_again_with_the_mapping_of_today(client: Client) -> None:
    """Why people call it: a field that was added to the mapping finds the documents that are there."""
    index = f"{INDEX}-late"
    client.call("PUT", f"/{index}", {"mappings": {"dynamic": False}})
    source = b'{"name": "Ada",\n "big": 12345678901234567890123, "f": 1.50}'
    client.call("PUT", f"/{index}/_doc/1?refresh=true", source)
    client.call("PUT", f"/{index}/_mapping", {"properties": {"name": {"type": "keyword"}}})
    assert count(client, index, "name:Ada") == 0
    answer = client.call("POST", f"/{index}/_update_by_query?refresh=true")
    assert counts(answer) == {"total": 1, "updated": 1, "deleted": 0, "batches": 1, "version_conflicts": 0}
    assert count(client, index, "name:Ada") == 1
    assert b'"big": 12345678901234567890123, "f": 1.50' in client.call("GET", f"/{index}/_source/1").data


def test_reindex_keeps_ids_and_routing(client: Client) -> None:
    body = {
        "source": {"index": INDEX, "size": 4, "query": {"range": {"n": {"lt": 10}}}, "_source": ["n"]},
        "dest": {"index": f"{INDEX}-copy"},
    }
    answer = client.call("POST", "/_reindex?refresh=true", body)
    expected = {"total": 10, "updated": 0, "created": 10, "deleted": 0, "batches": 3, "version_conflicts": 0}
    assert counts(answer) == expected
    found = client.call("GET", f"/{INDEX}-copy/_doc/4?routing=r1").json
    assert (found["_routing"], found["_source"]) == ("r1", {"n": 4})
    again = client.call("POST", "/_reindex", body)
    assert counts(again) == {**expected, "updated": 10, "created": 0}


def test_reindex_creates_only(client: Client) -> None:
    dest = {"index": f"{INDEX}-copy", "op_type": "create"}
    client.call("PUT", f"/{INDEX}-copy/_doc/4?routing=r1", {"mine": True})
    body = {"conflicts": "proceed", "source": {"index": INDEX}, "dest": dest}
    answer = client.call("POST", "/_reindex", body)
    assert (answer.status, answer.json["created"], answer.json["version_conflicts"]) == (200, COUNT - 1, 1)
    assert client.call("GET", f"/{INDEX}-copy/_doc/4?routing=r1").json["_source"] == {"mine": True}


def test_external_versions_and_a_routing_of_ones_own(client: Client) -> None:
    dest = {"index": f"{INDEX}-copy", "version_type": "external", "routing": "=one"}
    client.call("PUT", f"/{INDEX}/_doc/1?routing=r1&refresh=true", {"n": 1, "second": True})
    client.call("POST", "/_reindex", {"source": {"index": INDEX}, "dest": dest})
    found = client.call("GET", f"/{INDEX}-copy/_doc/1?routing=one").json
    assert (found["_version"], found["_routing"]) == (2, "one")
    again = client.call("POST", "/_reindex", {"source": {"index": INDEX}, "dest": dest})
    assert (again.status, again.json["version_conflicts"]) == (409, COUNT)


def test_reindex_through_an_alias_is_no_circle(client: Client) -> None:
    client.call("PUT", f"/{INDEX}/_alias/{INDEX}-alias")
    answer = client.call("POST", "/_reindex", {"source": {"index": INDEX}, "dest": {"index": f"{INDEX}-alias"}})
    assert answer.status == 400
    reason = f"Validation Failed: 1: reindex cannot write into an index its reading from [{INDEX}-alias];"
    assert answer.json["error"]["reason"] == reason


def test_a_task_ends_with_the_answer(client: Client) -> None:
    started = client.call("POST", f"/{INDEX}/_delete_by_query?wait_for_completion=false", {"query": {"match_all": {}}})
    task = client.call("GET", f"/_tasks/{started.json['task']}?wait_for_completion=true").json
    assert (task["completed"], task["response"]["deleted"]) == (True, COUNT)
    assert task["task"]["action"] == "indices:data/write/delete/byquery"


def test_a_throttled_task_is_listed_and_can_be_cancelled(client: Client) -> None:
    path = f"/{INDEX}/_update_by_query?wait_for_completion=false&scroll_size=1&requests_per_second=0.01"
    id = client.call("POST", path).json["task"]
    node = id.partition(":")[0]
    listed = client.call("GET", "/_tasks?actions=*byquery&detailed").json["nodes"][node]["tasks"][id]
    assert (listed["cancellable"], listed["description"]) == (True, f"update-by-query [{INDEX}]")
    assert client.call("GET", "/_tasks?group_by=parents&actions=indices:data/write/*").json["tasks"].keys() == {id}
    assert client.call("GET", "/_tasks?actions=other").json == {"nodes": {}}
    cancelled = client.call("POST", f"/_tasks/{id}/_cancel").json
    assert cancelled["nodes"][node]["tasks"][id]["cancelled"]
    ended = client.call("GET", f"/_tasks/{id}?wait_for_completion=true").json
    assert (ended["response"]["canceled"], ended["response"]["updated"]) == ("by user request", 1)


def test_slices_are_told_one_by_one(client: Client) -> None:
    client.call("PUT", f"/{INDEX}-3", {"settings": {"number_of_shards": 3, "number_of_replicas": 0}})
    copied = client.call(
        "POST", "/_reindex?slices=4&refresh=true", {"source": {"index": INDEX}, "dest": {"index": f"{INDEX}-3"}}
    )
    assert counts(copied) == {
        "total": COUNT,
        "updated": 0,
        "created": COUNT,
        "deleted": 0,
        "batches": 4,
        "version_conflicts": 0,
    }
    assert [part["slice_id"] for part in copied.json["slices"]] == [0, 1, 2, 3]
    assert sum(part["created"] for part in copied.json["slices"]) == count(client, f"{INDEX}-3") == COUNT
    auto = client.call("POST", f"/{INDEX}-3/_update_by_query?slices=auto&refresh=true")
    assert (auto.json["updated"], len(auto.json["slices"])) == (COUNT, 3)
    least = client.call("POST", f"/{INDEX},{INDEX}-3/_update_by_query?slices=auto&refresh=true").json
    assert (least["updated"], "slices" in least) == (2 * COUNT, False)
    most = client.call("POST", f"/{INDEX}-3/_delete_by_query?slices=2&max_docs=5", {"query": {"match_all": {}}}).json
    assert [part["total"] <= 2 for part in most["slices"]] == [True, True]
    assert 0 < most["deleted"] == most["total"] <= 4


def test_a_slice_is_asked_for_by_hand(client: Client) -> None:
    whole = {"query": {"match_all": {}}}
    parts = [
        client.call(
            "POST", f"/{INDEX}/_delete_by_query?refresh=true", {**whole, "slice": {"id": number, "max": 3}}
        ).json
        for number in range(3)
    ]
    assert [part["slice_id"] for part in parts] == [0, 1, 2]
    assert sum(part["deleted"] for part in parts) == COUNT


@pytest.mark.parametrize(
    ("path", "body", "reason"),
    [
        (f"/{INDEX}/_delete_by_query", {}, "Validation Failed: 1: query is missing;"),
        (
            f"/{INDEX}/_delete_by_query?conflicts=maybe",
            {"query": {"match_all": {}}},
            'conflicts may only be "proceed" or "abort" but was [maybe]',
        ),
        (f"/{INDEX}/_update_by_query?max_docs=0", {}, "[max_docs] should be >= [slices]"),
        (f"/{INDEX}/_update_by_query?max_docs=-2", {}, "[max_docs] parameter cannot be negative, found [-2]"),
        (
            f"/{INDEX}/_update_by_query?max_docs=2",
            {"max_docs": 3},
            "[max_docs] set to two different values [3] and [2]",
        ),
        (
            f"/{INDEX}/_update_by_query?slices=0",
            {},
            '[slices] must be a positive integer or the string "auto", but was [0]',
        ),
        (
            f"/{INDEX}/_update_by_query?slices=x",
            {},
            '[slices] must be a positive integer or the string "auto", but was [x]',
        ),
        (
            f"/{INDEX}/_update_by_query?slices=2",
            {"slice": {"id": 0, "max": 2}},
            "Validation Failed: 1: can't specify both manual and automatic slicing at the same time;",
        ),
        (
            f"/{INDEX}/_update_by_query?scroll_size=0",
            {},
            "Validation Failed: 1: [size] cannot be [0] in a scroll context;",
        ),
        (
            f"/{INDEX}/_update_by_query?requests_per_second=x",
            {},
            "[requests_per_second] must be a float greater than 0. Use -1 to disable throttling.",
        ),
        (f"/{INDEX}/_update_by_query", {"script": {"source": "ctx.x"}}, "scripts are not supported"),
        (f"/{INDEX}/_update_by_query", {"size": 3, "foo": 1}, "Unknown key for a VALUE_NUMBER in [foo]."),
        ("/_reindex", {"source": {"index": INDEX}}, "Validation Failed: 1: index must be specified;"),
        (
            "/_reindex",
            {"source": {}, "dest": {"index": "x"}},
            "Validation Failed: 1: use _all if you really want to copy from all existing indexes;",
        ),
        (
            "/_reindex",
            {"source": {"index": INDEX, "remote": {"host": "http://127.0.0.1:1"}}, "dest": {"index": "x"}},
            "[127.0.0.1:1] not allowlisted in reindex.remote.allowlist",
        ),
    ],
)
def test_refusals(client: Client, path: str, body: dict[str, Any], reason: str) -> None:
    answer = client.call("POST", path, body)
    assert (answer.status, answer.json["error"]["reason"]) == (400, reason)
    assert count(client) == COUNT


def test_a_missing_index_is_told_before_the_task(client: Client) -> None:
    path = "/by-query-nowhere/_delete_by_query?wait_for_completion=false"
    answer = client.call("POST", path, {"query": {"match_all": {}}})
    assert (answer.status, answer.json["error"]["type"]) == (404, "index_not_found_exception")
