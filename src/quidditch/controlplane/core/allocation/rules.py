"""The settings that allocation follows, read once: of the cluster, and of an index."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal, TypeAlias, cast

import msgspec

from quidditch.controlplane.core.allocation.info import Disk
from quidditch.mapping.settings.units import parse_bytes, parse_time
from quidditch.model.objects import Index, Settings

Filters: TypeAlias = tuple[tuple[str, tuple[str, ...]], ...]
"""Attribute → the values asked for, each possibly with wildcards."""
Stage: TypeAlias = Literal["ok", "low", "high", "flood"]
"""The watermark that a disk is above."""
_CLUSTER = "cluster.routing.allocation."
_INDEX = "index.routing.allocation."
TIER_PREFERENCE = "_tier_preference"


class Watermark(msgspec.Struct, frozen=True):
    """A watermark as it was written, and what it asks for: a share of the disk in use, or bytes free."""

    text: str
    used: float | None
    free: int | None

    def least_free(self, total: int) -> float:
        """The free bytes below which a disk of this size is above the watermark."""
        return float(self.free) if self.free is not None else total * (1.0 - cast(float, self.used))


def watermark(value: Any) -> Watermark:
    """`85%` and `0.85` are shares in use, everything else is a size that stays free."""
    text = str(value)
    if text.endswith("%"):
        return Watermark(text, float(text[:-1]) / 100, None)
    try:
        return Watermark(text, float(text), None)
    except ValueError:
        return Watermark(text, None, parse_bytes(text, "watermark"))


class FilterRules(msgspec.Struct, frozen=True):
    """`require`: all of it; `include`: any of it; `exclude`: none of it."""

    require: Filters = ()
    include: Filters = ()
    exclude: Filters = ()


class ClusterRules(msgspec.Struct, frozen=True):
    """Cluster settings. -1 stands for no limit."""

    enable: str
    rebalance: str
    allow_rebalance: str
    concurrent_rebalance: int
    concurrent_recoveries: int
    incoming: int
    outgoing: int
    initial_primaries: int
    initial_replicas: int
    same_host: bool
    shards_per_node: int
    primaries_per_node: int
    disk_enabled: bool
    low: Watermark
    high: Watermark
    flood: Watermark
    attributes: tuple[str, ...]
    forced: Mapping[str, tuple[str, ...]]
    filters: FilterRules
    shard_weight: float
    index_weight: float
    disk_weight: float
    load_weight: float
    threshold: float


class IndexRules(msgspec.Struct, frozen=True):
    """Index settings; `enable` and `rebalance` are empty where the cluster's count. `key`: what eligibility depends on."""

    enable: str
    rebalance: str
    max_retries: int
    shards_per_node: int
    primaries_per_node: int
    priority: int
    delay_ms: int
    delay_text: str
    filters: FilterRules
    initial_recovery: Filters
    tiers: tuple[str, ...]

    @property
    def key(self) -> tuple[FilterRules, tuple[str, ...]]:
        return self.filters, self.tiers


