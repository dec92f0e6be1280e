"""Aliases: add, remove, remove_index; one object per alias, so that a swap is one write."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from quidditch.controlplane.core.commands import (
    Acknowledged,
    AddAlias,
    RemoveAlias,
    RemoveIndex,
    UpdateAliases,
)
from quidditch.controlplane.core.draft import FINALIZER, Draft, alias_members, index_spec
from quidditch.controlplane.core.names import check_alias_name
from quidditch.model import expressions, wildcard
from quidditch.model.errors import ApiError, illegal_argument
from quidditch.model.objects import Alias, AliasMember, AliasSpec, Index, Succession, metadata_for
from quidditch.model.state import ClusterState


class NewAlias(msgspec.Struct, frozen=True):
    """An alias to add: its name and what it says of each index."""

    name: str
    member: AliasMember


_MEMBERS = ("filter", "routing", "index_routing", "search_routing", "is_write_index", "is_hidden")


def parse_alias_bodies(body: Mapping[str, Any]) -> list[NewAlias]:
    """The `aliases` of a create request or a template. Raises for names and members that cannot be."""
    return [_parse_alias(name, value) for name, value in body.items()]


def _parse_alias(name: str, body: Any) -> NewAlias:
    if body is None:
        body = {}
    if not isinstance(body, Mapping):
        raise illegal_argument(f"failed to parse alias [{name}]: an object is expected")
    for key, value in body.items():
        if key not in _MEMBERS:
            raise illegal_argument(f"Unknown field [{key}] in alias [{name}]")
        if key == "filter" and value is not None and not isinstance(value, Mapping):
            raise illegal_argument(f"failed to parse filter for alias [{name}]")
        if key.startswith("is_") and value not in (True, False, "true", "false", None):
            raise illegal_argument(f"Failed to parse value [{value}] of [{key}] in alias [{name}]")
    check_alias_name(name)
    return NewAlias(name, member_of(body))


def member_of(body: Mapping[str, Any]) -> AliasMember:
    """A member from the API's names: `routing` stands for both routings that are not given."""
    routing = body.get("routing")
    return AliasMember(
        filter=body.get("filter") or None,
        index_routing=_text(body.get("index_routing", routing)),
        search_routing=_text(body.get("search_routing", routing)),
        is_write_index=_flag(body.get("is_write_index")),
        is_hidden=_flag(body.get("is_hidden")),
    )


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _flag(value: Any) -> bool | None:
    return None if value is None else value in (True, "true")


def add_members(draft: Draft, new: NewAlias, indices: Iterable[Index], group: str | None = None) -> None:
    """Lays the alias over the indices; checks write index and hiddenness over all of them. Raises."""
    known = draft.state.aliases.get(new.name)
    members = dict(known.spec.indices) if known else {}
    for index in indices:
        if new.member.filter is not None:
            draft.env.checks.alias_filter(new.name, new.member.filter, index)
        members[index.name] = new.member
    _check_write_index(new.name, members)
    _check_hidden(new.name, members)
    if known is None:
        alias = Alias(metadata=metadata_for(new.name), spec=AliasSpec(name=new.name, indices=members))
        draft.put(alias, group)
    else:
        draft.put(alias_members(known, members), group)


def _check_write_index(name: str, members: Mapping[str, AliasMember]) -> None:
    writers = sorted(index for index, member in members.items() if member.is_write_index)
    if len(writers) > 1:
        raise ApiError(
            500, "illegal_state_exception", f"alias [{name}] has more than one write index [{','.join(writers)}]"
        )


def _check_hidden(name: str, members: Mapping[str, AliasMember]) -> None:
    hidden = sorted(index for index, member in members.items() if member.is_hidden)
    shown = sorted(index for index, member in members.items() if not member.is_hidden)
    if hidden and shown:
        raise ApiError(
            500,
            "illegal_state_exception",
            f"alias [{name}] has is_hidden set to true on indices [{','.join(hidden)}] but does not have is_hidden set to true on"
            f" indices [{','.join(shown)}]; alias must have the same is_hidden setting on all indices",
        )


# --- the command ----------------------------------------------------------------------------------------------------


def update_aliases(draft: Draft, command: UpdateAliases) -> Acknowledged:
    """All actions in order. Where indices are removed, the first of them is told the whole in one write, so that whoever finds it
    can finish what was begun.
    """
    gone: dict[str, Index] = {}
    for action in command.actions:
        if isinstance(action, RemoveIndex):
            for index in _resolve(draft.state, action.indices, action.options, draft.env.now_ms):
                gone[index.name] = index
    if not gone:
        return _change(draft, command)
    before, trial = draft.state, Draft(draft.state, draft.env)
    for index in gone.values():
        delete_index(trial, index)
    done = _change(trial, command)
    first, *others = gone.values()
    changed = {
        name for name in {*before.aliases, *trial.state.aliases} if _spec(before, name) != _spec(trial.state, name)
    }
    succession = Succession(
        aliases={name: _spec(trial.state, name) for name in sorted(changed)},
        indices={index.name: index.uuid for index in others},
    )
    draft.put(index_spec(first, makes_way=succession))
    delete_index(draft, draft.state.index(first.name))
    return done


