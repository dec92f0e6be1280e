"""Rollover: a new index takes the place of the one that an alias writes to.

The new index says what it takes over until the alias has it: a crash between the writes is finished by `repair`.
"""

from __future__ import annotations

import re
from typing import Any

from msgspec.structs import replace

from quidditch.controlplane.core import create, template_resolution
from quidditch.controlplane.core.blocks import check_metadata_write
from quidditch.controlplane.core.commands import CreateIndex, IndexCreated, Rollover
from quidditch.controlplane.core.draft import Draft, alias_members, index_spec
from quidditch.controlplane.core.names import check_new_index_name
from quidditch.mapping import settings
from quidditch.model import datemath
from quidditch.model.errors import ApiError, illegal_argument
from quidditch.model.objects import Handover, Index
from quidditch.model.state import ClusterState

_NUMBERED = re.compile(r".*-\d+", re.ASCII | re.DOTALL)
_MOST = 2**31 - 1


def plan(
    state: ClusterState, alias: str, new_index: str | None, body: dict[str, Any], now_ms: int
) -> tuple[Index, str, str]:
    """The index that the alias writes to, the name of its successor as written (maybe date math), and as it is.

    `body` are the settings of the new index. Raises :class:`ApiError` for what cannot be rolled over.
    """
    source = _write_index(state, alias)
    check_metadata_write(state, source)
    provided = str(source.setting("index.provided_name", source.name))
    written = new_index if new_index is not None else next_name(provided, now_ms)
    name = datemath.resolve(written, now_ms)
    hidden = settings.normalize(body).get("index.hidden") == "true"
    _check_templates(state, alias, name, hidden)
    check_new_index_name(state, name)
    return source, written, name


def _write_index(state: ClusterState, target: str) -> Index:
    known = state.aliases.get(target)
    if known is None and target in state.data_streams:
        raise illegal_argument(f"rollover target [{target}] is a data stream, which is not supported")
    if known is None and target in state.indices:
        raise illegal_argument("rollover target is a [concrete index] but one of [alias,data_stream] was expected")
    if known is None:
        raise illegal_argument(f"rollover target [{target}] does not exist")
    name = known.write_index
    if name is None:
        raise illegal_argument(f"rollover target [{target}] does not point to a write index")
    return state.index(name)


def next_name(name: str, now_ms: int) -> str:
    """`logs-000002` after `logs-1`, `<logs-{now/d}-000002>` after `<logs-{now/d}-1>`. Raises where there is no number."""
    dated = datemath.is_expression(name)
    resolved = datemath.resolve(name, now_ms)
    if _NUMBERED.fullmatch(resolved) is None:
        raise illegal_argument(f"index name [{resolved}] does not match pattern '^.*-\\d+$'")
    stem, _, number = name.removesuffix(">" if dated else "").rpartition("-")
    if not number.isdecimal() or int(number) >= _MOST:
        raise ApiError(400, "number_format_exception", f'For input string: "{number}"')
    return f"{stem}-{int(number) + 1:06d}{'>' if dated else ''}"


def _check_templates(state: ClusterState, alias: str, name: str, hidden: bool) -> None:
    """An index that gets the alias from a template would have it before the old one has given it up."""
    for legacy in template_resolution.matching_legacy(state, name, hidden=hidden):
        _check_template(alias, legacy.spec.body.get("aliases") or {}, legacy.spec.name)
    composable = template_resolution.matching_composable(state, name, hidden=hidden)
    if composable is not None:
        found = template_resolution.compose(state, composable).aliases
        _check_template(alias, found, composable.spec.name)


def _check_template(alias: str, aliases: Any, template: str) -> None:
    if alias in aliases:
        raise illegal_argument(
            f"Rollover alias [{alias}] can point to multiple indices, found duplicated alias [[{', '.join(aliases)}]] in index"
            f" template [{template}]"
        )


def rollover(draft: Draft, command: Rollover) -> IndexCreated:
    made = draft.state.index_by_uuid(command.uuid) if command.uuid else None
    if made is not None:
        hand_over(draft, made)
        return IndexCreated(made.name, made.uuid, str(made.setting("index.write.wait_for_active_shards", "1")))
    source, written, _ = plan(draft.state, command.alias, command.new_index, command.settings, draft.env.now_ms)
    if command.source and source.name != command.source:
        raise ApiError(409, "exception", f"Concurrent modification of alias [{command.alias}] during rollover")
    order = CreateIndex(
        name=written,
        settings=command.settings,
        mappings=command.mappings,
        aliases={name: body for name, body in command.aliases.items() if name != command.alias},
        uuid=command.uuid,
    )
    takes_over = Handover(command.alias, source.name, command.met_conditions, draft.env.now_ms)
    created = create.create_index(draft, order, takes_over)
    hand_over(draft, draft.state.index(created.index))
    return created


def hand_over(draft: Draft, index: Index) -> None:
    """Gives the index the alias that it was made for, unless somebody has moved that meanwhile; idempotent.

    An alias with an explicit write index keeps the old index, any other is moved.
    """
    order = index.spec.takes_over
    if order is None:
        return
    known = draft.state.aliases.get(order.alias)
    if known is not None and known.write_index == order.source:
        members = dict(known.spec.indices)
        old = members.pop(order.source)
        if old.is_write_index:
            members[order.source] = replace(old, is_write_index=False)
        known = alias_members(known, {**members, index.name: old})
        draft.put(known, index.name)
    if known is not None and known.write_index == index.name:
        _note(draft, order, index.name)
    draft.put(index_spec(draft.state.index(index.name), takes_over=None))


def _note(draft: Draft, order: Handover, group: str) -> None:
    """The old index remembers."""
    source = draft.state.indices.get(order.source)
    if source is not None:
        info = {"met_conditions": order.met_conditions, "time": order.time}
        draft.put(index_spec(source, rollover={**source.spec.rollover, order.alias: info}), group)
