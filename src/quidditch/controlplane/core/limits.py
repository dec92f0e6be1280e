"""`cluster.max_shards_per_node`: no more open shards than the nodes are allowed to hold."""

from __future__ import annotations

from quidditch.model.errors import ApiError
from quidditch.model.state import ClusterState


def check_shard_limit(state: ClusterState, added: int) -> None:
    """Raises validation_exception if `added` copies would pass the limit. Without data nodes nothing is limited."""
    nodes = state.data_nodes
    if nodes == 0 or added <= 0:
        return
    per_node = state.settings.get("cluster.max_shards_per_node")
    limit = int(1000 if per_node is None else per_node) * nodes
    if limit < 0:
        return
    present = state.open_copies
    if present + added > limit:
        raise ApiError(
            400,
            "validation_exception",
            f"Validation Failed: 1: this action would add [{added}] total LOCAL_ONLY shards, but this cluster currently has"
            f" [{present}]/[{limit}] maximum LOCAL_ONLY shards open;",
        )
