"""The cluster state: an immutable snapshot of all objects, with the look-ups that requests need.

A new version shares everything that did not change (see `layered`), and look-ups derived from untouched kinds are
carried over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TypeVar, cast

import msgspec

from quidditch.model import errors
from quidditch.model.layered import Layered
from quidditch.model.objects import (
    Alias,
    Cluster,
    DataStream,
    Index,
    Node,
    NodeShutdown,
    Object,
    Pipeline,
    Routing,
    Script,
    Settings,
    Template,
    TemplateKind,
    metadata_for,
    template_key,
)

_EMPTY: Layered[Object] = Layered()
_NO_SETTINGS = Settings(metadata=metadata_for(Settings.NAME))
_O = TypeVar("_O", bound=Object)


class Deleted(msgspec.Struct, frozen=True, tag=True):
    """An object that is gone: its kind and true name."""

    kind: str
    key: str


Change = Object | Deleted

_DERIVED: Mapping[str, tuple[str, ...]] = {
    "_aliases_by_index": ("Alias",),
    "_indices_by_uuid": ("Index",),
    "data_nodes": ("Node",),
    "_sorted_names": ("Index", "Alias", "DataStream"),
}


def _copies_asked(index: Index) -> int:
    return index.number_of_shards * (1 + index.number_of_replicas) if index.open else 0


class ClusterState:
    """One version of the cluster. `version` only rises; `cluster_uuid` never changes.

    Members are read-only mappings from true names: `indices`, `routing`, `nodes` and `shutdowns` (by node id),
    `aliases`, `templates` (by `template_key`), `pipelines`, `data_streams`.
    """

    def __init__(self, objects: Mapping[str, Mapping[str, Object]] | None = None, version: int = 0) -> None:
        self._objects: dict[str, Layered[Object]] = {
            kind: members if isinstance(members, Layered) else Layered(dict(members))
            for kind, members in (objects or {}).items()
        }
        self.version = version

    # --- members ----------------------------------------------------------------------------------------------------

    def of(self, kind: type[_O]) -> Mapping[str, _O]:
        """All objects of a kind by true name."""
        return cast("Mapping[str, _O]", self._objects.get(kind.__name__, _EMPTY))

    @property
    def indices(self) -> Mapping[str, Index]:
        return self.of(Index)

    @property
    def routing(self) -> Mapping[str, Routing]:
        return self.of(Routing)

    @property
    def nodes(self) -> Mapping[str, Node]:
        return self.of(Node)

    @property
    def shutdowns(self) -> Mapping[str, NodeShutdown]:
        return self.of(NodeShutdown)

    @property
    def aliases(self) -> Mapping[str, Alias]:
        return self.of(Alias)

    @property
    def templates(self) -> Mapping[str, Template]:
        return self.of(Template)

    @property
    def pipelines(self) -> Mapping[str, Pipeline]:
        return self.of(Pipeline)

    @property
    def scripts(self) -> Mapping[str, Script]:
        return self.of(Script)

    @property
    def data_streams(self) -> Mapping[str, DataStream]:
        return self.of(DataStream)

    @property
    def settings(self) -> Settings:
        """The cluster settings object; empty settings if none was written yet."""
        return self.of(Settings).get(Settings.NAME, _NO_SETTINGS)

    @property
    def cluster(self) -> Cluster | None:
        return self.of(Cluster).get(Cluster.NAME)

    @property
    def cluster_uuid(self) -> str:
        return self.cluster.spec.uuid if self.cluster else "_na_"

    @property
    def cluster_name(self) -> str:
        return self.cluster.spec.name if self.cluster else ""

    # --- look-ups ---------------------------------------------------------------------------------------------------

    def index(self, name: str) -> Index:
        """The index of exactly this name; raises index_not_found_exception."""
        try:
            return self.indices[name]
        except KeyError:
            raise errors.index_not_found(name) from None

    def index_by_uuid(self, uuid: str) -> Index | None:
        return self._indices_by_uuid.get(uuid)

    def aliases_of(self, index: str) -> Sequence[Alias]:
        """The aliases that name this index, by name."""
        return self._aliases_by_index.get(index, ())

    def template(self, kind: TemplateKind, name: str) -> Template | None:
        return self.templates.get(template_key(kind, name))

    def templates_of(self, kind: TemplateKind) -> dict[str, Template]:
        """The templates of a kind by name."""
        return {t.spec.name: t for t in self.templates.values() if t.spec.template_kind == kind}

    def node_by_name(self, name: str) -> Node | None:
        return next((node for node in self.nodes.values() if node.name == name), None)

    @property
    def sorted_names(self) -> Sequence[str]:
        """All names that an index expression may match: indices, aliases, data streams; sorted."""
        return self._sorted_names

    def knows(self, name: str) -> bool:
        """Whether `name` is an index, an alias or a data stream."""
        return name in self.indices or name in self.aliases or name in self.data_streams

    @cached_property
    def _indices_by_uuid(self) -> Mapping[str, Index]:
        return {index.uuid: index for index in self.indices.values()}

    @cached_property
    def _aliases_by_index(self) -> Mapping[str, Sequence[Alias]]:
        by_index: dict[str, list[Alias]] = {}
        for name in sorted(self.aliases):
            for index in self.aliases[name].spec.indices:
                by_index.setdefault(index, []).append(self.aliases[name])
        return by_index

    @cached_property
    def _sorted_names(self) -> Sequence[str]:
        return sorted({*self.indices, *self.aliases, *self.data_streams})

    @cached_property
    def data_nodes(self) -> int:
        """How many nodes hold data."""
        return sum(node.holds_data for node in self.nodes.values())

    @cached_property
    def open_copies(self) -> int:
        """The copies that all open indices ask for, assigned or not."""
        return sum(_copies_asked(index) for index in self.indices.values())

    # --- change -----------------------------------------------------------------------------------------------------

    def apply(self, changes: Iterable[Change], version: int) -> ClusterState:
        """The next snapshot. Later changes of one object win; a deletion of what is not there is nothing."""
        touched: dict[str, dict[str, Object | None]] = {}
        for change in changes:
            members = touched.setdefault(change.kind, {})
            members[change.key] = None if isinstance(change, Deleted) else change
        objects = dict(self._objects)
        for kind, members in touched.items():
            written = {key: obj for key, obj in members.items() if obj is not None}
            gone = [key for key, obj in members.items() if obj is None]
            objects[kind] = objects.get(kind, _EMPTY).changed(written, gone)
        new = ClusterState(objects, version)
        for name, kinds in _DERIVED.items():
            if name in self.__dict__ and not any(kind in touched for kind in kinds):
                new.__dict__[name] = self.__dict__[name]
        if "open_copies" in self.__dict__:
            new.__dict__["open_copies"] = self.open_copies + self._grown(new, touched.get("Index", ()))
        return new

    def _grown(self, new: ClusterState, changed: Iterable[str]) -> int:
        """By how many the copies asked for have grown: what has been counted is not counted anew."""
        return sum(_copies_asked(new.indices[key]) for key in changed if key in new.indices) - sum(
            _copies_asked(self.indices[key]) for key in changed if key in self.indices
        )

    def differs(self, other: ClusterState, kind: str) -> Iterator[str]:
        """The keys of the objects of a kind that are not the same in both; costs little between versions that follow
        each other.
        """
        mine, theirs = self._objects.get(kind, _EMPTY), other._objects.get(kind, _EMPTY)
        return iter(()) if mine is theirs else mine.differs(theirs)

    def __iter__(self) -> Iterator[Object]:
        for members in self._objects.values():
            yield from members.values()

    def __eq__(self, other: object) -> bool:
        """Whether both hold equal objects; the version does not count."""
        if not isinstance(other, ClusterState):
            return NotImplemented
        mine = {kind: dict(members) for kind, members in self._objects.items() if members}
        return mine == {kind: dict(members) for kind, members in other._objects.items() if members}

    __hash__ = None  # type: ignore[assignment]

    def objects(self, kind: str) -> Mapping[str, Object]:
        """All objects of the kind of this name."""
        return self._objects.get(kind, _EMPTY)

    def kinds(self) -> Iterable[str]:
        return self._objects.keys()
