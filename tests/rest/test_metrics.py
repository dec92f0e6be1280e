"""`_prometheus/metrics` of a single node: what is counted, and that it is written as Prometheus reads it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.client import Client
from tests.support.metrics import Scrape, documented

KINDS = ("counter", "gauge", "histogram")


@pytest.fixture(autouse=True)
def _cleared(client: Client) -> Iterator[None]:
    client.call("DELETE", "/metrics-*")
    yield
    client.call("DELETE", "/metrics-*")


def test_names_kinds_and_units(client: Client) -> None:
    client.call("GET", "/_search")
    found = Scrape(client)
    known = documented()
    assert found.names() <= set(known)
    for name in found.names():
        family = found.families[name.removesuffix("_total")]
        kind, labels = known[name]
        assert family.type == kind in KINDS
        assert family.documentation
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == labels
            assert not sample.name.endswith("_created")
        assert not any(unit in name for unit in ("millis", "_ms", "_kb"))
    for name in ("process_cpu_seconds", "process_resident_memory_bytes", "process_open_fds", "python_info"):
        assert name in found.families


def test_requests_are_counted_by_endpoint(client: Client) -> None:
    before = Scrape(client)
    client.call("GET", "/metrics-nix/_doc/1")
    client.call("GET", "/metrics-nix/_doc/2")
    client.call("GET", "/_cat/health?bogus")
    client.call("GET", "/_nothing/of/this/kind")
    after = Scrape(client)

    def count(**labels: str) -> float:
        name = "quidditch_http_request_duration_seconds_count"
        return after.of(name, **labels) - before.of(name, **labels)

    assert count(method="GET", path="/{index}/_doc/{id}", status="404") == 2
    assert count(method="GET", path="/_cat/health", status="400") == 1
    assert count(path="unrouted") == 1
    assert after["quidditch_http_connections"] >= 1
    http = next(iter(client.call("GET", "/_nodes/stats/http").json["nodes"].values()))["http"]
    assert http["current_open"] >= 1 <= http["total_opened"]


def test_work_on_documents_is_counted(client: Client) -> None:
    before = Scrape(client)
    assert client.call("PUT", "/metrics-a", {"settings": {"number_of_shards": 2}}).status == 200
    lines = [line for n in range(50) for line in ({"index": {"_index": "metrics-a", "_id": str(n)}}, {"n": n})]
    client.call("POST", "/_bulk?refresh=true", lines)
    client.call("GET", "/metrics-a/_search?q=n:1")
    client.call("GET", "/metrics-a/_doc/1")
    client.call("DELETE", "/metrics-a/_doc/1")
    client.call("POST", "/metrics-a/_flush")
    after = Scrape(client)

    def grown(name: str) -> float:
        return after[name] - before[name]

    assert grown("quidditch_indexing_operations_total") == 50
    assert grown("quidditch_search_queries_total") == 2
    assert grown("quidditch_get_operations_total") == 1
    assert grown("quidditch_delete_operations_total") == 1
    assert grown("quidditch_flushes_total") >= 2
    assert grown("quidditch_store_size_bytes") > 0
    assert after.of("quidditch_shards", state="started", role="primary") == 2
    assert after.of("quidditch_cluster_shards", state="unassigned") == 2
    assert after.of("quidditch_cluster_status", status="yellow") == 1
    assert after["quidditch_cluster_status"] == 1
    assert after["quidditch_commands_total"] > before["quidditch_commands_total"]
    assert after["quidditch_state_version"] > before["quidditch_state_version"]
    assert (after["quidditch_leader"], after["quidditch_leader_known"]) == (1, 1)


def test_counters_do_not_fall_when_shards_leave(client: Client) -> None:
    client.call("PUT", "/metrics-b/_doc/1?refresh=true", {"n": 1})
    before = Scrape(client)
    client.call("DELETE", "/metrics-b")
    after = Scrape(client)
    counters = [name for name, family in before.families.items() if family.type == "counter"]
    assert len(counters) > 20
    for name in counters:
        assert after[f"{name}_total"] >= before[f"{name}_total"], name
    assert after["quidditch_shard_documents"] < before["quidditch_shard_documents"]
