"""The data path over three nodes: every answer is that of the same documents on one node, whichever node is asked."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from tests.support.fleet import Fleet, Member, fleet, run

import quidditch_kernel
from quidditch.coordinator import copies
from quidditch.model.objects import Index
from quidditch.model.state import ClusterState
from quidditch_kernel import Cancel, KernelError

SHARDS = 6
MAPPING = {
    "properties": {
        "title": {"type": "text", "fields": {"raw": {"type": "keyword"}}},
        "tag": {"type": "keyword"},
        "price": {"type": "double"},
        "count": {"type": "integer"},
        "day": {"type": "date"},
        "kids": {"type": "nested", "properties": {"name": {"type": "keyword"}, "age": {"type": "integer"}}},
    }
}
WORDS = ("quick", "brown", "fox", "jumps", "over", "lazy", "dog")


def document(number: int) -> dict[str, Any]:
    words = [WORDS[(number * step) % 7] for step in (1, 3, 5)]
    return {
        "title": " ".join(words),
        "tag": f"t{number % 5}",
        "price": (number * 37 % 100) / 4,
        "count": number,
        "day": f"2024-01-{1 + number % 28:02}",
        "kids": [{"name": f"k{number % 3}", "age": number % 9}, {"name": "both", "age": 1}],
    }


async def fill(found: Fleet, *indices: str, count: int = 120) -> None:
    settings = {"number_of_shards": SHARDS, "number_of_replicas": 0, "refresh_interval": "-1"}
    for name in indices:
        await found.members[0].put(f"/{name}", {"settings": settings, "mappings": MAPPING})
        await found.started(name)
        lines: list[Any] = []
        for number in range(count):
            lines += [{"index": {"_index": name, "_id": f"{name}-{number}"}}, document(number)]
        answer = await found.members[-1].post("/_bulk?refresh=true", lines)
        assert not answer["errors"]


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
        left_out = ("took", "_scroll_id", "pit_id", "_node", "node", "creation_time")
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
            assert gone.json == {"succeeded": True, "num_freed": 1}
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


def test_a_copy_that_fails_is_replaced_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without replicas yet: a node that nobody knows stands before the one that has the shard."""
    truly = copies.readable

    def readable(state: ClusterState, index: Index, number: int, local: str, preference: str | None = None) -> Any:
        found = truly(state, index, number, local, preference)
        return found if local in found else ("nobody", *found)

    async def test(found: Fleet) -> None:
        await fill(found, "goods", count=30)
        monkeypatch.setattr(copies, "readable", readable)
        for member in found.members:
            answer = await member.get("/goods/_search", {"size": 30, "sort": ["count"]})
            assert answer["_shards"] == {"total": SHARDS, "successful": SHARDS, "skipped": 0, "failed": 0}
            assert [hit["_source"]["count"] for hit in answer["hits"]["hits"]] == list(range(30))
            assert (await member.get("/goods/_count"))["count"] == 30
            for number in range(30):
                assert (await member.get(f"/goods/_doc/goods-{number}"))["found"]
            assert (await member.get("/goods/_explain/goods-3", {"query": {"match_all": {}}}))["matched"]

    run(3, test)


def test_a_silent_node_does_not_hold_what_others_may_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without replicas yet: the first copy is said to be on a node that does not answer; not even that it has none."""
    truly = copies.readable

    async def test(found: Fleet) -> None:
        await fill(found, "goods", count=30)
        one, two, silent = found.members
        numbers = [shard for shard in range(SHARDS) if found.holder("goods", shard) is not silent]

        def readable(state: ClusterState, index: Index, number: int, local: str, preference: str | None = None) -> Any:
            nodes = truly(state, index, number, local, preference)
            return nodes if silent.id in nodes or index.name != "goods" else (silent.id, *nodes)

        monkeypatch.setattr(copies, "readable", readable)
        for member in (one, two):
            found.network.cut(member.id, silent.id)
            chosen = ",".join(map(str, numbers))
            answer = await member.get(f"/goods/_search?preference=_shards:{chosen}", {"size": 30})
            assert answer["_shards"] == {"total": len(numbers), "successful": len(numbers), "skipped": 0, "failed": 0}
            assert answer["hits"]["total"]["value"] == len(answer["hits"]["hits"]) > 0
            for hit in answer["hits"]["hits"]:
                assert (await member.get(f"/goods/_doc/{hit['_id']}"))["found"]

    run(3, test)


def test_hits_lost_before_they_were_fetched_are_those_of_another_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without replicas yet: what was found is said to be on another node, which knows nothing of it."""
    asked: list[str] = []

    async def test(found: Fleet) -> None:
        await fill(found, "goods", count=30)
        one, two, three = found.members
        truly = copies.readable

        def readable(state: ClusterState, index: Index, number: int, local: str, preference: str | None = None) -> Any:
            nodes = truly(state, index, number, local, preference)
            return (three.id, *nodes) if nodes == (two.id,) else nodes

        async def query(payload: bytes) -> bytes:
            asked.append("query")
            return await two.transport._serving._handlers["search/query"](payload)

        monkeypatch.setitem(three.transport._serving._handlers, "search/query", query)
        monkeypatch.setattr(copies, "readable", readable)
        numbers = [shard for shard in range(SHARDS) if found.holder("goods", shard) is not three]
        path = f"/goods/_search?preference=_shards:{','.join(map(str, numbers))}"
        answer = await one.get(path, {"size": 30, "sort": ["count"]})
        assert asked
        assert answer["_shards"] == {"total": len(numbers), "successful": len(numbers), "skipped": 0, "failed": 0}
        assert answer["hits"]["total"]["value"] == len(answer["hits"]["hits"]) > 0

    run(3, test)


