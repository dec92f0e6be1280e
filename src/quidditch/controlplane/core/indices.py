"""Living indices: delete, open, close, settings, blocks, mappings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quidditch.controlplane.core import routing
from quidditch.controlplane.core.aliases import delete_index
from quidditch.controlplane.core.allocation.solve import allocate
from quidditch.controlplane.core.blocks import check_metadata_write
from quidditch.controlplane.core.commands import (
    Acknowledged,
    AddBlock,
    CloseIndices,
    DeleteIndices,
    GrowMapping,
    OpenIndices,
    PutMapping,
    UpdateIndexSettings,
)
from quidditch.controlplane.core.draft import Draft, index_spec
from quidditch.controlplane.core.limits import check_shard_limit
from quidditch.controlplane.core.replicas import auto_expanded, set_replicas
from quidditch.mapping import merge, parse, settings
from quidditch.model import expressions
from quidditch.model.errors import ApiError, validation
from quidditch.model.objects import Index
from quidditch.model.state import ClusterState


def delete_indices(draft: Draft, command: DeleteIndices) -> Acknowledged:
    _check_destructive(draft, command.indices)
    found = to_delete(draft.state, command, draft.env.now_ms)
    for index in found:
        check_metadata_write(draft.state, index, deleting=True)
    for index in found:
        delete_index(draft, index)
    return Acknowledged(tuple(index.name for index in found))


def to_delete(state: ClusterState, command: DeleteIndices, now_ms: int) -> list[Index]:
    """What the command means in this state. Raises :class:`ApiError`."""
    if command.only:
        return [index for uuid in command.only if (index := state.index_by_uuid(uuid)) is not None]
    options = expressions.IndicesOptions(
        ignore_unavailable=command.options.ignore_unavailable,
        allow_no_indices=command.options.allow_no_indices,
        expand_open=command.options.expand_open,
        expand_closed=command.options.expand_closed,
        expand_hidden=command.options.expand_hidden,
        ignore_aliases=True,
    )
    return expressions.resolve(state, command.indices, options, now_ms)


def _check_destructive(draft: Draft, names: tuple[str, ...]) -> None:
    """`action.destructive_requires_name` forbids wildcards and `_all`."""
    value = draft.state.settings.get("action.destructive_requires_name")
    if str(value or "false") != "true":
        return
    if expressions.is_all(names) or any("*" in name for name in names):
        raise ApiError(400, "illegal_argument_exception", "Wildcard expressions or all indices are not allowed")


def open_indices(draft: Draft, command: OpenIndices) -> Acknowledged:
    """Opened copies start again from their data, under a new primary term."""
    found = expressions.resolve(draft.state, command.indices, command.options, draft.env.now_ms)
    closed = [index for index in found if not index.open]
    for index in closed:
        check_metadata_write(draft.state, index)
    check_shard_limit(draft.state, sum(index.number_of_shards * (1 + index.number_of_replicas) for index in closed))
    for index in closed:
        _restart(draft, index, "INDEX_REOPENED")
        flat = {key: value for key, value in index.spec.settings.items() if key != "index.verified_before_close"}
        draft.put(index_spec(index, state="open", settings=flat, settings_version=index.spec.settings_version + 1))
    allocate(draft, [index.name for index in closed])
    return Acknowledged(tuple(index.name for index in closed))


def _restart(draft: Draft, index: Index, reason: str) -> None:
    """Takes all copies from their nodes, keeping their data, to be placed again."""
    known = draft.state.routing.get(index.name)
    if known is None:
        return
    shards = []
    for shard in known.spec.shards:
        for node in {copy.node for copy in shard.copies if copy.node}:
            shard = routing.restarted(shard, node, draft.env.now_ms, reason)
        shards.append(shard)
    draft.put(routing.with_shards(known, tuple(shards)))


def close_indices(draft: Draft, command: CloseIndices) -> Acknowledged:
    if str(draft.state.settings.get("cluster.indices.close.enable") or "true") == "false":
        raise ApiError(
            500,
            "illegal_state_exception",
            "closing indices is disabled - set [cluster.indices.close.enable: true] to enable it. NOTE: closed indices still"
            " consume a significant amount of diskspace",
        )
    _check_destructive(draft, command.indices)
    found = expressions.resolve(draft.state, command.indices, command.options, draft.env.now_ms)
    opened = [index for index in found if index.open]
    for index in opened:
        check_metadata_write(draft.state, index)
    for index in opened:
        flat = {**index.spec.settings, "index.verified_before_close": "true"}
        draft.put(index_spec(index, state="close", settings=flat, settings_version=index.spec.settings_version + 1))
    return Acknowledged(tuple(index.name for index in opened))


# --- settings -------------------------------------------------------------------------------------------------------


def update_settings(draft: Draft, command: UpdateIndexSettings) -> Acknowledged:
    update = settings.normalize(command.settings)
    if not update:
        raise validation("no settings to update")
    found = expressions.resolve(draft.state, command.indices, command.options, draft.env.now_ms)
    if not _only_blocks(update):
        for index in found:
            check_metadata_write(draft.state, index)
    targets = [settings.Target(index.name, index.uuid, index.open, index.spec.settings) for index in found]
    changed = settings.apply_update(targets, update, command.preserve_existing, draft.env.checks.analysis)
    data_nodes = draft.state.data_nodes
    expanded = {name: auto_expanded(flat, data_nodes) for name, flat in changed.items()}
    _check_replica_limit(draft, found, expanded)
    for index in found:
        _apply_settings(draft, index, expanded[index.name])
    return Acknowledged(tuple(index.name for index in found))


def _only_blocks(update: Mapping[str, Any]) -> bool:
    """Blocks can always be taken away."""
    return all(key.startswith("index.blocks.") for key in update)


def _check_replica_limit(draft: Draft, found: list[Index], changed: Mapping[str, Mapping[str, Any]]) -> None:
    added = sum(
        index.number_of_shards * (int(changed[index.name]["index.number_of_replicas"]) - index.number_of_replicas)
        for index in found
        if index.open
    )
    check_shard_limit(draft.state, added)


def _apply_settings(draft: Draft, index: Index, flat: dict[str, Any]) -> None:
    if flat == index.spec.settings:
        return
    draft.put(index_spec(index, settings=flat, settings_version=index.spec.settings_version + 1))
    if flat["index.number_of_replicas"] != index.spec.settings.get("index.number_of_replicas"):
        set_replicas(draft, index.name)
    allocate(draft, [index.name])


def add_block(draft: Draft, command: AddBlock) -> Acknowledged:
    """Result: those that had not the block already."""
    setting = f"index.blocks.{command.block}"
    found = expressions.resolve(draft.state, command.indices, command.options, draft.env.now_ms)
    missing = [index for index in found if index.setting(setting) != "true"]
    for index in missing:
        _apply_settings(draft, index, {**index.spec.settings, setting: "true"})
    return Acknowledged(tuple(index.name for index in missing))


# --- mappings -------------------------------------------------------------------------------------------------------


def put_mapping(draft: Draft, command: PutMapping) -> Acknowledged:
    """All indices or none."""
    if command.write_index_only:
        found = [_write_index(draft, name) for name in command.indices]
    else:
        found = expressions.resolve(draft.state, command.indices, command.options, draft.env.now_ms)
    for index in found:
        check_metadata_write(draft.state, index)
    for index in found:
        _merge_mapping(draft, index, command.mapping)
    return Acknowledged(tuple(index.name for index in found))


def _write_index(draft: Draft, name: str) -> Index:
    index = expressions.write_index(draft.state, name, draft.env.now_ms)
    if index is None:
        raise expressions.not_found(name)
    return index


def grow_mapping(draft: Draft, command: GrowMapping) -> Acknowledged:
    index = draft.state.index(command.index)
    if index.uuid != command.uuid:
        raise expressions.not_found(command.index)
    _merge_mapping(draft, index, command.mapping)
    return Acknowledged((index.name,))


def _merge_mapping(draft: Draft, index: Index, body: Mapping[str, Any]) -> None:
    ctx = settings.parse_context(index.spec.settings, draft.env.checks.date_format)
    old = draft.env.parsed.get(index) or parse(index.spec.mappings, ctx)
    merged = merge(old, body, ctx, settings.limits(index.spec.settings))
    shown = merged.to_json()
    if shown == index.spec.mappings:
        draft.env.parsed.put(index, old)
        return
    changed = index_spec(index, mappings=shown, mapping_version=index.spec.mapping_version + 1)
    draft.env.parsed.put(changed, merged)
    draft.put(changed)
