"""Statistics of shards in OpenSearch's shape: what the kernel counts, laid over zeros, and sums of that."""

from __future__ import annotations

import copy as copies
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import orjson

from quidditch.coordinator.shards import Place
from quidditch.model.objects import Copy, Index
from quidditch.rest.node import Node
from quidditch.transport.shards import Description, Moved

Stats = dict[str, dict[str, Any]]
_REQUEST_PHASES = ("took", "dfs_pre_query", "query", "fetch", "dfs_query", "expand", "can_match")
_CACHE = ("memory_size_in_bytes", "total_count", "hit_count", "miss_count", "cache_size", "cache_count", "evictions")
_WARMER = (
    "total_invocations_count",
    "total_time_millis",
    "total_failure_count",
    "total_bytes_sent",
    "total_bytes_received",
    "total_send_time_millis",
    "total_receive_time_millis",
    "ongoing_count",
)


def _zeros(*names: str) -> dict[str, Any]:
    return dict.fromkeys(names, 0)


EMPTY: Stats = {
    "docs": _zeros("count", "deleted"),
    "store": _zeros("size_in_bytes", "reserved_in_bytes"),
    "indexing": {
        **_zeros("index_total", "index_time_in_millis", "index_current", "index_failed"),
        **_zeros("delete_total", "delete_time_in_millis", "delete_current", "noop_update_total"),
        "is_throttled": False,
        **_zeros("throttle_time_in_millis", "max_last_index_request_timestamp"),
    },
    "get": {
        **_zeros("total", "time_in_millis", "exists_total", "exists_time_in_millis"),
        **_zeros("missing_total", "missing_time_in_millis", "current"),
    },
    "search": {
        **_zeros("open_contexts", "query_total", "query_time_in_millis", "query_current", "query_failed"),
        **_zeros("concurrent_query_total", "concurrent_query_time_in_millis", "concurrent_query_current"),
        "concurrent_avg_slice_count": 0.0,
        **_zeros("fetch_total", "fetch_time_in_millis", "fetch_current"),
        **_zeros("scroll_total", "scroll_time_in_millis", "scroll_current"),
        **_zeros("point_in_time_total", "point_in_time_time_in_millis", "point_in_time_current"),
        **_zeros("suggest_total", "suggest_time_in_millis", "suggest_current"),
        "search_idle_reactivate_count_total": 0,
        "request": {phase: _zeros("time_in_millis", "current", "total") for phase in _REQUEST_PHASES},
    },
    "merges": {
        **_zeros("current", "current_docs", "current_size_in_bytes", "total", "total_time_in_millis", "total_docs"),
        **_zeros("total_size_in_bytes", "total_stopped_time_in_millis", "total_throttled_time_in_millis"),
        **_zeros("total_auto_throttle_in_bytes", "unreferenced_file_cleanups_performed"),
        "warmer": _zeros(*_WARMER),
    },
    "refresh": _zeros("total", "total_time_in_millis", "external_total", "external_total_time_in_millis", "listeners"),
    "flush": _zeros("total", "periodic", "total_time_in_millis"),
    "warmer": _zeros("current", "total", "total_time_in_millis"),
    "query_cache": _zeros(*_CACHE),
    "fielddata": _zeros("memory_size_in_bytes", "evictions"),
    "completion": _zeros("size_in_bytes"),
    "segments": {
        **_zeros("count", "memory_in_bytes", "terms_memory_in_bytes", "stored_fields_memory_in_bytes"),
        **_zeros("term_vectors_memory_in_bytes", "norms_memory_in_bytes", "points_memory_in_bytes"),
        **_zeros("doc_values_memory_in_bytes", "index_writer_memory_in_bytes", "version_map_memory_in_bytes"),
        **_zeros("fixed_bit_set_memory_in_bytes"),
        "max_unsafe_auto_id_timestamp": -1,
        "remote_store": {
            "upload": {
                "total_upload_size": _zeros("started_bytes", "succeeded_bytes", "failed_bytes"),
                "refresh_size_lag": _zeros("total_bytes", "max_bytes"),
                **_zeros("max_refresh_time_lag_in_millis", "total_time_spent_in_millis"),
                "pressure": _zeros("total_rejections"),
            },
            "download": {
                "total_download_size": _zeros("started_bytes", "succeeded_bytes", "failed_bytes"),
                "total_time_spent_in_millis": 0,
            },
        },
        "segment_replication": _zeros("max_bytes_behind", "total_bytes_behind", "max_replication_lag"),
        "file_sizes": {},
    },
    "translog": {
        **_zeros("operations", "size_in_bytes", "uncommitted_operations", "uncommitted_size_in_bytes"),
        "earliest_last_modified_age": 0,
        "remote_store": {
            "upload": {
                "total_uploads": _zeros("started", "failed", "succeeded"),
                "total_upload_size": _zeros("started_bytes", "failed_bytes", "succeeded_bytes"),
            }
        },
    },
    "request_cache": _zeros("memory_size_in_bytes", "evictions", "hit_count", "miss_count"),
    "recovery": _zeros("current_as_source", "current_as_target", "throttle_time_in_millis"),
}
"""Every section of `_stats` with all its members at zero. What the kernel and the node do not tell stays so: there is no such thing
here (caches of queries, requests and fielddata, warmers, remote stores, `concurrent_*`, since one thread searches a shard; memory of
segments, which are mapped files; throttled indexing and merging; `search.request`, which concerns no shard), or it is over before
anybody could ask (`get.current`, `fetch_current`, `index_current`), or it is not measured apart (times of gets and deletions, fetches
within a search of one call).
"""

