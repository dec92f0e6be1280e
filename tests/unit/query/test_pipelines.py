"""Pipeline aggregations over trees as the kernel finishes them; the expected answers are those of OpenSearch 3.6."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from quidditch.model.errors import ApiError
from quidditch.query.aggs.pipeline.compiler import compile_pipelines, run_pipelines

SUM = {"sum": {"field": "n"}}
DAYS = {"field": "d", "fixed_interval": "1d"}


def two_decimals(value: float, _pattern: str) -> str:
    return f"{value:.2f}"


def run(aggs: dict[str, Any], tree: dict[str, Any], typed: bool = False) -> dict[str, Any]:
    finished = copy.deepcopy(tree)
    level = compile_pipelines(aggs)
    assert level is not None
    run_pipelines(level, finished, typed, two_decimals)
    return finished


def days(*sums: tuple[int, float | None]) -> dict[str, Any]:
    """Buckets of a date_histogram: number of documents, value of `m`."""
    day = 86_400_000
    buckets = [
        {"key_as_string": f"day {n}", "key": n * day, "doc_count": count, "m": {"value": value}}
        for n, (count, value) in enumerate(sums)
    ]
    return {"h": {"buckets": buckets}}


TREE = days((14, 163.0), (0, 0.0), (13, 142.0), (13, 141.0))


def histogram(**pipelines: Any) -> dict[str, Any]:
    return {"h": {"date_histogram": DAYS, "aggs": {"m": SUM, **pipelines}}}


def column(found: dict[str, Any], name: str) -> list[Any]:
    return [bucket.get(name) for bucket in found["h"]["buckets"]]


def sibling(kind: str, tree: dict[str, Any] = TREE, **params: Any) -> Any:
    return run({**histogram(), "p": {kind: {"buckets_path": "h>m", **params}}}, tree)["p"]


def test_siblings_pass_over_gaps() -> None:
    assert sibling("avg_bucket") == {"value": 446.0 / 3}
    assert sibling("sum_bucket") == {"value": 446.0}
    assert sibling("max_bucket", format="0.00") == {"value": 163.0, "value_as_string": "163.00", "keys": ["day 0"]}
    assert sibling("min_bucket") == {"value": 141.0, "keys": ["day 3"]}
    assert sibling("min_bucket", gap_policy="insert_zeros") == {"value": 0.0, "keys": ["day 1"]}
    assert sibling("stats_bucket") == {"count": 3, "min": 141.0, "max": 163.0, "avg": 446.0 / 3, "sum": 446.0}
    percentiles = sibling("percentiles_bucket", percents=[25, 50, 99])
    assert percentiles == {"values": {"25.0": 142.0, "50.0": 142.0, "99.0": 163.0}}
    listed = sibling("percentiles_bucket", percents=[10], keyed=False)
    assert listed == {"values": [{"key": 10.0, "value": 141.0}]}


def test_extended_stats_of_buckets() -> None:
    found = sibling("extended_stats_bucket")
    assert found["sum_of_squares"] == 66614.0
    assert found["variance_sampling"] == pytest.approx(154.33333333333576)
    assert found["std_deviation_bounds"]["upper"] == pytest.approx(168.95349873960407)


def test_siblings_of_nothing() -> None:
    nothing = {"h": {"buckets": []}}
    assert sibling("max_bucket", nothing) == {"value": None, "keys": []}
    assert sibling("avg_bucket", nothing) == {"value": None}
    assert sibling("sum_bucket", nothing) == {"value": 0.0}
    assert sibling("stats_bucket", nothing) == {"count": 0, "min": None, "max": None, "avg": None, "sum": 0.0}
    assert sibling("percentiles_bucket", nothing, percents=[50]) == {"values": {"50.0": None}}


def test_derivatives_of_derivatives() -> None:
    first = {"derivative": {"buckets_path": "m", "unit": "12h", "gap_policy": "insert_zeros"}}
    second = {"derivative": {"buckets_path": "first"}}
    found = run(histogram(second=second, first=first), days((1, 4.0), (1, 10.0), (1, 40.0)))
    assert column(found, "first") == [
        None,
        {"value": 6.0, "normalized_value": 3.0},
        {"value": 30.0, "normalized_value": 15.0},
    ]
    assert column(found, "second") == [None, None, {"value": 24.0}]


def test_gaps_of_parents() -> None:
    sums = {"cumulative_sum": {"buckets_path": "m"}}
    steps = {"derivative": {"buckets_path": "m"}}
    lagged = {"serial_diff": {"buckets_path": "_count", "lag": 2}}
    found = run(histogram(sums=sums, steps=steps, lagged=lagged), TREE)
    assert [one["value"] for one in column(found, "sums")] == [163.0, 163.0, 305.0, 446.0]
    assert column(found, "steps") == [None, {"value": None}, {"value": None}, {"value": -1.0}]
    assert column(found, "lagged") == [None, None, {"value": -1.0}, {"value": 13.0}]


def terms(keyed: bool = False) -> dict[str, Any]:
    buckets = [
        {"key": "a", "doc_count": 3, "m": {"value": 1.0}},
        {"key": "b", "doc_count": 2, "m": {"value": 5.0}},
        {"key": "c", "doc_count": 1, "m": {"value": None}},
        {"key": "d", "doc_count": 1, "m": {"value": 5.0}},
    ]
    return {"h": {"buckets": {bucket["key"]: bucket for bucket in buckets} if keyed else buckets}}


@pytest.mark.parametrize(
    ("params", "keys"),
    [
        ({"sort": [{"m": {"order": "desc"}}]}, "bda"),
        ({"sort": [{"m": "desc"}, {"_key": "desc"}]}, "dbac"),
        ({"sort": ["_count", {"_key": "desc"}]}, "dcba"),
        ({"sort": ["m"], "size": 2}, "ab"),
        ({"from": 1, "size": 2}, "bc"),
        ({"sort": ["m"], "gap_policy": "insert_zeros"}, "cabd"),
    ],
)
def test_bucket_sort(params: dict[str, Any], keys: str) -> None:
    aggs = {"h": {"terms": {"field": "t"}, "aggs": {"m": SUM, "b": {"bucket_sort": params}}}}
    assert "".join(bucket["key"] for bucket in run(aggs, terms())["h"]["buckets"]) == keys
    assert "".join(run(aggs, terms(keyed=True))["h"]["buckets"]) == keys


def test_pipelines_stand_in_buckets_and_in_single_buckets() -> None:
    inner = {"d": {"date_histogram": DAYS}, "busiest": {"max_bucket": {"buckets_path": "d>_count"}}}
    aggs: dict[str, Any] = {
        "t": {"terms": {"field": "t"}, "aggs": inner},
        "f": {"filter": {"match_all": {}}, "aggs": inner},
        "all": {"sum_bucket": {"buckets_path": "t>busiest"}},
    }
    d = {"buckets": [{"key": 1, "doc_count": 2}, {"key": 2, "doc_count": 7}]}
    tree = {"t": {"buckets": [{"key": "a", "doc_count": 9, "d": d}]}, "f": {"doc_count": 9, "d": d}}
    found = run(aggs, tree)
    assert found["t"]["buckets"][0]["busiest"] == found["f"]["busiest"] == {"value": 7.0, "keys": ["2"]}
    assert found["all"] == {"value": 7.0}


def test_typed_keys_and_meta() -> None:
    aggs = {**histogram(), "p#1": {"max_bucket": {"buckets_path": "h>m"}, "meta": {"unit": "s"}}}
    tree = {"date_histogram#h": {"buckets": [{"key": 5, "doc_count": 1, "sum#m": {"value": 2.0}}]}}
    found = run(aggs, tree, typed=True)
    assert found["bucket_metric_value#p#1"] == {"meta": {"unit": "s"}, "value": 2.0, "keys": ["5"]}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("h>p[99.0]", 9.0),
        ("h>p.50", 5.0),
        ("h>s.max", 8.0),
        ("h>s.std_upper", 6.0),
        ("h>m.value", 1.0),
        ("h>inner._bucket_count", 2.0),
        ("h>inner['x']>m", 3.0),
        ("h>f>m", 4.0),
        ("h>f>_count", 1.0),
        ("h._count", 3.0),
    ],
)
def test_paths(path: str, value: float) -> None:
    subs = {
        "p": {"percentiles": {"field": "n"}},
        "s": {"extended_stats": {"field": "n"}},
        "m": SUM,
        "inner": {"terms": {"field": "u"}, "aggs": {"m": SUM}},
        "f": {"filter": {"match_all": {}}, "aggs": {"m": SUM}},
    }
    bucket = {
        "key": "a",
        "doc_count": 3,
        "p": {"values": {"50.0": 5.0, "50.0_as_string": "5", "99.0": 9.0}},
        "s": {"count": 1, "max": 8.0, "std_deviation_bounds": {"upper": 6.0}},
        "m": {"value": 1.0},
        "inner": {"buckets": [{"key": "x", "doc_count": 1, "m": {"value": 3.0}}, {"key": "y", "doc_count": 1}]},
        "f": {"doc_count": 1, "m": {"value": 4.0}},
    }
    aggs = {"h": {"terms": {"field": "t"}, "aggs": subs}, "r": {"sum_bucket": {"buckets_path": path}}}
    assert run(aggs, {"h": {"buckets": [bucket]}})["r"] == {"value": value}


MUST = "buckets_path must reference either a number value or a single value numeric metric aggregation"


@pytest.mark.parametrize(
    ("path", "status", "reason"),
    [
        ("h>p", 400, f"{MUST}, but [p] contains multiple values. Please specify which to use."),
        ("h>inner", 400, f"{MUST}, got: [LongTerms] at aggregation [inner]"),
        ("h>inner>m", 400, f"{MUST}, got: [Object[]] at aggregation [inner]"),
        ("h>m.max", 400, "path not supported for [m]: [max]"),
        ("h>p.7", 400, "Percent requested [7.0] was not one of the computed percentiles of [p]"),
    ],
)
def test_paths_to_no_number(path: str, status: int, reason: str) -> None:
    subs = {"p": {"percentiles": {"field": "n"}}, "m": SUM, "inner": {"terms": {"field": "n"}, "aggs": {"m": SUM}}}
    inner = {"buckets": [{"key": 1, "doc_count": 1, "m": {"value": 3.0}}]}
    bucket = {"key": "a", "doc_count": 1, "p": {"values": {"50.0": 1.0}}, "m": {"value": 1.0}, "inner": inner}
    aggs = {"h": {"terms": {"field": "t"}, "aggs": subs}, "r": {"max_bucket": {"buckets_path": path}}}
    with pytest.raises(ApiError) as failure:
        run(aggs, {"h": {"buckets": [bucket]}})
    assert (failure.value.status, failure.value.reason) == (status, reason)


def nested_in(kind: str, params: dict[str, Any], **pipelines: Any) -> dict[str, Any]:
    return {"h": {kind: params, "aggs": {"m": SUM, **pipelines}}}


@pytest.mark.parametrize(
    ("aggs", "reason"),
    [
        (
            {**histogram(), "p": {"max_bucket": {"buckets_path": "no>m"}}},
            "Validation Failed: 1: No aggregation found for path [no>m];",
        ),
        (
            {**histogram(), "p": {"max_bucket": {"buckets_path": "h>no"}}},
            "Validation Failed: 1: No aggregation [no] found for path [h>no];",
        ),
        (
            {"f": {"filter": {"match_all": {}}, "aggs": {"m": SUM}}, "p": {"max_bucket": {"buckets_path": "f>m"}}},
            "Validation Failed: 1: The first aggregation in buckets_path must be a multi-bucket aggregation for aggregation [p] found "
            ":org.opensearch.search.aggregations.bucket.filter.FilterAggregationBuilder for buckets path: f>m;",
        ),
        (
            histogram(p={"derivative": {"buckets_path": "q"}}, q={"derivative": {"buckets_path": "p"}}),
            "Validation Failed: 1: Cyclical dependency found with pipeline aggregator [p];",
        ),
        (
            nested_in("terms", {"field": "t"}, p={"derivative": {"buckets_path": "m"}}),
            "Validation Failed: 1: derivative aggregation [p] must have a histogram, date_histogram or auto_date_histogram as parent;",
        ),
        (
            nested_in("date_histogram", {**DAYS, "min_doc_count": 1}, p={"cumulative_sum": {"buckets_path": "m"}}),
            "Validation Failed: 1: parent histogram of cumulative_sum aggregation [p] must have min_doc_count of 0;",
        ),
        (
            {"p": {"bucket_sort": {"size": 1}}},
            "Validation Failed: 1: bucket_sort aggregation [p] must be declared inside of another aggregation;",
        ),
        (
            nested_in("terms", {"field": "t"}, p={"bucket_sort": {}}),
            "Validation Failed: 1: [p] is configured to perform nothing. Please set either of [sort, size, from] to use bucket_sort;",
        ),
        ({"p": {"max_bucket": {}}}, "Missing required field [buckets_path] for aggregation [p]"),
        (
            {"p": {"max_bucket": {"buckets_path": "h>m", "foo": 1}}},
            "Unexpected token VALUE_NUMBER [foo] in [p]",
        ),
        (
            {"p": {"max_bucket": {"buckets_path": "h>m", "gap_policy": "zz"}}},
            "Invalid gap policy: [zz], accepted values: [insert_zeros, skip]",
        ),
        (
            {"p": {"max_bucket": {"buckets_path": "h>m"}, "aggs": {"m": SUM}}},
            "Aggregation [p] cannot define sub-aggregations",
        ),
        (
            histogram(p={"serial_diff": {"buckets_path": "m", "lag": 0}}),
            "Lag must be a positive, non-zero integer.  Value supplied was0 in [p]: [lag].",
        ),
    ],
)
def test_refusals(aggs: dict[str, Any], reason: str) -> None:
    with pytest.raises(ApiError) as failure:
        compile_pipelines(aggs)
    assert (failure.value.status, failure.value.reason) == (400, reason)


def test_no_pipelines_no_level() -> None:
    assert compile_pipelines(histogram()) is None