def test_a_shard_that_moved_is_found_where_it_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """The state of the cluster that says so comes while the search is under way."""

    async def test(found: Fleet) -> None:
        await fill(found, "goods", count=30)
        one, two, three = found.members
        truly = copies.readable
        news: list[bool] = []

        def readable(state: ClusterState, index: Index, number: int, local: str, preference: str | None = None) -> Any:
            nodes = truly(state, index, number, local, preference)
            return (three.id,) if nodes == (two.id,) and not news else nodes

        monkeypatch.setattr(copies, "readable", readable)
        search = asyncio.create_task(one.get("/goods/_search", {"size": 30, "sort": ["count"]}))
        await asyncio.sleep(0.1)
        assert not search.done()
        news.append(True)
        await one.put("/anything", {})
        assert (await search)["_shards"] == {"total": SHARDS, "successful": SHARDS, "skipped": 0, "failed": 0}

    run(3, test)


def test_a_search_that_is_cancelled_ends_on_the_node_that_works_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = threading.Event()

    def search(*args: Any) -> Any:
        cancel = args[4]
        begun.set()
        while not cancel.cancelled:
            time.sleep(0.001)
        raise KernelError("task_cancelled_exception", "The task is cancelled.", 500, b"{}")

    async def test(found: Fleet) -> None:
        await fill(found, "goods", count=30)
        one, two, three = found.members
        chosen = [str(number) for number in range(SHARDS) if found.holder("goods", number) is two]
        with monkeypatch.context() as patched:
            patched.setattr(quidditch_kernel, "search", search)
            # What highlights is never thought quick: it has a thread of its own.
            body = {"query": {"match": {"title": "fox"}}, "highlight": {"fields": {"title": {}}}}
            asked = asyncio.create_task(one.ask("GET", f"/goods/_search?preference=_shards:{','.join(chosen)}", body))
            await asyncio.to_thread(begun.wait, 60)
            await three.post("/_tasks/_cancel?actions=indices:data/read/search")
            answer = await asked
        assert answer.status == 400, answer.text
        assert answer.json["error"]["root_cause"][0]["type"] == "task_cancelled_exception"
        assert (await one.get("/goods/_search", body))["_shards"]["failed"] == 0

    run(3, test)


@pytest.mark.parametrize("phase", ["query", "merge", "fetch"])
def test_a_search_that_is_cancelled_answers_nothing_of_what_it_has(monkeypatch: pytest.MonkeyPatch, phase: str) -> None:
    real = getattr(quidditch_kernel, phase)
    calls: list[bool] = []

    def ends(*args: Any) -> Any:
        """One of its calls hears that the search is ended."""
        calls.append(any(isinstance(each, Cancel) for each in args))
        if len(calls) > 1 or phase == "merge":
            raise KernelError("task_cancelled_exception", "The task is cancelled.", 500, b"{}")
        return real(*args)

    async def test(found: Fleet) -> None:
        await fill(found, "goods", count=60)
        body = {"query": {"match": {"title": "fox"}}, "size": 60}
        path = "/goods/_search?search_type=dfs_query_then_fetch"
        with monkeypatch.context() as patched:
            patched.setattr(quidditch_kernel, phase, ends)
            answer = await found.members[0].ask("GET", path, body)
        assert calls
        assert all(calls), "every call can be ended"
        assert answer.status == 400, answer.text
        assert answer.json["error"]["root_cause"][0]["type"] == "task_cancelled_exception"
        assert (await found.members[0].get(path, body))["_shards"]["failed"] == 0

    run(3, test)


