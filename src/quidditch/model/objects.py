"""The objects of the control plane, shaped as Kubernetes resources: kind, metadata, spec, status.

All are frozen; a change is `msgspec.structs.replace`. Nothing in one object grows with the number of nodes or
indices, except
`Cluster` settings that the user wrote. Each object is the unit of atomic change (one compare-and-set).

They are trees, never part of a cycle, so that Python's collector need not look at them: with many indices it would stop
every node for tens of milliseconds again and again (`gc=False`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal, TypeAlias, cast, get_args

import msgspec

from quidditch.model.names import object_name

ShardState: TypeAlias = Literal["UNASSIGNED", "INITIALIZING", "STARTED", "RELOCATING"]
IndexState: TypeAlias = Literal["open", "close"]
TemplateKind: TypeAlias = Literal["index", "component", "legacy"]


class Metadata(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    """Who an object is. `uid` and `resource_version` are given by the store; the version is opaque and changes with
    every write.
    """

    name: str
    uid: str = ""
    generation: int = 1
    resource_version: str = ""
    finalizers: tuple[str, ...] = ()
    deletion_timestamp: str | None = None


class _Part(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    """A spec, a status or a piece of one."""


class _Object(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag=lambda name: name, omit_defaults=True, gc=False
):
    metadata: Metadata

    @property
    def kind(self) -> str:
        return type(self).__name__

    @property
    def key(self) -> str:
        """The true name, by which the cluster state knows the object."""
        raise NotImplementedError


# --- cluster --------------------------------------------------------------------------------------------------------


class Voter(_Part, frozen=True):
    """A master with a voice in the store: a member of etcd. The id is `_absent_` where no node of that name was seen."""

    node_id: str
    node_name: str


class VotingExclusion(_Part, frozen=True):
    """A master that shall neither vote nor lead; what is not known of it is `_absent_`."""

    node_id: str
    node_name: str


class ClusterSpec(_Part, frozen=True):
    name: str
    uuid: str
    voting_exclusions: tuple[VotingExclusion, ...] = ()


class ClusterStatus(_Part, frozen=True):
    """`epoch` counts leaders; a write by the leader of an older epoch is refused. `restored` is the epoch in which this
    state was restored from a backup, 0 if it never was: what is missing since then was not deleted. `voters` are the
    masters that have a voice in the store, present or not; none where it has its own.
    """

    epoch: int = 0
    leader: str = ""
    restored: int = 0
    voters: tuple[Voter, ...] = ()


class Cluster(_Object, frozen=True):
    spec: ClusterSpec
    status: ClusterStatus = ClusterStatus()

    NAME: ClassVar[str] = "cluster"

    @property
    def key(self) -> str:
        return self.NAME


class SettingsSpec(_Part, frozen=True):
    """Cluster settings, flat: `{"cluster.routing.allocation.enable": "all"}`; values as the user's JSON gives them,
    scalars as text.
    """

    persistent: dict[str, Any] = {}
    transient: dict[str, Any] = {}


class Settings(_Object, frozen=True):
    spec: SettingsSpec = SettingsSpec()

    NAME: ClassVar[str] = "cluster"

    @property
    def key(self) -> str:
        return self.NAME

    def get(self, setting: str) -> Any:
        """The effective value, transient before persistent; None if unset."""
        value = self.spec.transient.get(setting)
        return self.spec.persistent.get(setting) if value is None else value


# --- index ----------------------------------------------------------------------------------------------------------


class Handover(_Part, frozen=True):
    """What a new index takes over by a rollover: the alias, from the index that it wrote to; why, and when (ms)."""

    alias: str
    source: str
    met_conditions: dict[str, Any] = {}
    time: int = 0


class Succession(_Part, frozen=True):
    """An index is removed and aliases change, all by one decision: `aliases` as they shall be then (None: gone), `indices`
    (name → uuid) that are removed with it.
    """

    aliases: dict[str, AliasSpec | None] = {}
    indices: dict[str, str] = {}


class Asked(_Part, frozen=True):
    """What a user wrote into the index's object in the store beside the control plane, where it is not word for word what the control plane
    would write: to be carried out, refused, or carried out already. Only Kubernetes has such writers. None: not given, which of `settings`
    and `mappings` means nothing of them. The versions are those of the index that were found beside it.
    """

    settings_version: int
    mapping_version: int
    fields: dict[str, Any] = {}


class IndexSpec(_Part, frozen=True):
    """`settings` are flat with their `index.` prefix, scalars as text and lists as lists of text
    (`{"index.number_of_shards": "1"}`).

    `mappings` is the canonical mapping, as `GET _mapping` shows it; in a store a big one is empty and
    `mapping_digest` names its parts. The versions count changes of that part.
    `data_stream` names the data stream that owns the index. `rollover` tells by alias when and why it was rolled over,
    `takes_over` is what is still to be done of the rollover that made it, `makes_way` of what removes it. `asked` is of a user who writes
    into the store.
    `system` members of settings (uuid, creation_date, version.created) stand in `settings` too.
    """

    name: str
    uuid: str
    state: IndexState = "open"
    settings: dict[str, Any] = {}
    mappings: dict[str, Any] = {}
    routing_num_shards: int = 1
    version: int = 1
    mapping_version: int = 1
    settings_version: int = 1
    aliases_version: int = 1
    data_stream: str | None = None
    rollover: dict[str, Any] = {}
    takes_over: Handover | None = None
    makes_way: Succession | None = None
    mapping_digest: str = ""
    asked: Asked | None = None


class IndexStatus(_Part, frozen=True):
    """What `kubectl get` shows: the seeds' state beside conditions."""

    state: str = ""
    observed_generation: int = 0


