"""Queries become the operations they stand for."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.query.support import NOW, context

from quidditch.model.errors import ApiError
from quidditch.query.plan import compile_query

DAY = 86_400_000
JAN_1 = 1_577_836_800_000


def term(field: str, value: Any) -> dict[str, Any]:
    """A term that scores as its field does: keywords alike, whatever their frequency."""
    op = {"term": {"field": field, "value": value}}
    return {"const": {"query": op}} if field == "tag" else op


def bare(field: str, value: Any) -> dict[str, Any]:
    return {"term": {"field": field, "value": value}}


CASES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("one word", {"match": {"title": "Hello"}}, term("title", "hello")),
    (
        "any word",
        {"match": {"title": "a b"}},
        {"bool": {"should": [term("title", "a"), term("title", "b")], "minimum_should_match": 1}},
    ),
    (
        "all words",
        {"match": {"title": {"query": "a b", "operator": "and"}}},
        {"bool": {"must": [term("title", "a"), term("title", "b")]}},
    ),
    (
        "most words",
        {"match": {"title": {"query": "a b c d", "minimum_should_match": "75%"}}},
        {"bool": {"should": [term("title", w) for w in "abcd"], "minimum_should_match": 3}},
    ),
    ("no word", {"match": {"title": "..."}}, {"none": {}}),
    ("no word, all", {"match": {"title": {"query": "...", "zero_terms_query": "all"}}}, {"all": {}}),
    (
        "synonyms",
        {"match": {"title": {"query": "quick", "analyzer": "synonym"}}},
        {"synonyms": {"field": "title", "terms": ["quick", "fast"]}},
    ),
    (
        "graph",
        {"match": {"title": {"query": "ny city", "analyzer": "graph"}}},
        {
            "bool": {
                "should": [
                    {
                        "bool": {
                            "should": [
                                term("title", "ny"),
                                {"phrase": {"field": "title", "terms": [[0, ["new"]], [1, ["york"]]], "slop": 0}},
                            ],
                            "minimum_should_match": 1,
                        }
                    },
                    term("title", "city"),
                ],
                "minimum_should_match": 1,
            }
        },
    ),
    (
        "fuzzy words",
        {"match": {"title": {"query": "ab hello", "fuzziness": "AUTO", "operator": "and"}}},
        {
            "bool": {
                "must": [
                    term("title", "ab"),
                    {
                        "fuzzy": {
                            "field": "title",
                            "value": "hello",
                            "edits": 1,
                            "prefix_length": 0,
                            "max_expansions": 50,
                            "transpositions": True,
                            "constant": False,
                        }
                    },
                ]
            }
        },
    ),
    ("match on a number", {"match": {"n": "5"}}, term("n", 5)),
    ("match through an alias", {"match": {"short_name": "X"}}, term("tag", "X")),
    ("unmapped", {"match": {"nowhere": "x"}}, {"none": {}}),
    ("lenient", {"match": {"n": {"query": "x", "lenient": True}}}, {"none": {}}),
    (
        "phrase with a hole",
        {"match_phrase": {"title": {"query": "over the moon", "analyzer": "stop", "slop": 2}}},
        {"phrase": {"field": "title", "terms": [[0, ["over"]], [2, ["moon"]]], "slop": 2}},
    ),
    (
        "phrase prefix",
        {"match_phrase_prefix": {"title": "a b"}},
        {"phrase_prefix": {"field": "title", "terms": [[0, ["a"]], [1, ["b"]]], "slop": 0, "max_expansions": 50}},
    ),
    ("term keeps case", {"term": {"title": "Hello"}}, term("title", "Hello")),
    (
        "term with boost",
        {"term": {"tag": {"value": "a", "boost": 2}}},
        {"const": {"query": bare("tag", "a"), "boost": 2.0}},
    ),
    (
        "term with name",
        {"term": {"tag": {"value": "a", "_name": "q"}}},
        {"const": {"query": bare("tag", "a"), "_name": "q"}},
    ),
    ("term on a boolean", {"term": {"on": "true"}}, term("on", True)),
    ("term with a fraction", {"term": {"n": 1.5}}, {"none": {}}),
    ("term on an id", {"term": {"_id": 7}}, {"ids": {"values": ["7"]}}),
    ("term on the index", {"term": {"_index": "books"}}, {"all": {}}),
    (
        "term on a network",
        {"term": {"addr": "10.0.0.0/8"}},
        {"range": {"field": "addr", "gte": "10.0.0.0", "lte": "10.255.255.255"}},
    ),
    ("term on a day", {"term": {"at": "2020-01-01"}}, {"range": {"field": "at", "gte": JAN_1, "lte": JAN_1 + DAY - 1}}),
    ("terms", {"terms": {"n": [1, "2", 2.5]}}, {"terms": {"field": "n", "values": [1, 2]}}),
    (
        "terms with boost",
        {"terms": {"tag": ["a"], "boost": 3}},
        {"terms": {"field": "tag", "values": ["a"], "boost": 3.0}},
    ),
    ("ids", {"ids": {"values": ["a", 1]}}, {"ids": {"values": ["a", "1"]}}),
    ("exists", {"exists": {"field": "n"}}, {"exists": {"field": "n"}}),
    (
        "exists on an object",
        {"exists": {"field": "user"}},
        {
            "const": {
                "query": {
                    "bool": {
                        "should": [{"exists": {"field": "user.age"}}, {"exists": {"field": "user.name"}}],
                        "minimum_should_match": 1,
                    }
                },
            }
        },
    ),
    ("range on a whole number", {"range": {"n": {"gt": 1, "lt": 5}}}, {"range": {"field": "n", "gte": 2, "lte": 4}}),
    ("range with fractions", {"range": {"n": {"gt": 1.5, "lt": -1.5}}}, {"none": {}}),
    ("range above a fraction", {"range": {"n": {"gte": 1.5}}}, {"range": {"field": "n", "gte": 2}}),
    ("range below a negative fraction", {"range": {"n": {"lte": -1.5}}}, {"range": {"field": "n", "lte": -2}}),
    ("range above a negative fraction", {"range": {"n": {"gte": -1.5}}}, {"range": {"field": "n", "gte": -1}}),
    ("range beyond the type", {"range": {"i": {"gte": 1e12}}}, {"none": {}}),
    ("range up to beyond the type", {"range": {"i": {"lte": 1e12}}}, {"range": {"field": "i", "lte": 2147483647}}),
    ("range without bounds", {"range": {"n": {}}}, {"exists": {"field": "n"}}),
    ("range on days", {"range": {"at": {"gt": "2020-01-01"}}}, {"range": {"field": "at", "gt": JAN_1 + DAY - 1}}),
    ("range up to now", {"range": {"at": {"lt": "now"}}}, {"range": {"field": "at", "lt": NOW}}),
    ("prefix", {"prefix": {"tag": "a"}}, {"prefix": {"field": "tag", "value": "a", "case_insensitive": False}}),
    (
        "wildcard on text is taken as it is",
        {"wildcard": {"title": "AB*c\\*D"}},
        {"wildcard": {"field": "title", "value": "AB*c\\*D", "case_insensitive": False}},
    ),
    ("fuzzy on a short word", {"fuzzy": {"tag": "ab"}}, bare("tag", "ab")),
    ("empty bool", {"bool": {}}, {"all": {}}),
    (
        "only must_not",
        {"bool": {"must_not": {"term": {"tag": "a"}}}},
        {"bool": {"must_not": [bare("tag", "a")], "filter": [{"all": {}}]}},
    ),
    (
        "should beside must is optional",
        {"bool": {"must": {"term": {"tag": "a"}}, "should": [{"term": {"tag": "b"}}]}},
        {"bool": {"must": [term("tag", "a")], "should": [term("tag", "b")]}},
    ),
    (
        "should within a filter is optional too",
        {"bool": {"filter": {"bool": {"must": {"term": {"tag": "a"}}, "should": [{"term": {"tag": "b"}}]}}}},
        {"bool": {"filter": [{"bool": {"must": [bare("tag", "a")], "should": [bare("tag", "b")]}}]}},
    ),
    (
        "constant score",
        {"constant_score": {"filter": {"term": {"tag": "a"}}, "boost": 2}},
        {"const": {"query": bare("tag", "a"), "boost": 2.0}},
    ),
    (
        "dis_max",
        {"dis_max": {"queries": [{"term": {"tag": "a"}}, {"term": {"tag": "b"}}], "tie_breaker": 0.5}},
        {"dis_max": {"queries": [term("tag", "a"), term("tag", "b")], "tie_breaker": 0.5}},
    ),
    (
        "boosting",
        {"boosting": {"positive": {"match_all": {}}, "negative": {"term": {"tag": "a"}}, "negative_boost": 0.2}},
        {"boosting": {"positive": {"all": {}}, "negative": term("tag", "a"), "negative_boost": 0.2}},
    ),
    ("match_all with boost", {"match_all": {"boost": 2}}, {"all": {"boost": 2.0}}),
]


@pytest.mark.parametrize(("query", "op"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_compiles_to(query: dict[str, Any], op: dict[str, Any]) -> None:
    assert compile_query(query, context()) == op


@pytest.mark.parametrize(
    ("query", "uses_now"), [({"range": {"at": {"lt": "now"}}}, True), ({"range": {"at": {"lt": "2020-01-01"}}}, False)]
)
def test_now_is_noticed(query: dict[str, Any], uses_now: bool) -> None:
    ctx = context()
    compile_query(query, ctx)
    assert ctx.uses_now is uses_now


def test_too_deep() -> None:
    query: dict[str, Any] = {"match_all": {}}
    for _ in range(200):
        query = {"bool": {"must": query}}
    with pytest.raises(ApiError, match="nested depth") as caught:
        compile_query(query, context())
    assert caught.value.status == 400


def test_too_many_clauses() -> None:
    query = {"bool": {"should": [{"term": {"tag": str(n)}} for n in range(11)]}}
    with pytest.raises(ApiError, match="maxClauseCount is set to 10"):
        compile_query(query, context(max_clause_count=10))
