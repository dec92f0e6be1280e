"""The data path over three nodes when one fails, hangs or is lost, and when a search is ended."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from tests.support.fleet import Fleet, Member, run
from tests.unit.coordinator.goods import SHARDS, fill

import quidditch_kernel
from quidditch.coordinator import copies
from quidditch.model.objects import Index
from quidditch.model.state import ClusterState
from quidditch_kernel import Cancel, KernelError


def test_a_copy_that_fails_is_replaced_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one copy of each shard: a node that nobody knows stands before the one that has the shard."""
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
    """Of one copy of each shard: the first copy is said to be on a node that does not answer; not even that it has none."""
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
    """Of one copy of each shard: what was found is said to be on another node, which knows nothing of it."""
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
        error = refused.json["error"]
        assert (error["reason"], error["phase"], error["failed_shards"]) == ("", "query", [])
        assert error["caused_by"]["reason"] == (
            "Search rejected due to missing shards [[nowhere][0]]. Consider using `allow_partial_search_results` setting to bypass this "
            "error."
        )
        sorted_first = await one.ask(
            "GET", "/goods,nowhere/_search?allow_partial_search_results=false", {"sort": ["count"]}
        )
        assert sorted_first.json["error"]["phase"] == "can_match"
        for path in ("/nowhere/_search/point_in_time", "/goods,nowhere/_search/point_in_time"):
            refused = await one.ask("POST", f"{path}?keep_alive=1m&allow_partial_pit_creation=false")
            assert (refused.status, refused.json["error"]["phase"]) == (503, "create_pit")
        for path in ("/goods,nowhere/_delete_by_query", "/goods,nowhere/_update_by_query"):
            refused = await one.ask("POST", path, {"query": {"match_all": {}}})
            assert (refused.status, refused.json["error"]["phase"]) == (503, "can_match")
        valid = await one.get("/goods,nowhere/_validate/query?all_shards=true")
        assert (valid["_shards"]["total"], valid["_shards"]["successful"], valid["valid"]) == (SHARDS + 1, SHARDS, True)
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