class Index(_Object, frozen=True):
    spec: IndexSpec
    status: IndexStatus = IndexStatus()

    @property
    def key(self) -> str:
        return self.spec.name

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def uuid(self) -> str:
        return self.spec.uuid

    @property
    def open(self) -> bool:
        return self.spec.state == "open"

    @property
    def hidden(self) -> bool:
        return bool(self.spec.settings.get("index.hidden") == "true")

    @property
    def deleting(self) -> bool:
        return self.metadata.deletion_timestamp is not None

    @property
    def number_of_shards(self) -> int:
        return int(self.spec.settings.get("index.number_of_shards", "1"))

    @property
    def number_of_replicas(self) -> int:
        return int(self.spec.settings.get("index.number_of_replicas", "1"))

    def setting(self, key: str, default: Any = None) -> Any:
        """The value of a setting by its full name (`index.refresh_interval`), as stored."""
        return self.spec.settings.get(key, default)


class MappingPartSpec(_Part, frozen=True):
    """A piece of a big mapping: part `number` of `count`, `data` is base64 of the compressed JSON."""

    index: str
    digest: str
    number: int
    count: int
    data: str


class MappingPart(_Object, frozen=True):
    """Big mappings stand in objects of their own, so that no object grows beyond what every store takes. Never changed."""

    spec: MappingPartSpec

    @property
    def key(self) -> str:
        return self.metadata.name


# --- routing --------------------------------------------------------------------------------------------------------


class UnassignedInfo(_Part, frozen=True):
    """Why a copy has no node. `at` is epoch milliseconds."""

    reason: str
    at: int = 0
    details: str | None = None
    failed_attempts: int = 0
    delayed: bool = False
    last_allocation_status: str = "no_attempt"
    last_node: str | None = None


class Copy(_Part, frozen=True):
    """One copy of a shard. `allocation_id` is made when a node is chosen; `recovery` says where an initializing copy
    comes from.

    A copy that moves is RELOCATING: it serves on from `node` while its `target`, which takes its place once it has
    started, initializes on `relocating_node` under the allocation id `relocation_id`. `failed_moves` counts how often
    that failed in a row. `forced`: a user took data that may lack acknowledged operations for it.
    """

    primary: bool
    state: ShardState = "UNASSIGNED"
    node: str | None = None
    allocation_id: str | None = None
    relocating_node: str | None = None
    relocation_id: str | None = None
    recovery: Literal["EMPTY_STORE", "EXISTING_STORE", "PEER"] | None = None
    unassigned: UnassignedInfo | None = None
    failed_moves: int = 0
    forced: bool = False

    @property
    def target(self) -> Copy | None:
        """Where a relocating copy goes, as a copy of its own that names its source."""
        if self.state != "RELOCATING":
            return None
        return Copy(
            primary=self.primary,
            state="INITIALIZING",
            node=self.relocating_node,
            allocation_id=self.relocation_id,
            relocating_node=self.node,
            relocation_id=self.allocation_id,
            recovery="PEER",
        )

    @property
    def active(self) -> bool:
        return self.state in ("STARTED", "RELOCATING")

    @property
    def assigned(self) -> bool:
        return self.node is not None


class ShardRouting(_Part, frozen=True):
    """One shard: the primary comes first among `copies`. `primary_term` rises with every promotion and every
    re-opened primary.
    """

    primary_term: int = 0
    in_sync: tuple[str, ...] = ()
    copies: tuple[Copy, ...] = ()

    @property
    def primary(self) -> Copy:
        return self.copies[0]

    @property
    def placed(self) -> Iterator[Copy]:
        """What lies on nodes or comes to lie there: assigned copies, and the targets of those that move."""
        for copy in self.copies:
            if copy.node is not None:
                yield copy
                if copy.state == "RELOCATING":
                    yield cast(Copy, copy.target)


class RoutingSpec(_Part, frozen=True):
    """`index` and `uuid` name the index; `shards[n]` is shard n. `in_sync` outlives nodes: it says which data may
    become a primary.
    """

    index: str
    uuid: str
    shards: tuple[ShardRouting, ...]


class Routing(_Object, frozen=True):
    """Where an index's copies are: authoritative, one object per index."""

    spec: RoutingSpec

    @property
    def key(self) -> str:
        return self.spec.index


# --- node -----------------------------------------------------------------------------------------------------------


