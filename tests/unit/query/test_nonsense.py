"""Whatever JSON comes in: a plan, or an error that is the user's; never anything else."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.query.support import context

import quidditch.query.dsl.registry  # noqa: F401  (fills QUERIES)
from quidditch.model.errors import ApiError
from quidditch.query.aggs.compiler import AGGREGATIONS
from quidditch.query.compiler import QUERIES
from quidditch.query.plan import compile_query, compile_search

FIELDS = st.sampled_from(
    ["title", "tag", "n", "i", "price", "on", "at", "addr", "blob", "user", "nowhere", "_id", "*", ""]
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["now", "2020-01-01", "75%", "AUTO", "and", "_score", "1", "true", "10.0.0.1", "asc"]),
    FIELDS,
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(st.text(max_size=6), FIELDS), inner, max_size=3)
    ),
    max_leaves=10,
)
OPTIONS = st.sampled_from(
    ["query", "value", "boost", "_name", "fields", "operator", "minimum_should_match", "analyzer", "gte", "lt", "format", "must", "filter",
     "should", "path", "values", "order", "field", "size", "interval", "missing", "ranges", "fuzziness", "type", "queries", "functions"]
)  # fmt: skip
BODY = st.dictionaries(
    st.one_of(OPTIONS, FIELDS), st.one_of(JSON, st.dictionaries(OPTIONS, JSON, max_size=4)), max_size=4
)


def harmless(call: Any) -> None:
    refused: ApiError | None = None
    try:
        call()
    except ApiError as error:
        refused = error
    if refused is not None:
        assert 400 <= refused.status < 500
        assert orjson.dumps(refused.response())


@settings(max_examples=200, deadline=None)
@given(body=JSON)
def test_bodies(body: Any) -> None:
    harmless(lambda: compile_search(body, {}, context()))


@settings(max_examples=400, deadline=None)
@given(kind=st.sampled_from(sorted(QUERIES)), body=BODY)
def test_queries(kind: str, body: Any) -> None:
    harmless(lambda: compile_query({kind: body}, context()))


@settings(max_examples=300, deadline=None)
@given(kind=st.sampled_from(["avg", "terms", "histogram", "date_histogram", "range", "date_range", "filter", "filters", "percentiles",
                             "percentile_ranks", "cardinality", "nested", "reverse_nested", "missing", "global", "top_hits",
                             "extended_stats"]), body=BODY)  # fmt: skip
def test_aggregations(kind: str, body: Any) -> None:
    assert kind in AGGREGATIONS or not AGGREGATIONS
    harmless(lambda: compile_search({"aggs": {"a": {kind: body}}}, {}, context()))


@settings(max_examples=200, deadline=None)
@given(
    member=st.sampled_from(["sort", "highlight", "_source", "docvalue_fields", "fields", "search_after", "slice", "pit", "post_filter",
                            "track_total_hits", "timeout", "indices_boost", "stored_fields", "from", "size"]),
    value=JSON,
)  # fmt: skip
def test_members(member: str, value: Any) -> None:
    harmless(lambda: compile_search({member: value}, {}, context()))


TEXT = st.text(alphabet=st.sampled_from(list('ab *?~^"()[]{}:/\\+-!&|0123456789.ANDORT<>=')), max_size=24)


@settings(max_examples=400, deadline=None)
@given(text=TEXT)
def test_languages(text: str) -> None:
    harmless(lambda: compile_query({"query_string": {"query": text}}, context()))
    harmless(
        lambda: compile_query(
            {"query_string": {"query": text, "default_field": "title", "default_operator": "and"}}, context()
        )
    )
    assert compile_query({"simple_query_string": {"query": text, "fields": ["title"]}}, context())
