"""What is too much is refused with 429 and OpenSearch's error, wherever in the cluster it is too much; and nothing stays counted."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from tests.support.fleet import Fleet, run

SHARDS = 4


async def fill(found: Fleet, count: int = 40) -> None:
    await found.members[0].put("/goods", {"settings": {"number_of_shards": SHARDS, "number_of_replicas": 0}})
    await found.started("goods")
    lines: list[Any] = []
    for number in range(count):
        lines += [{"index": {"_id": str(number)}}, {"n": number, "t": f"some words {number}"}]
    assert not (await found.members[0].post("/goods/_bulk?refresh=true", lines))["errors"]


def test_writes_beyond_the_bytes_that_a_node_takes_are_refused_by_it() -> None:
    async def test(found: Fleet) -> None:
        await fill(found)
        one, two = found.members
        two.node.pressure.indexing.limit = 100
        refused = await two.ask("PUT", "/goods/_doc/x", {"t": "x" * 200})
        assert (refused.status, refused.json["error"]["type"]) == (429, "rejected_execution_exception")
        assert "coordinating_operation_bytes=" in refused.json["error"]["reason"]
        lines: list[Any] = []
        for number in range(20):
            lines += [{"index": {"_id": f"new-{number}"}}, {"t": "x" * 200}]
        items = [item["index"] for item in (await one.post("/goods/_bulk", lines))["items"]]
        failed = [item for item in items if "error" in item]
        assert 0 < len(failed) < 20
        assert {(item["status"], item["error"]["type"]) for item in failed} == {(429, "rejected_execution_exception")}
        assert "primary_operation_bytes=" in failed[0]["error"]["reason"]
        stats = (await one.get("/_nodes/stats/indexing_pressure"))["nodes"]
        memory = {id: each["indexing_pressure"]["memory"] for id, each in stats.items()}
        assert memory[two.id]["total"]["coordinating_rejections"] == 1
        assert memory[two.id]["total"]["primary_rejections"] >= 1
        assert memory[one.id]["total"]["primary_rejections"] == 0
        assert {each["current"]["all_in_bytes"] for each in memory.values()} == {0}
        two.node.pressure.indexing.limit = 1 << 20
        assert not (await one.post("/goods/_bulk", lines))["errors"]

    run(2, test)


def test_searches_that_find_no_place_to_wait_are_refused_and_asked_elsewhere_if_they_can() -> None:
    async def test(found: Fleet) -> None:
        await fill(found)
        one, two = found.members
        pool = two.node.data.searches
        release = threading.Event()
        busy = [asyncio.create_task(pool.run_anyway(release.wait, 60)) for _ in range(pool.threads)]
        pool.places = 0
        slow = {"query": {"match": {"t": "words"}}, "highlight": {"fields": {"t": {}}}, "size": 40}
        try:
            for member in found.members:
                numbers = [shard for shard in range(SHARDS) if found.holder("goods", shard) is two]
                path = f"/goods/_search?preference=_shards:{','.join(map(str, numbers))}"
                answer = await member.ask("GET", path, slow)
                assert answer.status == 429
                error = answer.json["error"]
                assert (error["type"], error["root_cause"][0]["type"]) == (
                    "search_phase_execution_exception",
                    "rejected_execution_exception",
                )
            partial = await one.get("/goods/_search", slow)
            assert partial["_shards"]["failed"] == len(numbers)
            rows = await one.get("/_cat/thread_pool/search?format=json&h=node_name,active,queue,rejected,size")
            shown = {row["node_name"]: row for row in rows}
            assert shown["node-1"]["active"] == str(pool.threads)
            assert int(shown["node-1"]["rejected"]) >= 3
            assert shown["node-0"]["rejected"] == "0"
        finally:
            release.set()
            await asyncio.gather(*busy)
        answer = await one.get("/goods/_search", slow)
        assert (answer["_shards"]["failed"], len(answer["hits"]["hits"])) == (0, 40)

    run(2, test)


def test_what_shards_answer_is_held_up_to_the_limit_of_the_request_breaker() -> None:
    async def test(found: Fleet) -> None:
        await fill(found)
        one, two = found.members
        body = {"size": 40, "sort": ["n"]}
        await one.put("/_cluster/settings", {"persistent": {"indices.breaker.request.limit": "100b"}})
        await two.applied(lambda state: state.settings.get("indices.breaker.request.limit") is not None)
        for member in found.members:
            answer = await member.ask("GET", "/goods/_search", body)
            assert answer.status == 429, answer.text
            cause = answer.json["error"]["root_cause"][0]
            assert (cause["type"], cause["bytes_limit"]) == ("circuit_breaking_exception", 100)
            assert cause["reason"].startswith("[request] Data too large, data for [<reduce_aggs>] would be [")
        stats = (await one.get("/_nodes/stats/breaker"))["nodes"]
        for each in stats.values():
            assert each["breakers"]["request"]["tripped"] >= 1
            assert each["breakers"]["request"]["limit_size_in_bytes"] == 100
            assert each["breakers"]["request"]["estimated_size_in_bytes"] == 0
        await one.put("/_cluster/settings", {"persistent": {"indices.breaker.request.limit": None}})
        assert len((await one.get("/goods/_search", body))["hits"]["hits"]) == 40

    run(2, test)


def test_aggregations_that_hold_too_much_are_refused_whatever_else_the_node_does() -> None:
    async def test(found: Fleet) -> None:
        await fill(found)
        one, two = found.members
        by_word = {
            "size": 0,
            "aggs": {"words": {"terms": {"field": "t.keyword"}, "aggs": {"n": {"avg": {"field": "n"}}}}},
        }
        fine = await one.get("/goods/_search", by_word)
        await one.put("/_cluster/settings", {"persistent": {"indices.breaker.request.limit": "8kb"}})
        answer = await two.ask("GET", "/goods/_search", by_word)
        error = answer.json["error"]
        assert (answer.status, error["type"]) == (429, "search_phase_execution_exception")
        cause = error["root_cause"][0]
        assert (cause["type"], cause["bytes_limit"], cause["durability"]) == (
            "circuit_breaking_exception",
            8192,
            "TRANSIENT",
        )
        assert cause["reason"].startswith("[request] Data too large, data for [<agg [n]>] would be [")
        shown = (await two.get("/_nodes/_local/stats/breaker"))["nodes"][two.id]["breakers"]["request"]
        assert (shown["limit_size_in_bytes"], shown["estimated_size_in_bytes"]) == (8192, 0)
        assert shown["tripped"] >= 1
        await one.put("/_cluster/settings", {"persistent": {"indices.breaker.request.limit": None}})
        again = await two.get("/goods/_search", by_word)
        assert again["aggregations"] == fine["aggregations"]

    run(2, test)
