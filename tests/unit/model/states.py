"""Small cluster states for tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quidditch.model.objects import Alias, AliasMember, AliasSpec, Index, IndexSpec, IndexState, metadata_for
from quidditch.model.state import ClusterState


def index(name: str, *, state: IndexState = "open", hidden: bool = False, **settings: str) -> Index:
    flat = {"index.number_of_shards": "1", "index.number_of_replicas": "0", **settings}
    if hidden:
        flat["index.hidden"] = "true"
    return Index(
        metadata=metadata_for(name), spec=IndexSpec(name=name, uuid=f"uuid-{name}", state=state, settings=flat)
    )


def alias(name: str, indices: Mapping[str, Mapping[str, Any]]) -> Alias:
    members = {key: AliasMember(**value) for key, value in indices.items()}
    return Alias(metadata=metadata_for(name), spec=AliasSpec(name=name, indices=members))


def state(*objects: Index | Alias, version: int = 1) -> ClusterState:
    return ClusterState().apply(objects, version)
