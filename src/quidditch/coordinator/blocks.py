"""Blocks that settings lay on an index or on the cluster."""

from __future__ import annotations

from quidditch.model.errors import ApiError
from quidditch.model.objects import Index
from quidditch.model.state import ClusterState

_INDEX_BLOCKS = {
    "index.blocks.read_only": (403, "FORBIDDEN/5/index read-only (api)", {"write", "metadata_write"}),
    "index.blocks.read": (403, "FORBIDDEN/7/index read (api)", {"read"}),
    "index.blocks.write": (403, "FORBIDDEN/8/index write (api)", {"write"}),
    "index.blocks.metadata": (403, "FORBIDDEN/9/index metadata (api)", {"metadata_write", "metadata_read"}),
    "index.blocks.read_only_allow_delete": (
        429,
        "TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark, index has read-only-allow-delete block",
        {"write", "metadata_write"},
    ),
}
_CLUSTER_BLOCKS = {
    "cluster.blocks.read_only": "FORBIDDEN/6/cluster read-only (api)",
    "cluster.blocks.read_only_allow_delete": "FORBIDDEN/13/cluster read-only / allow delete (api)",
}


def blocked(state: ClusterState, index: Index, level: str) -> ApiError | None:
    """The error of an operation of this level: `read`, `write`, `metadata_read` or `metadata_write`."""
    settings = index.spec.settings
    found = [
        (status, text)
        for key, (status, text, levels) in _INDEX_BLOCKS.items()
        if level in levels and settings.get(key) == "true"
    ]
    if level in ("write", "metadata_write"):
        for key, text in _CLUSTER_BLOCKS.items():
            if str(state.settings.get(key)).lower() == "true":
                return ApiError(403, "cluster_block_exception", f"blocked by: [{text}];")
    if not found:
        return None
    reason = "".join(f"[{text}];" for _, text in found)
    status = 429 if all(status == 429 for status, _ in found) else 403
    return ApiError(status, "cluster_block_exception", f"index [{index.name}] blocked by: {reason}")
