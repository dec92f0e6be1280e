"""What may be asked of the control plane. Commands are values: they can be logged, replayed and sent to the leader.

Index expressions travel unresolved with their options; the leader resolves them against the state it decides on.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

from quidditch.model.expressions import STRICT_EXPAND, STRICT_EXPAND_OPEN, IndicesOptions
from quidditch.model.objects import NodeSpec, NodeStatus, Routing, TemplateKind, Voter

_ALIAS_OPTIONS = IndicesOptions(allow_no_indices=False, expand_closed=True, ignore_aliases=True)


class _Command(msgspec.Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True):
    """Base of all commands."""


# --- indices --------------------------------------------------------------------------------------------------------


class CreateIndex(_Command, frozen=True, kw_only=True):
    """Creates an index. The members are as in the body of `PUT /{index}`; matching templates are laid under them.

    `name` may be date math. With `auto` an existing index is no error (the writer only wanted it to be there), and
    `action.auto_create_index` decides. `uuid`, if given, becomes the index's: a command that comes twice finds what it made. Result:
    :class:`IndexCreated`.
    """

    name: str
    settings: dict[str, Any] = {}
    mappings: dict[str, Any] = {}
    aliases: dict[str, Any] = {}
    auto: bool = False
    wait_for_active_shards: str | None = None
    uuid: str = ""


class Rollover(_Command, frozen=True, kw_only=True):
    """Makes the successor of the index that `alias` writes to, and hands the alias over. `new_index` None: the next number.

    `source` guards against an alias that was moved meanwhile; `met_conditions` is what the old index remembers. `uuid` as for
    :class:`CreateIndex`. Result: :class:`IndexCreated`.
    """

    alias: str
    source: str = ""
    new_index: str | None = None
    settings: dict[str, Any] = {}
    mappings: dict[str, Any] = {}
    aliases: dict[str, Any] = {}
    met_conditions: dict[str, Any] = {}
    uuid: str = ""


class DeleteIndices(_Command, frozen=True, kw_only=True):
    """Result: :class:`Acknowledged` with the names deleted. `only`: the uuids that were meant, in a command that comes again since what
    became of the first is not known: those that are there still are deleted, and none that was created meanwhile.
    """

    indices: tuple[str, ...]
    options: IndicesOptions = STRICT_EXPAND
    only: tuple[str, ...] = ()


class OpenIndices(_Command, frozen=True, kw_only=True):
    indices: tuple[str, ...]
    options: IndicesOptions = IndicesOptions(expand_open=False, expand_closed=True)


class CloseIndices(_Command, frozen=True, kw_only=True):
    indices: tuple[str, ...]
    options: IndicesOptions = STRICT_EXPAND_OPEN


class PutMapping(_Command, frozen=True, kw_only=True):
    """Merges `mapping` (the body of `PUT /{index}/_mapping`) into each index. `write_index_only`: of an alias only
    its write index.
    """

    indices: tuple[str, ...]
    mapping: dict[str, Any]
    options: IndicesOptions = STRICT_EXPAND
    write_index_only: bool = False


class GrowMapping(_Command, frozen=True, kw_only=True):
    """A dynamic mapping update by a document; `uuid` guards against an index that was created anew."""

    index: str
    uuid: str
    mapping: dict[str, Any]


class UpdateIndexSettings(_Command, frozen=True, kw_only=True):
    """`settings` as the user wrote them: nested or flat, with or without the `index.` prefix; null resets to the
    default.
    """

    indices: tuple[str, ...]
    settings: dict[str, Any]
    preserve_existing: bool = False
    options: IndicesOptions = STRICT_EXPAND


class AddBlock(_Command, frozen=True, kw_only=True):
    indices: tuple[str, ...]
    block: Literal["read", "write", "metadata", "read_only", "read_only_allow_delete"]
    options: IndicesOptions = STRICT_EXPAND


# --- aliases --------------------------------------------------------------------------------------------------------


class AddAlias(_Command, frozen=True, kw_only=True):
    """`filter` is the query as the user wrote it; `routing` sets both routings that are not given by themselves."""

    indices: tuple[str, ...]
    aliases: tuple[str, ...]
    filter: dict[str, Any] | None = None
    routing: str | None = None
    index_routing: str | None = None
    search_routing: str | None = None
    is_write_index: bool | None = None
    is_hidden: bool | None = None
    options: IndicesOptions = _ALIAS_OPTIONS


class RemoveAlias(_Command, frozen=True, kw_only=True):
    """`aliases` may hold wildcards. `must_exist`: True: an alias that is not there is an error; False: never one;
    None: an error if nothing matches.
    """

    indices: tuple[str, ...]
    aliases: tuple[str, ...]
    must_exist: bool | None = None
    options: IndicesOptions = _ALIAS_OPTIONS


class RemoveIndex(_Command, frozen=True, kw_only=True):
    indices: tuple[str, ...]
    options: IndicesOptions = _ALIAS_OPTIONS


AliasAction: TypeAlias = AddAlias | RemoveAlias | RemoveIndex


class UpdateAliases(_Command, frozen=True, kw_only=True):
    """All actions or none are decided; what is changed in one alias is one write."""

    actions: tuple[AliasAction, ...]


# --- templates and other named bodies -------------------------------------------------------------------------------


class PutTemplate(_Command, frozen=True, kw_only=True):
    """`body` as the user wrote it. `create`: an existing template is an error."""

    template_kind: TemplateKind
    name: str
    body: dict[str, Any]
    create: bool = False


class DeleteTemplate(_Command, frozen=True, kw_only=True):
    """`name` may be a wildcard or, for composable templates, a comma-separated list."""

    template_kind: TemplateKind
    name: str


class PutNamed(_Command, frozen=True, kw_only=True):
    """Stores a named body that other parts have checked: an ingest pipeline or a stored script."""

    kind: Literal["Pipeline", "Script"]
    name: str
    body: dict[str, Any]


class DeleteNamed(_Command, frozen=True, kw_only=True):
    """`name` may be a wildcard. Nothing found: 404."""

    kind: Literal["Pipeline", "Script"]
    name: str


# --- cluster --------------------------------------------------------------------------------------------------------


class PutClusterSettings(_Command, frozen=True, kw_only=True):
    """Nested or flat; null resets, also for a wildcard of keys. Result: :class:`SettingsChanged`."""

    persistent: dict[str, Any] = {}
    transient: dict[str, Any] = {}


class HeldShard(msgspec.Struct, frozen=True, array_like=True):
    """Data of a shard on a node's disk, and the allocation ids that it answers to; None: it is older than such ids."""

    uuid: str
    shard: int
    ids: tuple[str, ...] | None = None