class NodeSpec(_Part, frozen=True):
    """A node as it registered. `id` is lasting, `ephemeral_id` is new with every start. Addresses are `host:port`."""

    id: str
    name: str
    ephemeral_id: str = ""
    roles: tuple[str, ...] = ()
    host: str = "127.0.0.1"
    ip: str = "127.0.0.1"
    transport_address: str = ""
    http_address: str = ""
    attributes: dict[str, str] = {}
    version: str = ""


class NodeStatus(_Part, frozen=True):
    """How the leader finds the node; `reason` says why it is not healthy."""

    health: Literal["HEALTHY", "DEGRADED", "UNHEALTHY"] = "HEALTHY"
    reason: str = ""


class Node(_Object, frozen=True):
    spec: NodeSpec
    status: NodeStatus = NodeStatus()

    @property
    def key(self) -> str:
        return self.spec.id

    @property
    def id(self) -> str:
        return self.spec.id

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def holds_data(self) -> bool:
        """Also nodes of one tier only hold data."""
        return any(role == "data" or role.startswith("data_") for role in self.spec.roles)


class NodeShutdownSpec(_Part, frozen=True):
    """Why and how a node goes away, known before it does. `started_at` is epoch milliseconds.

    `remove`: for good, its copies move off first. `restart`: it comes back; copies that it takes along wait for it for
    `allocation_delay` (a time value; None: 5m). `replace`: its copies move to the node named `target_node_name`.
    `seen`: the node was a member since.
    """

    node_id: str
    type: Literal["remove", "restart", "replace"]
    reason: str
    started_at: int = 0
    allocation_delay: str | None = None
    target_node_name: str | None = None
    seen: bool = False


class NodeShutdown(_Object, frozen=True):
    """The announced end of a node; stays until it is taken back, whether the node is there or not."""

    spec: NodeShutdownSpec

    @property
    def key(self) -> str:
        return self.spec.node_id


# --- aliases and templates ------------------------------------------------------------------------------------------


class AliasMember(_Part, frozen=True):
    """One index of an alias. `is_write_index` None: not said."""

    filter: dict[str, Any] | None = None
    index_routing: str | None = None
    search_routing: str | None = None
    is_write_index: bool | None = None
    is_hidden: bool | None = None

    def to_json(self) -> dict[str, Any]:
        """As `GET _alias` shows it."""
        members = {
            "filter": self.filter,
            "index_routing": self.index_routing,
            "search_routing": self.search_routing,
            "is_write_index": self.is_write_index,
            "is_hidden": self.is_hidden,
        }
        return {name: value for name, value in members.items() if value is not None}


class AliasSpec(_Part, frozen=True):
    """`indices` maps index names to what the alias says of them; so an alias swap is one write."""

    name: str
    indices: dict[str, AliasMember]


class Alias(_Object, frozen=True):
    spec: AliasSpec

    @property
    def key(self) -> str:
        return self.spec.name

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def hidden(self) -> bool:
        return any(member.is_hidden for member in self.spec.indices.values())

    @property
    def write_index(self) -> str | None:
        """The index that takes writes: the one said to be, or the only one unless it says it is not."""
        for index, member in self.spec.indices.items():
            if member.is_write_index:
                return index
        if len(self.spec.indices) == 1:
            index, member = next(iter(self.spec.indices.items()))
            return index if member.is_write_index is None else None
        return None


class TemplateSpec(_Part, frozen=True):
    """`body` is the template as `GET` shows it, settings flat inside `template.settings` (legacy: `settings`)."""

    template_kind: TemplateKind
    name: str
    body: dict[str, Any]


class Template(_Object, frozen=True):
    spec: TemplateSpec

    @property
    def key(self) -> str:
        return template_key(self.spec.template_kind, self.spec.name)


def template_key(kind: TemplateKind, name: str) -> str:
    return f"{kind}/{name}"


# --- later kinds that the snapshot already carries ------------------------------------------------------------------


class NamedSpec(_Part, frozen=True):
    """A named body that the control plane stores and hands out: `body` as the user gave it, checked."""

    name: str
    body: dict[str, Any]


class Pipeline(_Object, frozen=True):
    spec: NamedSpec

    @property
    def key(self) -> str:
        return self.spec.name


class Script(_Object, frozen=True):
    """A stored script or search template (`_scripts/{id}`)."""

    spec: NamedSpec

    @property
    def key(self) -> str:
        return self.spec.name


class DataStreamSpec(_Part, frozen=True):
    name: str
    timestamp_field: str = "@timestamp"
    indices: tuple[str, ...] = ()
    generation: int = 1


class DataStream(_Object, frozen=True):
    spec: DataStreamSpec

    @property
    def key(self) -> str:
        return self.spec.name


Object: TypeAlias = (
    Cluster
    | Settings
    | Index
    | MappingPart
    | Routing
    | Node
    | NodeShutdown
    | Alias
    | Template
    | Pipeline
    | Script
    | DataStream
)
KINDS: Mapping[str, type[Object]] = {kind.__name__: kind for kind in get_args(Object)}


def metadata_for(true_name: str) -> Metadata:
    """Metadata of a new object with this true name."""
    return Metadata(name=object_name(true_name))
