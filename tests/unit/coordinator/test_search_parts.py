"""The parts of a search around the kernel's call: slices, contexts, failures, lookups, skipping of shards, lines of _msearch."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from quidditch.coordinator.search_contexts import ScrollContext, keep_alive
from quidditch.coordinator.search_errors import ShardFailure, phase_failed, shards_section
from quidditch.coordinator.search_lookups import find
from quidditch.coordinator.search_plans import Pace
from quidditch.coordinator.search_prefilter import demanded, visits_everything
from quidditch.coordinator.search_targets import SearchTarget, slice_of
from quidditch.lib.clock import ManualClock
from quidditch.lib.contexts import Contexts
from quidditch.model.errors import ApiError
from quidditch.query.context import TermsLookup
from quidditch.rest.msearch import split


@pytest.mark.parametrize("shards", [1, 3, 5, 7])
@pytest.mark.parametrize("slices", [2, 3, 5, 8, 21])
def test_slices_share_all_shards_out(shards: int, slices: int) -> None:
    whole: Any = SearchTarget(None, tuple(range(shards)))  # type: ignore[arg-type]
    parts: dict[int, list[tuple[int, int] | None]] = {}
    for number in range(slices):
        part = slice_of(whole, number, slices)
        for shard in part.shards:
            parts.setdefault(shard, []).append(part.share)
    assert sorted(parts) == list(range(shards))
    for shares in parts.values():
        if shares == [None]:
            continue
        assert sorted(share or (-1, -1) for share in shares) == [(at, len(shares)) for at in range(len(shares))]


def scroll(alive: float) -> ScrollContext:
    return ScrollContext([], None, None, {}, alive)  # type: ignore[arg-type]


def test_contexts_end_with_their_keep_alive() -> None:
    clock = ManualClock()
    contexts: Contexts[ScrollContext] = Contexts(clock, b"x")
    id = contexts.add(scroll(1000))
    assert contexts.is_id(id)
    assert not contexts.is_id("abc")
    clock.advance(0.9)
    assert contexts.get(id) is not None
    clock.advance(0.9)
    assert contexts.get(id, 5000) is not None
    clock.advance(4.9)
    assert contexts.get(id) is not None
    clock.advance(5.1)
    assert contexts.get(id) is None


def test_contexts_are_removed_once() -> None:
    contexts: Contexts[ScrollContext] = Contexts(ManualClock(), b"x")
    ids = [contexts.add(scroll(1000)) for _ in range(3)]
    assert contexts.remove([ids[0], ids[0]]) == 1
    assert contexts.remove([ids[0]]) == 0
    assert contexts.clear() == 2


def test_keep_alive_has_a_limit() -> None:
    assert keep_alive("30s", "scroll", "search.max_keep_alive", "1m") == 30_000
    with pytest.raises(ApiError, match=r"Keep alive for request \(2m\) is too large\. It must be less than \(1m\)"):
        keep_alive("2m", "scroll", "search.max_keep_alive", "1m")


def failure(shard: int, reason: str, status: int = 400, cause: dict[str, Any] | None = None) -> ShardFailure:
    details = {"caused_by": cause} if cause else {}
    return ShardFailure("books", shard, "n1", ApiError(status, "query_shard_exception", reason, details))


def test_failures_are_grouped_by_what_they_say() -> None:
    error = phase_failed([failure(0, "a"), failure(1, "a"), failure(2, "b", 503)])
    assert [shard["shard"] for shard in error.details["failed_shards"]] == [0, 2]
    assert error.status == 503
    assert error.response()["error"]["root_cause"][0] == {"type": "query_shard_exception", "reason": "a"}
    section = shards_section(5, [failure(0, "a"), failure(1, "a")])
    assert (section["successful"], section["failed"], len(section["failures"])) == (3, 2, 1)


def test_the_innermost_cause_of_its_own_counts() -> None:
    error = phase_failed([failure(0, "a", cause={"type": "parse_exception", "reason": "deep"})])
    assert error.details["caused_by"] == {"type": "parse_exception", "reason": "deep"}
    error = phase_failed([failure(0, "a", cause={"type": "illegal_argument_exception", "reason": "deep"})])
    assert error.details["caused_by"]["type"] == "query_shard_exception"


def test_lookups_are_found_anywhere() -> None:
    lookup = {"index": "i", "id": "1", "path": "a.b", "routing": "r"}
    body = {"query": {"bool": {"filter": [{"terms": {"f": lookup, "boost": 2}}, {"terms": {"g": [1]}}]}}}
    assert find(body) == [TermsLookup("i", "1", "a.b", "r")]


def test_only_ranges_are_demanded() -> None:
    span = {"range": {"field": "at", "gte": 1}}
    assert demanded({"bool": {"must": [{"term": {"field": "a", "value": 1}}], "filter": [span]}}) == {
        "bool": {"filter": [span]}
    }
    assert demanded({"bool": {"should": [span], "minimum_should_match": 1}}) is None
    assert demanded({"all": {}}) is None


def test_aggregations_that_see_every_document() -> None:
    assert visits_everything({"a": {"global": {}}})
    assert visits_everything({"a": {"filter": {}, "aggs": {"b": {"terms": {"field": "x", "min_doc_count": 0}}}}})
    assert not visits_everything({"a": {"terms": {"field": "x"}}})


def test_lines_of_msearch() -> None:
    lines: list[Any] = [{"index": ["a", "b"], "ignore_unavailable": True}, {"size": 1}, {}, {"size": 2}]
    content = b"".join(orjson.dumps(line) + b"\n" for line in lines)
    first, second = split(content, "c", {"typed_keys": "true"})
    assert (first.expression, first.params) == ("a,b", {"typed_keys": "true", "ignore_unavailable": "true"})
    assert (second.expression, second.body()) == ("c", {"size": 2})
    with pytest.raises(ApiError, match="terminated by a newline"):
        split(content[:-1], None, {})
    with pytest.raises(ApiError, match=r"key \[foo\] is not supported in the metadata section"):
        split(b'{"foo":1}\n{}\n', None, {})


def test_one_slow_run_of_a_plan_counts_in_part() -> None:
    pace = Pace()
    seen = []
    for seconds in (0.1, 0.08, 5.0, 5.0, 0.1):
        pace.note(seconds)
        seen.append(round(pace.seconds or 0, 2))
    assert seen == [0.1, 0.08, 0.32, 1.28, 0.1]
