"""The clients that people use walk through their ordinary day: opensearch-py, elasticsearch-py 8 and 9."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.node import Node

DOCUMENTS = [
    {
        "_index": "library",
        "_id": str(number),
        "title": f"volume {number}",
        "shelf": f"s{number % 3}",
        "pages": 100 + number,
    }
    for number in range(250)
]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with Node.temporary() as node:
        yield node.url


@pytest.fixture(params=["opensearchpy", "elasticsearch8", "elasticsearch"])
def client(request: pytest.FixtureRequest, url: str) -> Iterator[tuple[Any, Any]]:
    """(client, its helpers module) on an empty node."""
    module = importlib.import_module(request.param)
    helpers = importlib.import_module(f"{request.param}.helpers")
    factory = module.OpenSearch if request.param == "opensearchpy" else module.Elasticsearch
    instance = factory(url)
    yield instance, helpers
    instance.indices.delete(index="library,library-copy", ignore_unavailable=True)
    instance.close()


def body(client: Any, **members: Any) -> dict[str, Any]:
    """How this client takes a body: opensearch-py as one argument, the others as keywords."""
    return {"body": members} if type(client).__name__ == "OpenSearch" else members


def fill(client: Any, helpers: Any) -> None:
    mappings = {"properties": {"title": {"type": "text"}, "shelf": {"type": "keyword"}, "pages": {"type": "long"}}}
    client.indices.create(index="library", **body(client, mappings=mappings))
    stored, errors = helpers.bulk(client, DOCUMENTS, refresh=True)
    assert (stored, errors) == (250, [])


def test_info_and_ping(client: tuple[Any, Any]) -> None:
    instance, _ = client
    assert instance.ping()
    assert instance.info()["version"]["number"]


def test_bulk_helpers_search_and_count(client: tuple[Any, Any]) -> None:
    instance, helpers = client
    fill(instance, helpers)
    found = instance.search(index="library", **body(instance, query={"match": {"title": "volume"}}, size=5))
    assert found["hits"]["total"] == {"value": 250, "relation": "eq"}
    assert len(found["hits"]["hits"]) == 5
    assert instance.count(index="library")["count"] == 250
    assert instance.cat.indices(index="library", format="json")[0]["docs.count"] == "250"


def test_aggregations(client: tuple[Any, Any]) -> None:
    instance, helpers = client
    fill(instance, helpers)
    aggs = {"shelves": {"terms": {"field": "shelf"}, "aggs": {"pages": {"avg": {"field": "pages"}}}}}
    found = instance.search(index="library", **body(instance, size=0, aggs=aggs))
    buckets = found["aggregations"]["shelves"]["buckets"]
    assert [(bucket["key"], bucket["doc_count"]) for bucket in buckets] == [("s0", 84), ("s1", 83), ("s2", 83)]
    assert buckets[0]["pages"]["value"] == pytest.approx(224.5)


def test_scan_reads_everything_once(client: tuple[Any, Any]) -> None:
    instance, helpers = client
    fill(instance, helpers)
    ids = [hit["_id"] for hit in helpers.scan(instance, index="library", size=60)]
    assert sorted(ids, key=int) == [document["_id"] for document in DOCUMENTS]


def test_document_life(client: tuple[Any, Any]) -> None:
    instance, _ = client
    document = {"title": "one", "pages": 1}
    sent = {"body": document} if type(instance).__name__ == "OpenSearch" else {"document": document}
    created = instance.index(index="library", id="1", refresh=True, **sent)
    assert created["result"] == "created"
    assert instance.get(index="library", id="1")["_source"] == document
    updated = instance.update(index="library", id="1", **body(instance, doc={"pages": 2}))
    assert updated["result"] == "updated"
    assert instance.get(index="library", id="1")["_version"] == 2
    assert instance.exists(index="library", id="1")
    assert instance.delete(index="library", id="1")["result"] == "deleted"
    assert not instance.exists(index="library", id="1")


def test_errors_are_the_clients_own(client: tuple[Any, Any]) -> None:
    instance, _ = client
    module = importlib.import_module(type(instance).__module__.partition(".")[0])
    with pytest.raises(module.NotFoundError) as missing:
        instance.get(index="nowhere", id="1")
    assert (
        missing.value.status_code == 404 if hasattr(missing.value, "status_code") else missing.value.meta.status == 404
    )


def test_sniffing_finds_the_node(url: str) -> None:
    import opensearchpy

    client = opensearchpy.OpenSearch(url, sniff_on_start=True)
    assert client.ping()


def test_helpers_copy_and_stream(client: tuple[Any, Any]) -> None:
    instance, helpers = client
    fill(instance, helpers)
    mixed = [
        {"_op_type": "create", "_index": "library", "_id": "0", "title": "taken"},
        {"_op_type": "update", "_index": "library", "_id": "1", "doc": {"pages": 1}},
        {"_op_type": "delete", "_index": "library", "_id": "2"},
    ]
    outcomes = list(helpers.streaming_bulk(instance, mixed, raise_on_error=False))
    assert [done for done, _ in outcomes] == [False, True, True]
    instance.indices.refresh(index="library")
    assert helpers.reindex(instance, "library", "library-copy") == (249, 0)
    instance.indices.refresh(index="library-copy")
    assert instance.count(index="library-copy")["count"] == 249


def test_by_query(client: tuple[Any, Any]) -> None:
    instance, helpers = client
    fill(instance, helpers)
    query = {"term": {"shelf": "s1"}}
    updated = instance.update_by_query(index="library", refresh=True, **body(instance, query=query))
    assert (updated["updated"], updated["version_conflicts"]) == (83, 0)
    deleted = instance.delete_by_query(index="library", refresh=True, **body(instance, query=query))
    assert (deleted["deleted"], instance.count(index="library")["count"]) == (83, 167)
    copied = instance.reindex(**body(instance, source={"index": "library"}, dest={"index": "library-copy"}))
    assert copied["created"] == 167


def test_documents_of_the_dsl(client: tuple[Any, Any]) -> None:
    instance, _ = client
    name = type(instance).__module__.partition(".")[0]
    dsl = importlib.import_module("opensearchpy" if name == "opensearchpy" else f"{name}.dsl")

    class Volume(dsl.Document):  # type: ignore[misc, name-defined]
        title = dsl.Text(fields={"raw": dsl.Keyword()})
        pages = dsl.Integer()

        class Index:
            name = "library"

    Volume.init(using=instance)
    for number in range(20):
        Volume(meta={"id": str(number)}, title=f"volume {number % 4}", pages=number).save(using=instance)
    Volume._index.refresh(using=instance)
    first = Volume.get(id="3", using=instance)
    first.update(using=instance, pages=30)
    Volume._index.refresh(using=instance)
    search = Volume.search(using=instance).query("match", title="volume").filter("range", pages={"gte": 10})
    search = search.sort("-pages").highlight("title")[:3]
    search.aggs.bucket("titles", "terms", field="title.raw").metric("pages", "sum", field="pages").pipeline(
        "two", "bucket_sort", sort=[{"pages": "desc"}], size=2
    )
    search.aggs.pipeline("most", "max_bucket", buckets_path="titles>pages")
    found = search.execute()
    assert [hit.pages for hit in found] == [30, 19, 18]
    assert [bucket.key for bucket in found.aggregations.titles.buckets] == ["volume 3", "volume 2"]
    assert found.aggregations.most.value == 75.0
    assert len(list(Volume.search(using=instance).scan())) == 20
