"""Creating an index: name, templates, settings, mappings, aliases, limits; then its routing and the first allocation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quidditch.controlplane.core import routing, template_resolution
from quidditch.controlplane.core.aliases import NewAlias, add_members, parse_alias_bodies
from quidditch.controlplane.core.allocation.solve import allocate
from quidditch.controlplane.core.auto_create import check_auto_create
from quidditch.controlplane.core.blocks import cluster_blocks
from quidditch.controlplane.core.commands import CreateIndex, IndexCreated
from quidditch.controlplane.core.draft import FINALIZER, Draft
from quidditch.controlplane.core.limits import check_shard_limit
from quidditch.controlplane.core.names import check_new_index_name
from quidditch.controlplane.core.replicas import auto_expanded
from quidditch.controlplane.core.wait import wait_spec
from quidditch.mapping import RootMapping, compose, parse, settings
from quidditch.mapping import check as check_mapping
from quidditch.mapping.parse import wrap_create_error
from quidditch.model import datemath, expressions
from quidditch.model.errors import ApiError
from quidditch.model.objects import Handover, Index, IndexSpec, Metadata, metadata_for
from quidditch.model.state import ClusterState

VERSION_CREATED = "137277827"
"""OpenSearch's number of the version whose behaviour indices have: 3.6.0."""


def create_index(draft: Draft, command: CreateIndex, takes_over: Handover | None = None) -> IndexCreated:
    """`takes_over`: what `rollover` does with it afterwards."""
    name = datemath.resolve(command.name, draft.env.now_ms)
    if command.auto:
        existing = expressions.write_index(draft.state, name)
        if existing is not None:
            return IndexCreated(existing.name, existing.uuid, existed=True)
        check_auto_create(draft, name)
    made = _made_before(draft.state, name, command)
    if made is not None:
        return IndexCreated(made.name, made.uuid, wait_spec(command.wait_for_active_shards, made))
    check_new_index_name(draft.state, name)
    resolved = template_resolution.resolve(draft.state, name, hidden=_asks_hidden(command.settings))
    template_resolution.refuse_data_stream(resolved, name)
    _check_create_block(draft.state)
    flat = _settings(draft, command, resolved.settings)
    uuid = flat["index.uuid"]
    mappings = _mappings(draft, [*resolved.mappings, command.mappings], flat)
    index = Index(
        metadata=_metadata(name),
        spec=IndexSpec(
            name=name,
            uuid=uuid,
            settings=flat,
            mappings=mappings.to_json(),
            routing_num_shards=_routing_shards(flat),
            takes_over=takes_over,
        ),
    )
    new_aliases = _aliases(index, command.aliases, resolved.aliases)
    check_shard_limit(draft.state, index.number_of_shards * (1 + index.number_of_replicas))
    for alias in new_aliases:
        add_members(draft, alias, [index], group=name)
    draft.put(routing.new_routing(index, draft.env.now_ms))
    _allocate_first(draft, index)
    draft.put(index)
    return IndexCreated(name, uuid, wait_spec(command.wait_for_active_shards, index))


def _made_before(state: ClusterState, name: str, command: CreateIndex) -> Index | None:
    """What the same command made when it came first. Only a date in the name can have given it another one since: then all are looked
    through, which costs too much for every index.
    """
    known = state.indices.get(name)
    if known is not None and known.uuid == command.uuid:
        return known
    return state.index_by_uuid(command.uuid) if command.uuid and name != command.name else None


def _metadata(name: str) -> Metadata:
    meta = metadata_for(name)
    return Metadata(name=meta.name, finalizers=(FINALIZER,))


def _allocate_first(draft: Draft, index: Index) -> None:
    """Places the new copies before the index is there, so that index and first routing are two writes and no more."""
    ahead = Draft(draft.state.apply([index], draft.state.version), draft.env)
    allocate(ahead, [index.name])
    draft.put(ahead.state.routing[index.name])


def _asks_hidden(body: Mapping[str, Any]) -> bool:
    return settings.normalize(body).get("index.hidden") == "true"


def _check_create_block(state: ClusterState) -> None:
    if str(state.settings.get("cluster.blocks.create_index") or "false") == "true":
        raise ApiError(
            403, "index_create_block_exception", "blocked by: [FORBIDDEN/10/cluster create-index blocked (api)];"
        )
    everywhere = [block for block in cluster_blocks(state) if "metadata_write" in block.levels]
    if everywhere:
        texts = "".join(block.text for block in everywhere)
        raise ApiError(403, "cluster_block_exception", f"blocked by: {texts}")


def _settings(draft: Draft, command: CreateIndex, template: Mapping[str, Any]) -> dict[str, Any]:
    own = settings.normalize(command.settings)
    flat: dict[str, Any] = dict(settings.check_create({**template, **own}, draft.env.checks.analysis))
    flat.setdefault("index.number_of_shards", str(draft.state.settings.get("cluster.default_number_of_shards") or 1))
    default_replicas = draft.state.settings.get("cluster.default_number_of_replicas")
    flat.setdefault("index.number_of_replicas", str(1 if default_replicas is None else default_replicas))
    flat.setdefault("index.replication.type", "DOCUMENT")
    flat = {
        **flat,
        "index.creation_date": flat.get("index.creation_date", str(draft.env.now_ms)),
        "index.provided_name": command.name,
        "index.uuid": command.uuid or draft.env.ids.uuid(),
        "index.version.created": VERSION_CREATED,
    }
    return auto_expanded(flat, draft.state.data_nodes)


def _mappings(draft: Draft, bodies: list[Mapping[str, Any]], flat: Mapping[str, Any]) -> RootMapping:
    given = [body for body in bodies if body]
    ctx = settings.parse_context(flat, draft.env.checks.date_format)
    try:
        mapping = compose(given, ctx) if len(given) > 1 else parse(given[0] if given else None, ctx)
    except ApiError as error:
        raise wrap_create_error(error) from None
    return check_mapping(mapping, settings.limits(flat))


def _routing_shards(flat: Mapping[str, Any]) -> int:
    """`index.number_of_routing_shards`, or the greatest power-of-two multiple of the shards up to 1024, so that splits stay possible."""
    shards = int(flat["index.number_of_shards"])
    given = flat.get("index.number_of_routing_shards")
    if given is not None:
        return int(given)
    exponent = max(1, 10 - (shards - 1).bit_length())
    return shards * (1 << exponent)


def _aliases(index: Index, own: Mapping[str, Any], template: Mapping[str, Mapping[str, Any]]) -> list[NewAlias]:
    merged = {**{name.replace("{index}", index.name): body for name, body in template.items()}, **own}
    parsed = parse_alias_bodies(merged)
    for alias in parsed:
        if alias.name == index.name:
            raise ApiError(
                500,
                "illegal_state_exception",
                "index, alias, and data stream names need to be unique, but the following duplicates were found"
                f" [{index.name} (alias of [{index.name}/{index.uuid}]) conflicts with index]",
            )
    return parsed
