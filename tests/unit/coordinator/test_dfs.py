"""`dfs_query_then_fetch`: documents score as if all shards were one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.fleet import Fleet, Member, fleet, run

from quidditch.datanode import searches

WORDS = ("quick", "brown", "fox", "jumps", "over", "lazy", "dog")
DFS = "search_type=dfs_query_then_fetch"
MAPPING = {"properties": {"title": {"type": "text"}, "tag": {"type": "keyword"}, "n": {"type": "integer"}}}
COUNT = 90
SEARCHES: list[dict[str, Any]] = [
    {"query": {"match": {"title": "quick fox"}}},
    {"query": {"bool": {"should": [{"match_phrase": {"title": "brown fox"}}, {"term": {"tag": "t3"}}]}}},
    {"query": {"multi_match": {"query": "lazy dog", "fields": ["title^2", "tag"]}}},
    {"query": {"query_string": {"query": "title:(jump* OR rare1) AND over", "default_operator": "or"}}},
    {"query": {"fuzzy": {"title": "quack"}}},
    {"query": {"match": {"title": "rare1 rare2"}}, "explain": True},
    {"query": {"match": {"title": "over"}}, "aggs": {"best": {"top_hits": {"size": 3}}}},
]


def document(number: int) -> dict[str, Any]:
    """Terms are spread unevenly, and so are lengths: shards of their own would score otherwise."""
    words = [WORDS[(number * step) % 7] for step in range(1, 2 + number % 9)]
    return {
        "title": " ".join([*words, *(["rare1"] * (number % 11 == 0)), *(["rare2"] * (number == 5))]),
        "tag": f"t{number % 5}",
        "n": number,
    }


async def fill(found: Fleet, shards: int) -> None:
    settings = {"number_of_shards": shards, "number_of_replicas": 0, "refresh_interval": "-1"}
    await found.members[0].put("/docs", {"settings": settings, "mappings": MAPPING})
    await found.started("docs")
    lines: list[Any] = []
    for number in range(COUNT):
        lines += [{"index": {"_id": str(number)}}, document(number)]
    assert not (await found.members[0].post("/docs/_bulk?refresh=true", lines))["errors"]


def scores(answer: Any) -> dict[str, float]:
    assert answer["_shards"]["failed"] == 0
    return {hit["_id"]: hit["_score"] for hit in answer["hits"]["hits"]}


def values(explanation: Any) -> Iterator[tuple[str, float]]:
    yield explanation["description"].partition(" in ")[0], explanation["value"]
    for part in explanation["details"]:
        yield from values(part)


async def expected(alone: Member, body: dict[str, Any]) -> Any:
    found = await alone.get("/docs/_search", {**body, "size": COUNT})
    assert found["hits"]["hits"]
    return found


@pytest.mark.parametrize("nodes", [1, 2, 3])
def test_scores_over_shards_are_those_of_one(nodes: int) -> None:
    async def test(found: Fleet) -> None:
        async with fleet(1) as alone:
            await fill(alone, 1)
            await fill(found, 4)
            differs = 0
            for body in SEARCHES:
                wanted = await expected(alone.members[0], body)
                for member in found.members:
                    path = f"/docs/_search?{DFS}"
                    answer = await member.get(path, {**body, "size": COUNT})
                    assert scores(answer) == pytest.approx(scores(wanted)), body
                    plain = await member.get("/docs/_search", {**body, "size": COUNT})
                    differs += scores(plain) != pytest.approx(scores(wanted))
                    assert scores(await member.get(path, {**body, "size": COUNT})) == scores(answer)
                    if "aggs" in body:
                        best = [hit["_score"] for hit in answer["aggregations"]["best"]["hits"]["hits"]]
                        assert best == sorted(scores(wanted).values(), reverse=True)[:3]
                    if "explain" in body:
                        told = {hit["_id"]: sorted(values(hit["_explanation"])) for hit in answer["hits"]["hits"]}
                        for hit in wanted["hits"]["hits"]:
                            theirs = sorted(values(hit["_explanation"]))
                            assert [name for name, _ in told[hit["_id"]]] == [name for name, _ in theirs]
                            assert [value for _, value in told[hit["_id"]]] == pytest.approx(
                                [value for _, value in theirs]
                            )
            assert differs >= len(SEARCHES), "without it shards score each by its own"

    run(nodes, test)


@pytest.mark.parametrize("nodes", [1, 2])
def test_pages_of_a_scroll_points_in_time_and_many_searches_score_likewise(nodes: int) -> None:
    body = {"query": {"match": {"title": "quick fox"}}}

    async def test(found: Fleet) -> None:
        async with fleet(1) as alone:
            await fill(alone, 1)
            await fill(found, 4)
            wanted = scores(await expected(alone.members[0], body))
            one = found.members[0]
            page = await one.post(f"/docs/_search?scroll=1m&{DFS}", {**body, "size": 7})
            seen: list[tuple[str, float]] = []
            while page["hits"]["hits"]:
                seen += scores(page).items()
                page = await found.members[-1].post(
                    "/_search/scroll", {"scroll_id": page["_scroll_id"], "scroll": "1m"}
                )
            assert len(seen) == len(wanted)
            assert dict(seen) == pytest.approx(wanted)
            assert [score for _, score in seen] == sorted(wanted.values(), reverse=True)
            await one.ask("DELETE", "/_search/scroll/_all")
            point = await one.post("/docs/_search/point_in_time?keep_alive=1m")
            await one.post("/docs/_doc?refresh=true", {"title": "fox " * 30})
            inside = {**body, "size": COUNT, "pit": {"id": point["pit_id"]}}
            for _ in range(2):
                assert scores(await one.get(f"/_search?{DFS}", inside)) == pytest.approx(wanted)
            lines = [{"index": "docs", "search_type": "dfs_query_then_fetch"}, {**inside}]
            del lines[0]["index"]
            many = await one.post("/_msearch", lines)
            assert scores(many["responses"][0]) == pytest.approx(wanted)

    run(nodes, test)


def test_no_reader_is_kept_after_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searches, "MAX_CONTEXTS", 6)

    async def test(found: Fleet) -> None:
        await fill(found, 4)
        body = {"query": {"match": {"title": "quick fox"}}}
        for _ in range(30):
            scores(await found.members[0].get(f"/docs/_search?{DFS}", body))

    run(3, test)
