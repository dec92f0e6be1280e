"""What the kernel has to know of an index's settings."""

from __future__ import annotations

from typing import Any

import orjson

from quidditch.lib.units import parse_bytes, parse_millis
from quidditch.model.objects import Index


def shard_config(
    index: Index, shard: int, primary_term: int, existing: bool = False, new_history: bool = False
) -> bytes:
    """The kernel's configuration of one shard. `existing`: it has been in use, so an empty folder is a loss. `new_history`: operations
    may have been lost, the history of the shard begins anew.
    """
    setting = index.setting
    config: dict[str, Any] = {
        "index": index.name,
        "uuid": index.uuid,
        "shard": shard,
        "primary_term": primary_term,
        "existing": existing,
        "new_history": new_history,
        "durability": str(setting("index.translog.durability", "request")).lower(),
        "sync_interval_ms": parse_millis(str(setting("index.translog.sync_interval", "5s"))),
        "refresh_interval_ms": parse_millis(str(setting("index.refresh_interval", "1s"))),
        "translog_flush_bytes": parse_bytes(str(setting("index.translog.flush_threshold_size", "512mb"))),
        "gc_deletes_ms": parse_millis(str(setting("index.gc_deletes", "60s"))),
        "check_on_startup": str(setting("index.shard.check_on_startup", "checksum")),
        "max_result_window": int(setting("index.max_result_window", 10_000)),
    }
    return orjson.dumps(config)
