"""The state while a decision is made: what was, what has been decided so far, and in which order it must be written.

Operations on one *group* (an index and what belongs to it) are written in the order given, so that a crash after any
of them leaves
something that `repair` completes or clears away. Operations of different groups may be written side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from quidditch.controlplane.core.commands import Acknowledged, Result
from quidditch.mapping import UNCHECKED, ParseContext
from quidditch.model.objects import Alias, Index, Object, Routing
from quidditch.model.state import Change, ClusterState, Deleted


class Ids(Protocol):
    """Chance, as an argument."""

    def uuid(self) -> str:
        """A new random id of 22 URL-safe characters."""


def _accept(*_: Any) -> None:
    """A check that needs what is not there."""


def _unchecked(_: Mapping[str, Any]) -> ParseContext:
    return UNCHECKED


class Checks(msgspec.Struct, frozen=True):
    """What only other parts of the program can check; each raises :class:`ApiError`.

    `analysis(flat settings)`; `alias_filter(alias, filter, index)`; `parse_context(flat settings)` says what a
    mapping may refer to.
    """

    analysis: Callable[[Mapping[str, Any]], None] = _accept
    alias_filter: Callable[[str, Mapping[str, Any], Index], None] = _accept
    parse_context: Callable[[Mapping[str, Any]], ParseContext] = _unchecked


class Env(msgspec.Struct, frozen=True):
    """Everything a decision takes besides state and command. `config` are the node's own settings, flat
    (`action.auto_create_index`).
    """

    now_ms: int
    ids: Ids
    checks: Checks = Checks()
    config: Mapping[str, Any] = {}


class Op(msgspec.Struct, frozen=True):
    """One write: the object as it shall be, or its removal. The versions to compare are the writer's to know."""

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

    def put(self, obj: Object, group: str | None = None) -> None:
        """Writes the object, new or changed; nothing if it is as it was."""
        if self.state.objects(obj.kind).get(obj.key) == obj:
            return
        self._add(Op(obj, obj.metadata.name, group if group is not None else _group(obj)))

    def remove(self, obj: Object, group: str | None = None) -> None:
        self._add(Op(Deleted(obj.kind, obj.key), obj.metadata.name, group if group is not None else _group(obj)))

    def _add(self, op: Op) -> None:
        self.state = self.state.apply([op.change], self.state.version)
        for position in range(len(self._ops) - 1, -1, -1):
            known = self._ops[position]
            if known.target == op.target and known.group == op.group and not isinstance(op.change, Deleted | Index):
                self._ops[position] = op
                return
            if known.group == op.group:
                break
        self._ops.append(op)

    def decision(self, result: Result | None = None) -> Decision:
        return Decision(self.state, tuple(self._ops), result if result is not None else Acknowledged())


def _group(obj: Object) -> str:
    return obj.key if isinstance(obj, Index | Routing) else f"{obj.kind}/{obj.key}"


def alias_members(alias: Alias, members: Mapping[str, Any]) -> Alias:
    """The alias with other members."""
    return msgspec.structs.replace(alias, spec=msgspec.structs.replace(alias.spec, indices=dict(members)))


def index_spec(index: Index, **changes: Any) -> Index:
    """The index with changed members of its spec, its version raised."""
    spec = msgspec.structs.replace(index.spec, version=index.spec.version + 1, **changes)
    return msgspec.structs.replace(index, spec=spec)
