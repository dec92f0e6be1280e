from typing import Any

import pytest

from quidditch.rest import filter_path

ANSWER: dict[str, Any] = {
    "took": 3,
    "_shards": {"total": 1, "failed": 0},
    "hits": {
        "total": {"value": 2},
        "hits": [{"_id": "1", "_source": {"title": "a", "n": 1}}, {"_id": "2", "_source": {"title": "b"}}],
    },
}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("took", {"took": 3}),
        ("took,_shards.total", {"took": 3, "_shards": {"total": 1}}),
        ("hits.hits._id", {"hits": {"hits": [{"_id": "1"}, {"_id": "2"}]}}),
        ("hits.hits._source.n", {"hits": {"hits": [{"_source": {"n": 1}}]}}),
        ("hits.*.value", {"hits": {"total": {"value": 2}}}),
        ("**.title", {"hits": {"hits": [{"_source": {"title": "a"}}, {"_source": {"title": "b"}}]}}),
        ("h*.t*", {"hits": {"total": {"value": 2}}}),
        ("nothing", {}),
        ("-hits", {"took": 3, "_shards": {"total": 1, "failed": 0}}),
        ("-hits,-took,-**.failed", {"_shards": {"total": 1}}),
        ("_shards,-_shards.f*", {"_shards": {"total": 1}}),
        ("*", ANSWER),
        ("**", ANSWER),
        ("-*", {}),
        ("", ANSWER),
    ],
)
def test_patterns(pattern: str, expected: dict[str, Any]) -> None:
    assert filter_path.apply(ANSWER, pattern) == expected


def test_a_dot_within_a_name_is_escaped() -> None:
    assert filter_path.apply({"a.b": 1, "a": {"b": 2}}, "a\\.b") == {"a.b": 1}


def test_what_is_empty_from_the_start_stays_under_excludes() -> None:
    assert filter_path.apply({"a": {}, "b": [], "c": 1}, "-c") == {"a": {}, "b": []}


def test_many_double_stars_do_not_take_for_ever() -> None:
    deep: Any = "end"
    for _ in range(60):
        deep = {"a": deep}
    assert filter_path.apply(deep, ".".join(["**", "a"] * 12 + ["z"])) == {}
