"""The state while a decision is made: what was, what has been decided so far, and in which order it must be written.

Operations on one *group* (an index and what belongs to it) are written in the order given, so that a crash after any
of them leaves
something that `repair` completes or clears away. Operations of different groups may be written side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, Protocol

import msgspec

from quidditch.controlplane.core.allocation.info import UNKNOWN, ClusterInfo
from quidditch.controlplane.core.allocation.memory import Memory
from quidditch.controlplane.core.commands import Acknowledged, Result
from quidditch.mapping import RootMapping
from quidditch.model.objects import Alias, Index, Object, Routing
from quidditch.model.state import Change, ClusterState, Deleted

FINALIZER = "quidditch.io/index"
"""Holds an index object until its routing and alias entries are gone."""


class Ids(Protocol):
    """Chance, as an argument."""

    def uuid(self) -> str:
        """A new random id of 22 URL-safe characters."""


def _accept(*_: Any) -> None:
    """A check that needs what is not there."""


class Checks(msgspec.Struct, frozen=True):
    """What only other parts of the program can check; each raises :class:`ApiError`.

    `analysis(flat settings)`; `alias_filter(alias, filter, index)`; `parse_context(flat settings)` says what a
    mapping may refer to.
    """

    analysis: Callable[[Mapping[str, Any]], None] = _accept
    alias_filter: Callable[[str, Mapping[str, Any], Index], None] = _accept
    date_format: Callable[[str], None] | None = None


class ParsedMappings:
    """Mappings parsed before, so that a change of a big one costs no second parsing. By identity: an entry can be missing, never wrong."""

    def __init__(self, capacity: int = 64) -> None:
        self._capacity = capacity
        self._known: dict[str, tuple[Mapping[str, Any], Mapping[str, Any], RootMapping]] = {}

    def get(self, index: Index) -> RootMapping | None:
        """The parsed mapping of exactly these mappings and settings."""
        known = self._known.get(index.uuid)
        if known is None or known[0] is not index.spec.mappings or known[1] is not index.spec.settings:
            return None
        return known[2]

    def put(self, index: Index, parsed: RootMapping) -> None:
        self._known.pop(index.uuid, None)
        if len(self._known) >= self._capacity:
            del self._known[next(iter(self._known))]
        self._known[index.uuid] = (index.spec.mappings, index.spec.settings, parsed)


class Env(msgspec.Struct, frozen=True):
    """Everything a decision takes besides state and command. `config` are the node's own settings, flat
    (`action.auto_create_index`); `info` is what nodes measured; `copies` says whether nodes can copy shards from each
    other: where they cannot, replicas stay unassigned and nothing moves.
    """

    now_ms: int
    ids: Ids
    checks: Checks = Checks()
    config: Mapping[str, Any] = {}
    parsed: ParsedMappings = msgspec.field(default_factory=ParsedMappings)
    info: ClusterInfo = UNKNOWN
    copies: bool = False
    memory: Memory = msgspec.field(default_factory=Memory)


class Op(msgspec.Struct, frozen=True):
    """One write; the versions to compare are the writer's to know.

    `put`: the object as it shall be. `remove`: its deletion, which an object with finalizers outlives, marked.
    `release`: takes our finalizer
    from the marked object.
    """

    action: Literal["put", "remove", "release"]
    change: Change
    name: str
    group: str

    @property
    def target(self) -> tuple[str, str]:
        return self.change.kind, self.change.key


class Decision(msgspec.Struct, frozen=True):
    """The state as decided, the writes that lead to it, and what to answer."""

    state: ClusterState
    ops: tuple[Op, ...]
    result: Result = Acknowledged()


class Draft:
    """Collects one decision. `state` always shows what has been decided so far."""

    def __init__(self, state: ClusterState, env: Env) -> None:
        self.state = state
        self.env = env
        self._ops: list[Op] = []
        self._last: dict[str, int] = {}
        """Group → position of its last operation; object → position of its last operation."""
        self._last_of: dict[tuple[str, str], int] = {}

    def put_all(self, objects: Iterable[Object]) -> None:
        """Many writes at once, each in its own group."""
        changed = [obj for obj in objects if self.state.objects(obj.kind).get(obj.key) != obj]
        if not changed:
            return
        self.state = self.state.apply(changed, self.state.version)
        for obj in changed:
            self._note(Op("put", obj, obj.metadata.name, _group(obj, None)))

    def put(self, obj: Object, group: str | None = None) -> None:
        """Writes the object, new or changed; nothing if it is as it was."""
        if self.state.objects(obj.kind).get(obj.key) != obj:
            self._add(Op("put", obj, obj.metadata.name, _group(obj, group)))

    def remove(self, obj: Object, group: str | None = None) -> None:
        self._add(Op("remove", Deleted(obj.kind, obj.key), obj.metadata.name, _group(obj, group)))

    def release(self, obj: Object, group: str | None = None) -> None:
        """Lets a marked object go."""
        self._add(Op("release", Deleted(obj.kind, obj.key), obj.metadata.name, _group(obj, group)))

    def _add(self, op: Op) -> None:
        self.state = self.state.apply([op.change], self.state.version)
        self._note(op)

    def _note(self, op: Op) -> None:
        """An object written again right away, nothing of its group in between, is written once."""
        position = self._last_of.get(op.target)
        if op.action == "put" and position is not None and position == self._last.get(op.group):
            known = self._ops[position]
            if known.action == "put" and known.group == op.group:
                self._ops[position] = op
                return
        self._last[op.group] = self._last_of[op.target] = len(self._ops)
        self._ops.append(op)

    def decision(self, result: Result | None = None) -> Decision:
        return Decision(self.state, tuple(self._ops), result if result is not None else Acknowledged())


def _group(obj: Object, given: str | None) -> str:
    if given is not None:
        return given
    return obj.key if isinstance(obj, Index | Routing) else f"{obj.kind}/{obj.key}"


def alias_members(alias: Alias, members: Mapping[str, Any]) -> Alias:
    """The alias with other members."""
    return msgspec.structs.replace(alias, spec=msgspec.structs.replace(alias.spec, indices=dict(members)))


def index_spec(index: Index, **changes: Any) -> Index:
    """The index with changed members of its spec, its version raised."""
    spec = msgspec.structs.replace(index.spec, version=index.spec.version + 1, **changes)
    return msgspec.structs.replace(index, spec=spec)
