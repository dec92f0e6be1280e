"""`wait_for_active_shards`: how many copies of each shard, and whether they are active."""

from __future__ import annotations

from collections.abc import Iterable

from quidditch.model.errors import ApiError, illegal_argument
from quidditch.model.objects import Index
from quidditch.model.state import ClusterState


def parse_wait(text: str) -> int | None:
    """The count; None for `all`. Raises illegal_argument_exception."""
    if text == "all":
        return None
    try:
        count = int(text)
    except ValueError:
        raise ApiError(
            400,
            "illegal_argument_exception",
            f"cannot parse ActiveShardCount[{text}]",
            {"caused_by": {"type": "number_format_exception", "reason": f'For input string: "{text}"'}},
        ) from None
    if count < 0:
        raise illegal_argument("shard count cannot be a negative value")
    return count


def wait_spec(requested: str | None, index: Index) -> str:
    """What to wait for: the request's, or the index's `index.write.wait_for_active_shards`.

    Raises illegal_argument_exception for more copies than the index has.
    """
    if requested is None:
        return str(index.setting("index.write.wait_for_active_shards", "1"))
    count = parse_wait(requested)
    copies = 1 + index.number_of_replicas
    if count is not None and count > copies:
        raise illegal_argument(
            f"invalid wait_for_active_shards[{requested}]: cannot be greater than number of shard copies [{copies}]"
        )
    return requested


def enough_active(state: ClusterState, names: Iterable[str], spec: str | None = None) -> bool:
    """Whether each shard of the indices has so many active copies (`spec` None: as each index's settings say).
    Deleted ones count as done.
    """
    for name in names:
        index, routing = state.indices.get(name), state.routing.get(name)
        if index is None:
            continue
        if routing is None:
            return False
        count = parse_wait(wait_spec(None, index) if spec is None else spec)
        for shard in routing.spec.shards:
            wanted = len(shard.copies) if count is None else count
            if sum(copy.active for copy in shard.copies) < wanted:
                return False
    return True