class RegisterNode(_Command, frozen=True, kw_only=True):
    """`fresh`: the process has just started and has no shard open; also a new `ephemeral_id` says so. `held`: all that lies on its
    disk; None: it does not say.
    """

    node: NodeSpec
    fresh: bool = False
    held: tuple[HeldShard, ...] | None = None


class NodeLeft(_Command, frozen=True, kw_only=True):
    node_id: str
    reason: str = "left"


class NodeHangs(_Command, frozen=True, kw_only=True):
    """Nothing is heard of a node, though it may still come back: where another copy is in sync, its primaries lead no longer."""

    node_id: str


class NoteHealth(_Command, frozen=True, kw_only=True):
    """What the leader finds of nodes, by id, as far as it has changed."""

    nodes: dict[str, NodeStatus]


class ShardStarted(_Command, frozen=True, kw_only=True):
    """A node reports that its copy is ready. `uuid` is the index's; reports about what is no more are ignored."""

    index: str
    uuid: str
    shard: int
    allocation_id: str
    primary_term: int = 0


class ShardFailed(_Command, frozen=True, kw_only=True):
    """A copy failed, says its node or (with its own `primary_term`) the primary that could not reach it.

    `mark_stale`: the copy missed a write and leaves the in-sync set.
    """

    index: str
    uuid: str
    shard: int
    allocation_id: str
    reason: str
    primary_term: int = 0
    mark_stale: bool = False


class AllocationCommand(msgspec.Struct, frozen=True):
    """One command of `_cluster/reroute`. `node` is where the copy is (move, cancel) or shall be; `flag` is
    `allow_primary` or `accept_data_loss`.
    """

    kind: Literal["move", "cancel", "allocate_replica", "allocate_stale_primary", "allocate_empty_primary"]
    index: str
    shard: int
    node: str
    to_node: str = ""
    flag: bool = False


