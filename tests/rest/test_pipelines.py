"""Pipeline aggregations and limits of highlighting through a real process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.client import Client

INDEX = "pipelines"
DAYS = {"date_histogram": {"field": "at", "calendar_interval": "day"}, "aggs": {"m": {"sum": {"field": "n"}}}}


@pytest.fixture(scope="module", autouse=True)
def _documents(node: Any) -> Iterator[None]:
    client = Client(node.url)
    client.call("DELETE", f"/{INDEX}")
    client.call("PUT", f"/{INDEX}", {"settings": {"number_of_shards": 3}, "mappings": {"dynamic": True}})
    lines: list[Any] = []
    for n in range(12):
        source = {"n": n, "at": f"2024-01-0{1 + n % 3}", "tag": f"t{n % 4}", "big": '","aggregations":{'}
        lines += [{"index": {"_index": INDEX, "_id": str(n)}}, source]
    assert not client.call("POST", "/_bulk?refresh=true", lines).json["errors"]
    yield
    client.call("DELETE", f"/{INDEX}")
    client.close()


def test_pipelines_stand_beside_hits(client: Client) -> None:
    """The source of the hits is untouched, whatever it looks like."""
    days = {**DAYS, "aggs": {**DAYS["aggs"], "total": {"cumulative_sum": {"buckets_path": "m"}}}}
    body = {"size": 2, "sort": ["n"], "aggs": {"d": days, "best": {"max_bucket": {"buckets_path": "d>m"}}}}
    for _ in range(2):  # compiled, then from the cache of plans
        found = client.call("POST", f"/{INDEX}/_search", body).json
        assert [hit["_source"]["big"] for hit in found["hits"]["hits"]] == ['","aggregations":{'] * 2
        totals = [bucket["total"]["value"] for bucket in found["aggregations"]["d"]["buckets"]]
        assert totals == [18.0, 40.0, 66.0]
        assert found["aggregations"]["best"] == {"value": 26.0, "keys": ["2024-01-03T00:00:00.000Z"]}


def test_formats_and_typed_keys(client: Client) -> None:
    best = {"max_bucket": {"buckets_path": "d>m", "format": "#,##0.00"}}
    answer = client.call("POST", f"/{INDEX}/_search?size=0&typed_keys", {"aggs": {"d": DAYS, "best": best}})
    assert answer.json["aggregations"]["bucket_metric_value#best"]["value_as_string"] == "26.00"


def test_in_scrolls_and_msearch(client: Client) -> None:
    aggs = {"d": DAYS, "best": {"max_bucket": {"buckets_path": "d>m"}}}
    first = client.call("POST", f"/{INDEX}/_search?scroll=1m&size=5", {"aggs": aggs}).json
    assert first["aggregations"]["best"]["value"] == 26.0
    second = client.call("POST", "/_search/scroll", {"scroll_id": first["_scroll_id"]}).json
    assert len(second["hits"]["hits"]) == 5
    assert "aggregations" not in second
    answers = client.call("POST", "/_msearch", [{"index": INDEX}, {"size": 0, "aggs": aggs}]).json["responses"]
    assert answers[0]["aggregations"]["best"]["value"] == 26.0


def test_a_path_to_no_number_fails_the_search(client: Client) -> None:
    aggs = {"t": {"terms": {"field": "tag.keyword"}, "aggs": {"s": {"stats": {"field": "n"}}}}}
    answer = client.call("POST", f"/{INDEX}/_search", {"aggs": {**aggs, "p": {"max_bucket": {"buckets_path": "t>s"}}}})
    assert answer.status == 400
    error = answer.json["error"]
    assert (error["type"], error["phase"]) == ("search_phase_execution_exception", "fetch")
    assert error["caused_by"]["type"] == "aggregation_execution_exception"


def test_faults_name_their_place(client: Client) -> None:
    raw = b'{"aggs":{"p":{"max_bucket":{"buckets_path":"h>m","foo":1}}}}'
    error = client.call("POST", f"/{INDEX}/_search", raw).json["error"]
    assert (error["type"], error["line"], error["col"]) == ("parsing_exception", 1, 56)


def highlighted(client: Client, **options: Any) -> Any:
    body = {"query": {"query_string": {"query": "quick fox the"}}, "highlight": {"fields": {"text": options}}}
    return client.call("POST", "/pipelines-text/_search", body)


@pytest.fixture
def _text(client: Client) -> Iterator[None]:
    settings = {"index.highlight.max_analyzed_offset": 10}
    client.call(
        "PUT", "/pipelines-text", {"settings": settings, "mappings": {"properties": {"text": {"type": "text"}}}}
    )
    client.call("PUT", "/pipelines-text/_doc/a?refresh=true", {"text": "The quick brown fox went"})
    yield
    client.call("DELETE", "/pipelines-text")


@pytest.mark.usefixtures("_text")
@pytest.mark.parametrize(
    ("kind", "shown", "document"),
    [("unified", "<em>The</em> <em>quick</em> brown fox went", "0"), ("plain", "<em>The</em> q", "a")],
)
def test_long_texts_are_highlighted_as_far_as_asked(client: Client, kind: str, shown: str, document: str) -> None:
    refused = highlighted(client, type=kind)
    assert refused.status == 400
    reason = refused.json["error"]["root_cause"][0]["reason"]
    assert reason.startswith(
        f"The length of [text] field of [{document}] doc of [pipelines-text] index has exceeded [10]"
    )
    answer = highlighted(client, type=kind, max_analyzer_offset=5)
    assert answer.json["hits"]["hits"][0]["highlight"]["text"] == [shown]
    too_much = highlighted(client, type=kind, max_analyzer_offset=11)
    assert too_much.json["error"]["root_cause"][0]["reason"].startswith("max_analyzer_offset has exceeded [10]")