def test_shards_without_any_copy_are_refused_where_nothing_partial_is_wanted() -> None:
    async def test(found: Fleet) -> None:
        one = found.members[0]
        await fill(found, "goods", count=10)
        settings = {"number_of_replicas": 0, "index.routing.allocation.require._name": "nobody"}
        await one.put("/nowhere?wait_for_active_shards=0", {"settings": settings})
        refused = await one.ask("GET", "/goods,nowhere/_search?allow_partial_search_results=false")
        assert refused.status == 503
        assert refused.json["error"]["reason"] == (
            "Search rejected due to missing shards [[nowhere][0]]. Consider using `allow_partial_search_results` setting to bypass this "
            "error."
        )
        partial = await one.get("/goods,nowhere/_search", {"size": 10})
        assert (partial["_shards"]["failed"], len(partial["hits"]["hits"])) == (1, 10)
        await one.put("/_cluster/settings", {"persistent": {"search.default_allow_partial_results": False}})
        assert (await one.ask("GET", "/goods,nowhere/_search")).status == 503
        assert (await one.ask("GET", "/goods,nowhere/_search?allow_partial_search_results=true")).status == 200

    run(2, test)


def test_a_search_that_wants_nothing_partial_fails_when_its_time_is_over() -> None:
    async def test(found: Fleet) -> None:
        await fill(found, "goods")
        late = {"timeout": "1nanos", "query": {"match": {"title": "fox"}}}
        for path in ("/goods/_search", "/goods/_search?scroll=1m", "/goods/_search?preference=_shards:3"):
            mark = "&" if "?" in path else "?"
            for member in found.members:
                assert (await member.get(path, late))["timed_out"] is True
                refused = await member.ask("GET", f"{path}{mark}allow_partial_search_results=false", late)
                assert refused.status == 500
                assert refused.json["error"]["failed_shards"][0]["reason"] == {
                    "type": "query_phase_execution_exception",
                    "reason": "Time exceeded",
                }

    run(3, test)


async def _lost_in_the_query_phase(found: Fleet, lost: Member) -> None:
    await found.lose(lost)


async def _lost_in_the_fetch_phase(found: Fleet, lost: Member) -> None:
    """The query is answered, then the node is gone."""
    transport = lost.transport
    query = transport._serving._handlers["search/query"]

    async def last_query(payload: bytes) -> bytes:
        answer = await query(payload)
        found.members.remove(lost)
        transport._network.leave(lost.id, transport)
        return answer

    transport._serving._handlers["search/query"] = last_query


@pytest.mark.parametrize("losing", [_lost_in_the_query_phase, _lost_in_the_fetch_phase])
def test_a_node_lost_is_a_partial_answer(losing: Callable[[Fleet, Member], Coroutine[Any, Any, None]]) -> None:
    async def test(found: Fleet) -> None:
        await fill(found, "goods")
        one, *others = found.members
        lost = others[-1]
        theirs = sum(found.holder("goods", shard) is lost for shard in range(SHARDS))
        await losing(found, lost)
        answer = await one.get("/goods/_search", {"size": 120, "sort": [{"count": "asc"}]})
        shards = answer["_shards"]
        assert (shards["total"], shards["failed"], shards["successful"]) == (SHARDS, theirs, SHARDS - theirs)
        assert {failure["node"] for failure in shards["failures"]} == {lost.id}
        assert shards["failures"][0]["reason"]["type"] == "node_not_connected_exception"
        assert 0 < len(answer["hits"]["hits"]) < 120
        refused = await one.ask("GET", "/goods/_search?allow_partial_search_results=false", {"sort": ["count"]})
        assert refused.status >= 500
        assert refused.json["error"]["type"] == "search_phase_execution_exception"

    run(3, test)


def test_what_a_lost_node_held_fails_item_by_item() -> None:
    async def test(found: Fleet) -> None:
        await fill(found, "goods", count=30)
        one, *others = found.members
        lost = others[-1]
        await found.lose(lost)
        lines: list[Any] = []
        for number in range(30):
            lines += [{"index": {"_id": f"goods-{number}"}}, {"count": -1}]
        answer = await one.post("/goods/_bulk?timeout=200ms", lines)
        outcomes = [item["index"] for item in answer["items"]]
        failed = [outcome for outcome in outcomes if "error" in outcome]
        assert 0 < len(failed) < 30
        assert {(outcome["status"], outcome["error"]["type"]) for outcome in failed} == {
            (503, "unavailable_shards_exception")
        }
        for outcome in outcomes:
            read = await one.ask("GET", f"/goods/_doc/{outcome['_id']}")
            assert read.status == (503 if "error" in outcome else 200)
        nodes = await one.get("/_nodes/stats/os")
        assert nodes["_nodes"]["total"] == len(nodes["nodes"]) + nodes["_nodes"]["failed"]

    run(3, test)


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