_GREATEST = {"max_unsafe_auto_id_timestamp", "max_last_index_request_timestamp", "earliest_last_modified_age"}


class ShardStats(msgspec.Struct):
    """One copy of a shard. `stats` has all sections, None where the copy does not answer; `seq_no` and `commit` as
    the kernel gives them; `about` is what else its node tells.
    """

    index: Index
    number: int
    copy: Copy
    stats: Stats | None = None
    seq_no: dict[str, Any] = {}
    commit: dict[str, Any] = {}
    about: Description | None = None


def empty() -> Stats:
    return copies.deepcopy(EMPTY)


async def collect(node: Node, indices: Iterable[Index], *, segments: bool = False) -> list[ShardStats]:
    """All copies of the indices in order, with the numbers of those that are open, wherever they are."""
    return [_one(place) for place in await node.shards.describe(indices, segments)]


async def collect_here(node: Node) -> list[ShardStats]:
    """The copies that this node has open."""
    indices = [index for index in node.control.state.indices.values() if index.open]
    found = [_one(place) for place in await node.shards.describe(indices, only=node.id)]
    return [each for each in found if each.stats is not None]


def _one(place: Place) -> ShardStats:
    each = ShardStats(place.index, place.number, place.copy, about=place.about)
    if place.about is None:
        return each
    if place.about.stats is None or not place.copy.active:
        if place.about.moved.as_target:
            each.stats = {**empty(), "recovery": _recovery(place.about.moved)}
        return each
    raw: dict[str, Any] = orjson.loads(place.about.stats)
    each.seq_no = raw.pop("seq_no", {})
    each.commit = raw.pop("commit", {})
    raw["recovery"] = _recovery(place.about.moved)
    stats = empty()
    for section, members in raw.items():
        if isinstance(members, dict):
            stats.setdefault(section, {}).update(members)
    stats["search"].update(orjson.loads(place.about.searches))
    each.stats = stats
    return each


def _recovery(moved: Moved) -> dict[str, Any]:
    return {
        "current_as_source": moved.as_source,
        "current_as_target": moved.as_target,
        "throttle_time_in_millis": moved.throttled,
    }


def total(parts: Iterable[Stats | None]) -> Stats:
    """The sum over shards; of times that say when, the latest."""
    result = empty()
    for part in parts:
        if part is not None:
            _add(result, part)
    return result


def _add(into: dict[str, Any], part: dict[str, Any]) -> None:
    for name, value in part.items():
        known = into.get(name)
        if isinstance(value, dict):
            _add(into.setdefault(name, {}), value)
        elif isinstance(value, bool):
            into[name] = bool(known) or value
        elif name in _GREATEST:
            into[name] = value if known is None else max(known, value)
        elif isinstance(value, int | float):
            into[name] = (known or 0) + value
        else:
            into[name] = value


def primaries(shards: Sequence[ShardStats]) -> Stats:
    return total(each.stats for each in shards if each.copy.primary)


def everything(shards: Sequence[ShardStats]) -> Stats:
    return total(each.stats for each in shards)