def _spec(state: ClusterState, name: str) -> AliasSpec | None:
    alias = state.aliases.get(name)
    return alias.spec if alias is not None else None


def _change(draft: Draft, command: UpdateAliases) -> Acknowledged:
    before = draft.state
    removed = False
    missing: list[str] = []
    for action in command.actions:
        if isinstance(action, AddAlias):
            _add(draft, action)
        elif isinstance(action, RemoveAlias):
            absent = _remove(draft, action)
            missing.extend(absent)
            removed |= not absent
    if missing and not removed and all(isinstance(a, RemoveAlias) and a.must_exist is None for a in command.actions):
        raise aliases_missing(missing)
    return Acknowledged(tuple(_touched(before, draft.state)))


def delete_index(draft: Draft, index: Index, group: str | None = None) -> None:
    """Marks the index for deletion, and what `repair` would do then: its routing and alias entries, then the index itself."""
    draft.remove(index, group)
    finish_deletion(draft, index, group)


def finish_deletion(draft: Draft, index: Index, group: str | None = None) -> None:
    """Routing and alias entries of a marked index, then its finalizer: the store lets it go with the last one."""
    group = group or index.name
    if index.spec.makes_way is not None and FINALIZER in index.metadata.finalizers:  # once, while it is still ours
        _succeed(draft, index.spec.makes_way, group)
    for alias in list(draft.state.aliases_of(index.name)):
        drop_members(draft, alias, [index.name], group)
    routing = draft.state.routing.get(index.name)
    if routing is not None and routing.spec.uuid == index.uuid:
        draft.remove(routing, group)
    draft.release(index, group)


def _succeed(draft: Draft, succession: Succession, group: str) -> None:
    """What was decided with the removal of an index: the other removals, and the aliases."""
    for name, uuid in succession.indices.items():
        other = draft.state.indices.get(name)
        if other is not None and other.uuid == uuid:
            delete_index(draft, other, group)
    for name, spec in succession.aliases.items():
        known = draft.state.aliases.get(name)
        if spec is not None:
            draft.put(Alias(metadata=known.metadata if known else metadata_for(name), spec=spec), group)
        elif known is not None:
            draft.remove(known, group)


def _resolve(
    state: ClusterState, names: Sequence[str], options: expressions.IndicesOptions, now_ms: int
) -> list[Index]:
    return expressions.resolve(state, names, options, now_ms)


def _add(draft: Draft, action: AddAlias) -> None:
    indices = _resolve(draft.state, action.indices, action.options, draft.env.now_ms)
    for name in action.aliases:
        check_alias_name(name)
        conflict = draft.state.indices.get(name)
        if conflict is not None:
            raise ApiError(
                400,
                "invalid_alias_name_exception",
                f"Invalid alias name [{name}], an index exists with the same name as the alias",
                {"index": name, "index_uuid": conflict.uuid},
            )
        member = AliasMember(
            filter=action.filter or None,
            index_routing=action.index_routing if action.index_routing is not None else action.routing,
            search_routing=action.search_routing if action.search_routing is not None else action.routing,
            is_write_index=action.is_write_index,
            is_hidden=action.is_hidden,
        )
        if member.index_routing is not None and "," in member.index_routing:
            raise illegal_argument(f"alias [{name}] has several index routing values associated with it")
        add_members(draft, NewAlias(name, member), indices)


def _remove(draft: Draft, action: RemoveAlias) -> list[str]:
    """Takes the matching aliases from the indices; answers the names that matched nothing, if nothing at all matched."""
    indices = {index.name for index in _resolve(draft.state, action.indices, action.options, draft.env.now_ms)}
    missing: list[str] = []
    found = False
    for written in action.aliases:
        pattern = "*" if written == "_all" else written
        names = [
            name
            for name, alias in draft.state.aliases.items()
            if wildcard.matches(pattern, name) and not indices.isdisjoint(alias.spec.indices)
        ]
        if not names:
            if action.must_exist:
                raise aliases_missing([written])
            missing.append(written)
        for name in names:
            found = True
            drop_members(draft, draft.state.aliases[name], indices)
    return [] if found or action.must_exist is False else missing


def drop_members(draft: Draft, alias: Alias, indices: Iterable[str], group: str | None = None) -> None:
    """The alias without these indices; without any index it is gone."""
    gone = set(indices)
    members = {index: member for index, member in alias.spec.indices.items() if index not in gone}
    if members:
        draft.put(alias_members(alias, members), group)
    else:
        draft.remove(alias, group)


def _touched(before: ClusterState, after: ClusterState) -> list[str]:
    """The indices whose aliases differ."""
    touched: set[str] = set()
    for name in {*before.aliases, *after.aliases}:
        old, new = before.aliases.get(name), after.aliases.get(name)
        was = old.spec.indices if old else {}
        now = new.spec.indices if new else {}
        touched.update(index for index in {*was, *now} if was.get(index) != now.get(index))
    return sorted(name for name in touched if name in after.indices)


def aliases_missing(names: Sequence[str]) -> ApiError:
    resource: Any = names[0] if len(names) == 1 else list(names)
    return ApiError(
        404,
        "aliases_not_found_exception",
        f"aliases [{', '.join(names)}] missing",
        {"resource.id": resource, "resource.type": "aliases"},
    )
