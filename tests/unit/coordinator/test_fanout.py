"""The data path over three nodes: every answer is that of the same documents on one node, whichever node is asked."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.support.fleet import Fleet, Member, fleet, run
from tests.unit.coordinator.goods import SHARDS, document, fill

SEARCHES: list[dict[str, Any]] = [
    {"query": {"match": {"title": "quick fox"}}, "size": 15},
    {"query": {"match_all": {}}, "sort": [{"price": "desc"}, {"count": "asc"}], "size": 25, "from": 7},
    {"query": {"match_all": {}}, "sort": ["_doc"], "size": 120, "_source": False},
    {"query": {"match_all": {}}, "sort": [{"tag": "asc"}], "size": 40, "_source": ["tag"]},
    {"sort": [{"count": "asc"}], "search_after": [40], "size": 5, "track_total_hits": 10},
    {"size": 0, "aggs": {"tags": {"terms": {"field": "tag"}, "aggs": {"p": {"stats": {"field": "price"}}}}}},
    {
        "size": 2,
        "query": {"term": {"tag": "t1"}},
        "post_filter": {"range": {"count": {"gte": 30}}},
        "aggs": {
            "days": {"date_histogram": {"field": "day", "calendar_interval": "week"}},
            "rare": {"terms": {"field": "title.raw", "size": 3, "order": {"_key": "desc"}}},
            "unique": {"cardinality": {"field": "title.raw"}},
            "middle": {"percentiles": {"field": "price"}},
            "best": {"top_hits": {"size": 2, "sort": [{"price": "desc"}, {"count": "asc"}]}},
        },
    },
    {"query": {"match": {"title": "lazy"}}, "highlight": {"fields": {"title": {}}}, "size": 8},
    {
        "query": {"nested": {"path": "kids", "query": {"range": {"kids.age": {"gte": 7}}}, "inner_hits": {}}},
        "sort": [{"kids.age": {"order": "desc", "nested": {"path": "kids"}}}, {"count": "asc"}],
    },
    {"query": {"match": {"title": "dog"}}, "explain": True, "size": 4},
    {"query": {"match_all": {}}, "docvalue_fields": ["price", "day"], "seq_no_primary_term": True, "version": True},
    {"query": {"terms": {"tag": {"index": "goods", "id": "goods-3", "path": "tag"}}}, "size": 3, "sort": ["count"]},
    {"query": {"bool": {"filter": [{"range": {"count": {"lt": 3}}}]}}, "sort": ["count"]},
    {"query": {"term": {"tag": "nothing"}}, "aggs": {"a": {"avg": {"field": "price"}}}},
    {"query": {"match": {"title": "fox"}}, "min_score": 0.1, "terminate_after": 3, "size": 1, "sort": ["count"]},
]
"""What is asked of both clusters."""


def comparable(answer: Any) -> Any:
    """Without what differs between any two clusters."""
    if isinstance(answer, list):
        return [comparable(item) for item in answer]
    if isinstance(answer, dict):
        left_out = ("took", "_scroll_id", "pit_id", "_node", "node", "creation_time", "num_reduce_phases")
        return {key: comparable(value) for key, value in answer.items() if key not in left_out}
    return answer


def test_answers_of_three_nodes_are_those_of_one() -> None:
    async def compare(path: str, one: Member, others: Fleet, body: Any) -> None:
        expected = comparable(await one.get(path, body))
        for member in others.members:
            found = await member.get(path, body)
            assert comparable(found) == expected, (path, body)

    async def test(three: Fleet) -> None:
        async with fleet(1) as alone:
            one = alone.members[0]
            for each in (alone, three):
                await fill(each, "goods", "more")
            holders = {three.holder("goods", shard).id for shard in range(SHARDS)}
            assert len(holders) == 3
            for body in SEARCHES:
                await compare("/goods/_search", one, three, body)
                await compare("/goods,more/_search", one, three, body)
                await compare("/goods/_search?batched_reduce_size=2", one, three, body)
                await compare("/goods/_search?batched_reduce_size=5", one, three, body)
            await compare("/goods/_search?preference=_shards:3", one, three, {"sort": ["count"], "size": 50})
            await compare(
                "/goods/_search?pre_filter_shard_size=1", one, three, {"query": {"range": {"count": {"gt": 118}}}}
            )
            await compare("/goods/_count", one, three, {"query": {"match": {"title": "fox"}}})
            await compare("/goods/_count?terminate_after=1", one, three, {"query": {"match_none": {}}})
            await compare("/goods/_explain/goods-9", one, three, {"query": {"match": {"title": "quick"}}})
            await compare("/goods/_validate/query?explain=true", one, three, {"query": {"match": {"title": "quick"}}})
            await compare("/_field_caps?fields=*", one, three, {"index_filter": {"range": {"count": {"gte": 5}}}})
            lines: list[Any] = []
            for body in SEARCHES[:4]:
                lines += [{"index": "goods"}, body]
            first, *others = [comparable(await member.post("/_msearch", lines)) for member in [one, *three.members]]
            assert all(other == first for other in others)

    run(3, test)


@pytest.mark.parametrize("nodes", [1, 3])
def test_shards_that_cannot_match_are_not_asked(nodes: int) -> None:
    last = {"query": {"range": {"count": {"gt": 118}}}}
    by_field = {**last, "sort": ["count"]}
    every = {"query": {"match_all": {}}, "sort": ["count"]}
    total = {"aggs": {"all": {"global": {}}}}
    cases: list[tuple[str, Any, int]] = [
        ("", by_field, SHARDS - 1),
        ("", last, 0),
        ("?sort=count:desc", last, SHARDS - 1),
        ("?pre_filter_shard_size=1", last, SHARDS - 1),
        (f"?pre_filter_shard_size={SHARDS}", by_field, 0),
        ("?search_type=dfs_query_then_fetch", by_field, 0),
        ("?pre_filter_shard_size=1", every, 0),
        ("", {**last, "sort": ["_score"]}, 0),
        ("?pre_filter_shard_size=1", {**last, **total}, 0),
        ("", {"query": {"range": {"count": {"gt": 500}}}, "sort": [{"count": "desc"}]}, SHARDS - 1),
    ]

    async def test(found: Fleet) -> None:
        await fill(found, "goods")
        for member in found.members:
            for query, body, skipped in cases:
                for _ in range(4):  # compiled, from the cache, at once
                    answer = await member.get(f"/goods/_search{query}", {**body, "size": 120})
                    sections = {"total": SHARDS, "successful": SHARDS, "skipped": skipped, "failed": 0}
                    assert answer["_shards"] == sections, (query, body)
                    hits = [hit["_id"] for hit in answer["hits"]["hits"]]
                    assert ("goods-119" in hits) == (answer["hits"]["total"]["value"] > 0)
            point = await member.post("/goods/_search/point_in_time?keep_alive=1m")
            answer = await found.members[-1].get("/_search", {**by_field, "pit": {"id": point["pit_id"]}})
            assert (answer["_shards"]["skipped"], answer["hits"]["total"]["value"]) == (SHARDS - 1, 1)
        one = found.members[0]
        before = await one.get("/goods/_stats/search")
        await one.get("/goods/_search", by_field)
        after = await one.get("/goods/_stats/search")
        queries = [each["_all"]["total"]["search"]["query_total"] for each in (before, after)]
        assert queries[1] == queries[0] + 1
        await one.put("/goods/_settings", {"index.blocks.write": True})
        for member in found.members:
            await member.applied(lambda state: state.indices["goods"].spec.settings.get("index.blocks.write") == "true")
            assert (await member.get("/goods/_search", last))["_shards"]["skipped"] == SHARDS - 1

    run(nodes, test)


def test_documents_are_read_and_written_from_every_node() -> None:
    async def test(found: Fleet) -> None:
        await fill(found, "goods", count=30)
        for at, member in enumerate(found.members):
            for number in range(30):
                answer = await member.get(f"/goods/_doc/goods-{number}")
                assert answer["_source"] == document(number)
            answer = await member.get("/goods/_mget", {"ids": [f"goods-{number}" for number in (3, 99, 7)]})
            assert [doc["found"] for doc in answer["docs"]] == [True, False, True]
            written = await member.put(f"/goods/_doc/new-{at}?refresh=true", {"tag": "new", "count": at})
            assert written["result"] == "created"
            updated = await member.post(f"/goods/_update/new-{at}", {"doc": {"count": 100 + at}})
            assert updated["result"] == "updated"
            conflict = await member.ask("PUT", f"/goods/_doc/new-{at}?op_type=create", {"tag": "again"})
            assert conflict.status == 409
            assert conflict.json["error"]["type"] == "version_conflict_engine_exception"
            assert conflict.json["error"]["index_uuid"] == found.members[0].control.state.indices["goods"].uuid
        await found.members[0].post("/goods/_refresh")
        for member in found.members:
            assert (await member.get("/goods/_count", {"query": {"term": {"tag": "new"}}}))["count"] == 3
        answer = await found.members[1].post(
            "/goods/_delete_by_query?refresh=true", {"query": {"term": {"tag": "new"}}}
        )
        assert (answer["deleted"], answer["failures"]) == (3, [])

    run(3, test)


def test_mappings_grow_wherever_the_document_is_written() -> None:
    async def test(found: Fleet) -> None:
        settings = {"number_of_shards": SHARDS, "number_of_replicas": 0}
        await found.members[0].put("/grown", {"settings": settings})
        await found.started("grown")

        async def write(member: Member, part: int) -> None:
            lines: list[Any] = []
            for number in range(40):
                lines += [{"index": {"_id": f"{part}-{number}"}}, {f"f{part}": number, f"g{number % 4}": {"x": "y"}}]
            answer = await member.post("/grown/_bulk", lines)
            assert not answer["errors"], answer

        await asyncio.gather(*(write(member, part) for part, member in enumerate(found.members)))
        refused = await found.members[0].ask("POST", "/grown/_bulk", [{"index": {"_id": "bad"}}, {"f1": "no number"}])
        assert refused.json["items"][0]["index"]["error"]["type"] == "mapper_parsing_exception"
        for member in found.members:
            await member.put("/grown/_doc/seen?refresh=wait_for", {"f0": 1})
        await found.members[1].post("/grown/_refresh")
        for member in found.members:
            properties = (await member.get("/grown/_mapping"))["grown"]["mappings"]["properties"]
            assert sorted(properties) == ["f0", "f1", "f2", "g0", "g1", "g2", "g3"]
            assert (await member.get("/grown/_count", {"query": {"range": {"f1": {"gte": 10}}}}))["count"] == 30

    run(3, test)


def test_scrolls_turn_pages_on_every_node() -> None:
    async def test(found: Fleet) -> None:
        await fill(found, "goods")
        for sort in (["_doc"], [{"tag": "asc"}], None):
            body = {"size": 17, "query": {"range": {"count": {"gte": 20}}}, **({"sort": sort} if sort else {})}
            page = await found.members[0].post("/goods/_search?scroll=1m", body)
            seen: list[str] = []
            turns = 0
            while page["hits"]["hits"]:
                assert page["hits"]["total"]["value"] == 100
                seen += [hit["_id"] for hit in page["hits"]["hits"]]
                turns += 1
                member = found.members[turns % 3]
                page = await member.post("/_search/scroll", {"scroll": "1m", "scroll_id": page["_scroll_id"]})
            assert sorted(seen) == sorted(f"goods-{number}" for number in range(20, 120))
            gone = await found.members[1].ask("DELETE", "/_search/scroll", {"scroll_id": page["_scroll_id"]})
            assert gone.json == {"succeeded": True, "num_freed": 6}, "a scroll counts once for each shard"
            missing = await found.members[2].ask("POST", "/_search/scroll", {"scroll_id": page["_scroll_id"]})
            assert missing.status == 404
            assert missing.json["error"]["root_cause"][0]["type"] == "search_context_missing_exception"

    run(3, test)


def test_points_in_time_hold_still_on_every_node() -> None:
    async def test(found: Fleet) -> None:
        await fill(found, "goods")
        one, two, three = found.members
        point = (await one.post("/goods/_search/point_in_time?keep_alive=1m"))["pit_id"]
        await fill_more(one)
        body = {"pit": {"id": point}, "size": 200, "sort": [{"count": "asc"}], "_source": False}
        pages = [comparable(await member.get("/_search", body)) for member in found.members]
        assert pages[0] == pages[1] == pages[2]
        assert pages[0]["hits"]["total"]["value"] == 120
        assert (await two.get("/goods/_count"))["count"] == 121
        for member in found.members:
            listed = await member.get("/_search/point_in_time/_all")
            assert [each["pit_id"] for each in listed["pits"]] == [point]
        closed = await three.ask("DELETE", "/_search/point_in_time", {"pit_id": [point]})
        assert closed.json == {"pits": [{"successful": True, "pit_id": point}]}
        assert (await two.ask("GET", "/_search", body)).status == 404

    async def fill_more(member: Member) -> None:
        await member.put("/goods/_doc/late?refresh=true", {"count": 1000})

    run(3, test)


@pytest.mark.parametrize("slices", [2, 4, 9])
def test_slices_of_a_point_in_time_share_its_documents_out(slices: int) -> None:
    async def test(found: Fleet) -> None:
        await fill(found, "goods", "more")
        one = found.members[0]
        point = (await one.post("/goods,more/_search/point_in_time?keep_alive=1m"))["pit_id"]
        seen: list[str] = []
        for number in range(slices):
            body = {"pit": {"id": point}, "slice": {"id": number, "max": slices}, "size": 300, "_source": False}
            answer = await one.post("/_search", body)
            seen += [f"{hit['_index']}/{hit['_id']}" for hit in answer["hits"]["hits"]]
        assert len(seen) == len(set(seen)) == 240

    run(2, test)


@pytest.mark.parametrize("sort", [["_shard_doc"], [{"_shard_doc": "desc"}], [{"tag": "desc"}, "_shard_doc"]])
def test_pages_in_the_order_of_shards_leave_nothing_out(sort: list[Any]) -> None:
    async def test(found: Fleet) -> None:
        await fill(found, "goods", "more")
        one = found.members[0]
        point = (await one.post("/goods,more/_search/point_in_time?keep_alive=1m"))["pit_id"]
        seen: list[str] = []
        body: dict[str, Any] = {"pit": {"id": point}, "size": 50, "_source": False, "sort": sort}
        while hits := (await one.post("/_search", body))["hits"]["hits"]:
            seen += [f"{hit['_index']}/{hit['_id']}" for hit in hits]
            body["search_after"] = hits[-1]["sort"]
        assert len(seen) == len(set(seen)) == 240

    run(2, test)


def test_statistics_are_those_of_all_nodes() -> None:
    async def test(found: Fleet) -> None:
        await fill(found, "goods")
        await found.members[0].get("/goods/_search", {"query": {"match": {"title": "fox"}}, "stats": ["mine"]})
        for member in found.members:
            stats = await member.get("/goods/_stats?level=shards&groups=*")
            total = stats["_all"]["total"]
            assert stats["_shards"] == {"total": SHARDS, "successful": SHARDS, "failed": 0}
            assert (total["docs"]["count"], total["search"]["query_total"]) == (120, SHARDS)
            assert total["search"]["groups"]["mine"]["query_total"] == SHARDS
            assert len((await member.get("/goods/_segments"))["indices"]["goods"]["shards"]) == SHARDS
            assert len((await member.get("/goods/_recovery"))["goods"]["shards"]) == SHARDS
            assert (await member.get("/_cat/count?format=json"))[0]["count"] == "120"
            assert (await member.get("/_cat/indices?format=json"))[0]["docs.count"] == "120"
            rows = await member.get("/_cat/shards?format=json")
            assert sum(int(row["docs"]) for row in rows) == 120
            assert {row["node"] for row in rows} == {"node-0", "node-1", "node-2"}
            assert (await member.get("/_cluster/stats"))["indices"]["docs"]["count"] == 120
            nodes = await member.get("/_nodes/stats")
            assert nodes["_nodes"] == {"total": 3, "successful": 3, "failed": 0}
            assert sum(each["indices"]["docs"]["count"] for each in nodes["nodes"].values()) == 120
            assert len((await member.get("/_nodes/_local/http"))["nodes"]) == 1
            assert len(await member.get("/_cat/allocation?format=json")) == 3
            assert {row["node_name"] for row in await member.get("/_cat/thread_pool/search?format=json")} == {
                "node-0",
                "node-1",
                "node-2",
            }
        hot = (await found.members[0].ask("GET", "/_nodes/node-1,node-2/hot_threads?interval=50ms&snapshots=2")).text
        assert [line[:8] for line in hot.splitlines() if line.startswith(":::")] == ["::: {nod"] * 2
        assert hot.count("Hot threads at ") == 2
        merged = await found.members[2].post("/goods/_forcemerge?max_num_segments=1")
        assert merged["_shards"] == {"total": SHARDS, "successful": SHARDS, "failed": 0}
        assert len(await found.members[1].get("/_cat/segments/goods?format=json")) == SHARDS

    run(3, test)


def test_tasks_are_found_and_cancelled_from_every_node() -> None:
    async def test(found: Fleet) -> None:
        await fill(found, "goods")
        one, two, three = found.members
        path = "/goods/_update_by_query?wait_for_completion=false&requests_per_second=1&scroll_size=1"
        task = (await one.post(path))["task"]
        for member in found.members:
            listed = await member.get("/_tasks?actions=*update*")
            assert list(listed["nodes"]) == [one.id]
            assert task in listed["nodes"][one.id]["tasks"]
            assert (await member.get(f"/_tasks/{task}"))["completed"] is False
        cancelled = await two.post(f"/_tasks/{task}/_cancel")
        assert cancelled["nodes"][one.id]["tasks"][task]["cancelled"] is True
        ended = await three.get(f"/_tasks/{task}?wait_for_completion=true")
        assert ended["completed"] is True
        assert (await two.ask("GET", f"/_tasks/{one.id}:999")).status == 404

    run(3, test)


def test_a_listing_of_tasks_shows_itself_and_its_parts_on_the_nodes_asked() -> None:
    action = "cluster:monitor/tasks/lists"

    async def test(found: Fleet) -> None:
        one, two, three = found.members
        ((parent, shown),) = (await one.get("/_tasks?group_by=parents"))["tasks"].items()
        assert (shown["node"], shown["action"], shown["type"]) == (one.id, action, "transport")
        parts = {part["node"]: part for part in shown["children"]}
        assert parts.keys() == {member.id for member in found.members}
        assert {part["action"] for part in parts.values()} == {f"{action}[n]"}
        assert {part["parent_task_id"] for part in parts.values()} == {parent}
        assert [parts[member.id]["type"] for member in found.members] == ["direct", "transport", "transport"]

        only = (await one.get(f"/_tasks?nodes={two.id}&actions=*lists*"))["nodes"]
        ((_, part),) = only[two.id]["tasks"].items()
        assert list(only) == [two.id]
        assert part["action"] == f"{action}[n]"
        assert (await one.get("/_tasks?nodes=nobody"))["nodes"] == {}
        assert (await one.get(f"/_tasks?parent_task_id={one.id}:999999"))["nodes"] == {}
        waited = await three.get(f"/_tasks?wait_for_completion=true&timeout=60s&actions={action}*")
        assert waited["nodes"].keys() == {member.id for member in found.members}

        rows = await two.get("/_cat/tasks?format=json&h=action,type,node_id,parent_task_id")
        assert [row["node_id"] for row in rows if row["type"] != "transport"] == [two.id]
        assert {row["node_id"] for row in rows} == {member.id for member in found.members}
        rows = await two.get(f"/_cat/tasks?format=json&h=node_id&nodes={three.id}")
        assert [row["node_id"] for row in rows] == [three.id]

        for path in ("/_tasks?parent_task_id=foo", "/_cat/tasks?parent_task_id=foo"):
            refused = await one.ask("GET", path)
            assert (refused.status, refused.json["error"]["reason"]) == (400, "malformed task id foo")
        (failure,) = (await one.post("/_tasks/nobody:1/_cancel"))["node_failures"]
        assert failure["caused_by"] == {
            "type": "no_such_node_exception",
            "reason": "No such node [nobody]",
            "node_id": "nobody",
        }

    run(3, test)
