"""`index.auto_expand_replicas`: the number of replicas follows the number of data nodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quidditch.controlplane.core import routing
from quidditch.controlplane.core.draft import Draft, index_spec
from quidditch.model.errors import ApiError


def parse_range(text: str) -> tuple[int, int | None] | None:
    """`0-1`, `0-all`, `false`: (least, most) with None for all; None if it is off. Raises illegal_argument_exception."""
    if text == "false":
        return None
    low, dash, high = text.partition("-")
    if not dash:
        raise ApiError(
            400,
            "illegal_argument_exception",
            f"failed to parse [index.auto_expand_replicas] from value: [{text}] at index -1",
        )
    try:
        least, most = int(low), None if high == "all" else int(high)
    except ValueError:
        raise ApiError(
            400,
            "illegal_argument_exception",
            f"failed to parse [index.auto_expand_replicas] from value: [{text}] at index {len(low)}",
        ) from None
    if most is not None and least > most:
        raise ApiError(
            400,
            "illegal_argument_exception",
            f"[index.auto_expand_replicas] minReplicas must be =< maxReplicas but wasn't {least} > {most}",
        )
    return least, most


def expanded(text: str, data_nodes: int) -> int | None:
    """The replicas for that many nodes; None if the setting is off or there is no node to go by."""
    bounds = parse_range(text)
    if bounds is None or data_nodes == 0:
        return None
    least, most = bounds
    return max(least, data_nodes - 1 if most is None else min(most, data_nodes - 1))


def auto_expanded(flat: Mapping[str, Any], data_nodes: int) -> dict[str, Any]:
    """The settings with the number of replicas that `auto_expand_replicas` asks for."""
    wanted = expanded(str(flat.get("index.auto_expand_replicas", "false")), data_nodes)
    return dict(flat) if wanted is None else {**flat, "index.number_of_replicas": str(wanted)}


def apply_auto_expand(draft: Draft) -> None:
    """Adapts every index after nodes came or went."""
    data_nodes = draft.state.data_nodes
    for index in list(draft.state.indices.values()):
        if index.deleting or "index.auto_expand_replicas" not in index.spec.settings:
            continue
        flat = auto_expanded(index.spec.settings, data_nodes)
        if flat != index.spec.settings:
            draft.put(index_spec(index, settings=flat, settings_version=index.spec.settings_version + 1))
            set_replicas(draft, index.name)


def set_replicas(draft: Draft, name: str) -> None:
    """Gives every shard of the index the copies that its settings ask for."""
    index, known = draft.state.indices[name], draft.state.routing.get(name)
    if known is None:
        return
    shards = tuple(
        routing.with_replicas(shard, index.number_of_replicas, draft.env.now_ms) for shard in known.spec.shards
    )
    draft.put(routing.with_shards(known, shards))
