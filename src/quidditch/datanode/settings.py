"""What the kernel has to know of an index's settings."""

from __future__ import annotations

from typing import Any

import orjson

from quidditch.lib.units import parse_bytes, parse_millis
from quidditch.model.objects import Index


def shard_config(
    index: Index,
    shard: int,
    primary_term: int,
    *,
    existing: bool = False,
    new_history: bool = False,
    replica: bool = False,
    recover_to: int | None = None,
) -> bytes:
    """The kernel's configuration of one shard. `existing`: it has been in use, so an empty folder is a loss. `new_history`: operations
    may have been lost, the history of the shard begins anew. `recover_to`: a replica opens with no operation above it.
    """
    setting = index.setting
    config: dict[str, Any] = {
        "index": index.name,
        "uuid": index.uuid,
        "shard": shard,
        "primary_term": primary_term,
        "role": "replica" if replica else "primary",
        "replicated": True,
        "existing": existing,
        "new_history": new_history,
        "durability": "request" if is_durable(index) else "async",
        "sync_interval_ms": parse_millis(str(setting("index.translog.sync_interval", "5s"))),
        "refresh_interval_ms": parse_millis(str(setting("index.refresh_interval", "1s"))),
        "translog_flush_bytes": parse_bytes(str(setting("index.translog.flush_threshold_size", "512mb"))),
        "retention_bytes": parse_bytes(str(setting("index.translog.retention.size", "512mb"))),
        "gc_deletes_ms": parse_millis(str(setting("index.gc_deletes", "60s"))),
        "check_on_startup": str(setting("index.shard.check_on_startup", "checksum")),
        "max_result_window": int(setting("index.max_result_window", 10_000)),
    }
    if recover_to is not None:
        config["recover_to"] = recover_to
    return orjson.dumps(config)


def is_durable(index: Index) -> bool:
    """Whether a write is on disk before it is answered."""
    return str(index.setting("index.translog.durability", "request")).lower() != "async"