class Reroute(_Command, frozen=True, kw_only=True):
    """Carries out commands and looks again at the allocation of all shards; `retry_failed` forgets how often copies
    failed. `explain`: a command that cannot be is told rather than an error. `dry_run` changes nothing.
    Result: :class:`Rerouted`.
    """

    commands: tuple[AllocationCommand, ...] = ()
    retry_failed: bool = False
    explain: bool = False
    dry_run: bool = False


class PutShutdown(_Command, frozen=True, kw_only=True):
    """Announces that a node (by id or name) goes away; what was announced before is replaced. `kind`: remove, restart
    or replace.
    """

    node: str
    kind: str | None = None
    reason: str | None = None
    allocation_delay: str | None = None
    target_node_name: str | None = None


class DeleteShutdown(_Command, frozen=True, kw_only=True):
    """Takes it back. Nothing announced: 404."""

    node: str


class AddVotingExclusions(_Command, frozen=True, kw_only=True):
    """Masters that shall neither vote nor lead any more; they need not be there. Nodes that are no masters are passed over."""

    node_ids: tuple[str, ...] = ()
    node_names: tuple[str, ...] = ()


class ClearVotingExclusions(_Command, frozen=True, kw_only=True):
    """Forgets all of them."""


class SetVoters(_Command, frozen=True, kw_only=True):
    """The masters that have a voice in the store, as the leader found it there."""

    voters: tuple[Voter, ...]


class Upkeep(_Command, frozen=True, kw_only=True):
    """Brings everything in order that is not; the control plane asks itself for it from time to time."""


# --- questions that only the leader can answer ----------------------------------------------------------------------


class ExplainAllocation(_Command, frozen=True, kw_only=True):
    """Why a copy is where it is, or nowhere. No `index`: the first unassigned copy."""

    index: str | None = None
    shard: int | None = None
    primary: bool | None = None
    current_node: str | None = None
    yes_decisions: bool = False
    disk_info: bool = False


class DesiredBalance(_Command, frozen=True, kw_only=True):
    """Where every shard shall be, beside where it is."""


class ShutdownStatus(_Command, frozen=True, kw_only=True):
    """How far the announced shutdowns are; `node` by id or name, None for all."""

    node: str | None = None


Query: TypeAlias = ExplainAllocation | DesiredBalance | ShutdownStatus
"""Commands that change nothing; the result is :class:`Told`."""

Acknowledging: TypeAlias = (
    DeleteIndices
    | OpenIndices
    | CloseIndices
    | PutMapping
    | GrowMapping
    | UpdateIndexSettings
    | AddBlock
    | UpdateAliases
    | PutTemplate
    | DeleteTemplate
    | PutNamed
    | DeleteNamed
    | RegisterNode
    | NodeLeft
    | NodeHangs
    | NoteHealth
    | ShardStarted
    | ShardFailed
    | PutShutdown
    | DeleteShutdown
    | AddVotingExclusions
    | ClearVotingExclusions
    | SetVoters
    | Upkeep
)
"""Commands whose result is :class:`Acknowledged`."""
Command: TypeAlias = CreateIndex | Rollover | PutClusterSettings | Reroute | Query | Acknowledging


# --- results --------------------------------------------------------------------------------------------------------


class Acknowledged(msgspec.Struct, frozen=True, tag=True):
    """The change is in the state that this node has applied. `indices`: the concrete indices it touched."""

    indices: tuple[str, ...] = ()


class IndexCreated(msgspec.Struct, frozen=True, tag=True):
    """`wait_for_active_shards` is the count to wait for, templates and settings considered (`all` or a number);
    `existed` only for `auto`.
    """

    index: str
    uuid: str
    wait_for_active_shards: str = "1"
    existed: bool = False


class SettingsChanged(msgspec.Struct, frozen=True, tag=True):
    """What was set, flat."""

    persistent: dict[str, Any]
    transient: dict[str, Any]


class Rerouted(msgspec.Struct, frozen=True, tag=True):
    """`explanations` of the commands, as JSON shows them; `routing`: what a dry run would have changed."""

    explanations: tuple[dict[str, Any], ...] = ()
    routing: tuple[Routing, ...] = ()


class Told(msgspec.Struct, frozen=True, tag=True):
    """The answer to a question, as JSON shows it."""

    body: dict[str, Any]


Result: TypeAlias = Acknowledged | IndexCreated | SettingsChanged | Rerouted | Told
