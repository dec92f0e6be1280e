"""Search bodies: what is read, what is refused and with which words."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from tests.unit.query.support import context

from quidditch.model.errors import ApiError
from quidditch.query.errors import ShardError
from quidditch.query.plan import compile_search


def plan(body: dict[str, Any], params: dict[str, str] | None = None, **settings: Any) -> dict[str, Any]:
    raw = orjson.dumps(body)
    return compile_search(orjson.loads(raw), params or {}, context(**settings), raw).body


def test_defaults() -> None:
    expected = {"query": {"all": {}}, "from": 0, "size": 10, "track_total_hits": 10_000, "fetch": {}}
    assert compile_search(None, {}, context()).body == expected


def test_url_goes_over_body() -> None:
    found = plan(
        {"size": 3, "from": 1}, {"size": "5", "q": "title:a", "sort": "n:desc,_score", "_source_includes": "a,b"}
    )
    assert (found["size"], found["from"]) == (5, 1)
    assert found["query"] == {"term": {"field": "title", "value": "a"}}
    assert [key["kind"] for key in found["sort"]] == ["field", "score"]
    assert found["fetch"]["source"] == {"includes": ["a", "b"], "excludes": []}


@pytest.mark.parametrize(
    ("given", "tracked"), [(True, True), (False, False), (-1, False), (7, 7), ("true", True), (2147483647, True)]
)
def test_track_total_hits(given: Any, tracked: Any) -> None:
    assert plan({"track_total_hits": given})["track_total_hits"] == tracked


@pytest.mark.parametrize(
    ("sort", "keys"),
    [
        ("_score", None),
        (["_doc"], [{"kind": "doc", "order": "asc"}]),
        ([{"n": "desc"}], [{"kind": "field", "field": "n", "order": "desc", "missing": "_last"}]),
        (
            [{"short_name": {"order": "asc", "missing": "_first"}}, "_score"],
            [
                {"kind": "field", "field": "tag", "order": "asc", "missing": "_first"},
                {"kind": "score", "order": "desc"},
            ],
        ),
        (
            [{"nowhere": {"unmapped_type": "long"}}],
            [{"kind": "field", "field": "nowhere", "order": "asc", "missing": "_last", "unmapped_type": "long"}],
        ),
    ],
)
def test_sort(sort: Any, keys: Any) -> None:
    assert plan({"sort": sort}).get("sort") == keys


def test_nested_fields_are_sorted_by_their_path_only_where_it_is_named() -> None:
    (key,) = plan({"sort": [{"comments.stars": {"mode": "max", "nested": {"path": "comments"}}}]})["sort"]
    assert key["nested"]["path"] == "comments"
    (key,) = plan({"sort": [{"comments.stars": {"mode": "max"}}]})["sort"]
    assert not key.get("nested")


def test_search_after_takes_dates_as_texts() -> None:
    found = plan({"sort": [{"at": "asc"}, {"n": "asc"}], "search_after": ["2020-01-01", "7"]})
    assert found["search_after"] == [1_577_836_800_000, 7]


def test_highlight_is_resolved() -> None:
    found = plan({"highlight": {"pre_tags": "<b>", "fields": {"t*": {"number_of_fragments": 0}, "nowhere": {}}}})
    fields = found["fetch"]["highlight"]["fields"]
    assert [field["name"] for field in fields] == ["tag", "title", "title.raw"]
    assert {(field["pre_tags"][0], field["number_of_fragments"]) for field in fields} == {("<b>", 0)}


MALFORMED: list[tuple[str, str, str]] = [
    ('{"foo":1}', "parsing_exception", "Unknown key for a VALUE_NUMBER in [foo]."),
    ('{"from":-1}', "illegal_argument_exception", "[from] parameter cannot be negative, found [-1]"),
    ('{"query":{"matchx":{}}}', "parsing_exception", "unknown query [matchx] did you mean any of [match, match_all]?"),
    ('{"query":{"term":{"tag":["a"]}}}', "parsing_exception", "[term] query does not support array of values"),
    ('{"query":{}}', "illegal_argument_exception", "query malformed, empty clause found at [1:11]"),
    (
        '{"query":{"match":{"a":"x","b":"y"}}}',
        "parsing_exception",
        "[match] query doesn't support multiple fields, found [a] and [b]",
    ),
    (
        '{"query":{"bool":{"mast":[]}}}',
        "x_content_parse_exception",
        "[1:19] [bool] unknown field [mast] did you mean [must]?",
    ),
    ('{"aggs":{"a":{"avgx":{}}}}', "parsing_exception", "Unknown aggregation type [avgx] did you mean [avg]?"),
    (
        '{"aggs":{"a":{"avg":{}}}}',
        "illegal_argument_exception",
        "Required one of fields [field, script], but none were specified. ",
    ),
]


@pytest.mark.parametrize(("body", "kind", "reason"), MALFORMED)
def test_malformed(body: str, kind: str, reason: str) -> None:
    with pytest.raises(ApiError) as caught:
        compile_search(orjson.loads(body), {}, context(), body.encode())
    assert (caught.value.type, caught.value.reason, caught.value.status) == (kind, reason, 400)
    assert not isinstance(caught.value, ShardError)


def test_position_of_what_is_wrong() -> None:
    body = b'{\n  "query": {\n    "matchx": {}\n  }\n}'
    with pytest.raises(ApiError) as caught:
        compile_search(orjson.loads(body), {}, context(), body)
    assert (caught.value.details["line"], caught.value.details["col"]) == (3, 15)


def test_causes_of_nested_clauses() -> None:
    body = b'{"query":{"bool":{"filter":{"bool":{"must":[{"term":{"a":[1]}}]}}}}}'
    with pytest.raises(ApiError) as caught:
        compile_search(orjson.loads(body), {}, context(), body)
    error = caught.value.response()["error"]
    assert error["reason"] == "[1:58] [bool] failed to parse field [filter]"
    assert error["caused_by"]["reason"] == "[1:58] [bool] failed to parse field [must]"
    assert error["root_cause"] == [
        {"type": "parsing_exception", "reason": "[term] query does not support array of values", "line": 1, "col": 58}
    ]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"size": 11}, "Result window is too large, from + size must be less than or equal to: [10] but was [11]"),
        ({"sort": "nowhere", "size": 1}, "No mapping found for [nowhere] in order to sort on"),
        ({"sort": "title", "size": 1}, "Text fields are not optimised for operations"),
        ({"query": {"term": {"n": "x"}}}, 'failed to create query: For input string: "x"'),
        ({"aggs": {"a": {"terms": {"field": "tag", "order": {"x": "asc"}}}}}, r"Invalid aggregation order path [x]"),
    ],
)
def test_failures_of_an_index(body: dict[str, Any], reason: str) -> None:
    with pytest.raises(ShardError) as caught:
        plan(body, max_result_window=10)
    assert str(caught.value.reason).startswith(reason)


def test_aggregations_are_resolved() -> None:
    found = plan({"aggs": {"a": {"date_range": {"field": "at", "ranges": [{"to": "2020-01-01"}]}, "meta": {"x": 1}}}})[
        "aggs"
    ]["a"]
    assert found["params"]["ranges"] == [{"key": None, "from": None, "to": 1_577_836_800_000}]
    assert found["meta"] == {"x": 1}