def cluster_rules(settings: Settings) -> ClusterRules:
    flat = {**settings.spec.persistent, **{k: v for k, v in settings.spec.transient.items() if v is not None}}

    def get(name: str, default: Any) -> Any:
        value = flat.get(_CLUSTER + name)
        return default if value is None else value

    both = get("node_concurrent_recoveries", 2)
    return ClusterRules(
        enable=str(get("enable", "all")).lower(),
        rebalance=str(flat.get("cluster.routing.rebalance.enable") or "all").lower(),
        allow_rebalance=str(get("allow_rebalance", "indices_all_active")).lower(),
        concurrent_rebalance=int(get("cluster_concurrent_rebalance", 2)),
        concurrent_recoveries=int(get("cluster_concurrent_recoveries", -1)),
        incoming=int(get("node_concurrent_incoming_recoveries", both)),
        outgoing=int(get("node_concurrent_outgoing_recoveries", both)),
        initial_primaries=int(get("node_initial_primaries_recoveries", 4)),
        initial_replicas=int(get("node_initial_replicas_recoveries", 4)),
        same_host=_true(get("same_shard.host", "false")),
        shards_per_node=int(get("total_shards_per_node", -1)),
        primaries_per_node=int(get("total_primary_shards_per_node", -1)),
        disk_enabled=_true(get("disk.threshold_enabled", "true")),
        low=watermark(get("disk.watermark.low", "85%")),
        high=watermark(get("disk.watermark.high", "90%")),
        flood=watermark(get("disk.watermark.flood_stage", "95%")),
        attributes=_texts(get("awareness.attributes", ())),
        forced=_forced(flat),
        filters=_filters(flat, _CLUSTER),
        shard_weight=float(get("balance.shard", 0.45)),
        index_weight=float(get("balance.index", 0.55)),
        disk_weight=float(get("balance.disk_usage", 2e-11)),
        load_weight=float(get("balance.write_load", 10.0)) / 1000,
        threshold=float(get("balance.threshold", 1.0)),
    )


def disk_stage(rules: ClusterRules, disk: Disk) -> Stage:
    """The highest watermark that the disk is above."""
    if disk.free < rules.flood.least_free(disk.total):
        return "flood"
    if disk.free < rules.high.least_free(disk.total):
        return "high"
    return "low" if disk.free < rules.low.least_free(disk.total) else "ok"


def index_rules(index: Index) -> IndexRules:
    """Indices whose settings say the same share their rules."""
    said = tuple(
        (key, tuple(value) if isinstance(value, list) else value)
        for key, value in index.spec.settings.items()
        if key.startswith(("index.routing.", "index.allocation.max", "index.unassigned.", "index.priority"))
    )
    return _index_rules(said)


@lru_cache(maxsize=4096)
def _index_rules(said: tuple[tuple[str, Any], ...]) -> IndexRules:
    flat = dict(said)
    delay = str(flat.get("index.unassigned.node_left.delayed_timeout", "1m"))
    filters = _filters(flat, _INDEX)
    return IndexRules(
        enable=str(flat.get("index.routing.allocation.enable", "")).lower(),
        rebalance=str(flat.get("index.routing.rebalance.enable", "")).lower(),
        max_retries=int(flat.get("index.allocation.max_retries", 5)),
        shards_per_node=int(flat.get("index.routing.allocation.total_shards_per_node", -1)),
        primaries_per_node=int(flat.get("index.routing.allocation.total_primary_shards_per_node", -1)),
        priority=int(flat.get("index.priority", 1)),
        delay_ms=max(0, int(parse_time(delay, "index.unassigned.node_left.delayed_timeout"))),
        delay_text=delay,
        filters=filters,
        initial_recovery=_group(flat, _INDEX + "initial_recovery."),
        tiers=_texts(flat.get(f"{_INDEX}include.{TIER_PREFERENCE}", ())),
    )


def _true(value: Any) -> bool:
    return str(value).lower() == "true"


def _texts(value: Any) -> tuple[str, ...]:
    given = value if isinstance(value, list | tuple) else str(value).split(",")
    return tuple(text for each in given if (text := str(each).strip()))


def _forced(flat: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    prefix = f"{_CLUSTER}awareness.force."
    return {
        key[len(prefix) : -len(".values")]: _texts(value)
        for key, value in flat.items()
        if key.startswith(prefix) and key.endswith(".values")
    }


def _filters(flat: Mapping[str, Any], prefix: str) -> FilterRules:
    kinds: tuple[Literal["require", "include", "exclude"], ...] = ("require", "include", "exclude")
    return FilterRules(**{kind: _group(flat, f"{prefix}{kind}.") for kind in kinds})


def _group(flat: Mapping[str, Any], prefix: str) -> Filters:
    """Empty values ask for nothing."""
    found = ((key[len(prefix) :], _texts(value)) for key, value in flat.items() if key.startswith(prefix))
    return tuple(sorted((name, values) for name, values in found if values and name != TIER_PREFERENCE))
