"""The body of `POST /_aliases`: actions `add`, `remove` and `remove_index`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quidditch.controlplane.core.commands import AddAlias, AliasAction, RemoveAlias, RemoveIndex
from quidditch.mapping.values import java_str, to_bool
from quidditch.model.errors import ApiError, illegal_argument
from quidditch.rest.request import kind_of

_TARGETS = ("index", "indices", "alias", "aliases")
_ALLOWED: Mapping[str, tuple[str, ...]] = {
    "add": (*_TARGETS, "filter", "routing", "index_routing", "search_routing", "is_write_index", "is_hidden"),
    "remove": (*_TARGETS, "must_exist"),
    "remove_index": (*_TARGETS, "must_exist"),
}


def text(value: Any) -> str | None:
    return None if value is None else java_str(value)


def _refused(reason: str, cause: ApiError | None = None) -> ApiError:
    """An error of the parser; the innermost error of the parser is the root cause."""
    details = {} if cause is None else {"caused_by": cause.body()}
    root = None
    if cause is not None and cause.type == "x_content_parse_exception":
        root = cause.root_cause or [{"type": cause.type, "reason": cause.reason}]
    return ApiError(400, "x_content_parse_exception", reason, details, root)


def parse(body: Mapping[str, Any]) -> list[AliasAction]:
    """The actions. Raises x_content_parse_exception with the chain of what was being read."""
    for key in body:
        if key != "actions":
            raise _refused(f"[1:1] [aliases] unknown field [{key}]")
    actions = body.get("actions")
    if actions is None:
        actions = []
    if not isinstance(actions, list):
        raise _refused(f"[1:1] [aliases] actions doesn't support values of type: {kind_of(actions)}")
    if not actions:
        raise illegal_argument("No action specified")
    parsed = []
    for action in actions:
        try:
            parsed.append(_action(action))
        except ApiError as error:
            raise _refused("[1:1] [aliases] failed to parse field [actions]", error) from None
    return parsed


def _action(action: Any) -> AliasAction:
    if not isinstance(action, Mapping):
        raise _refused(f"[1:1] [alias_action] Expected START_OBJECT but was: {kind_of(action)}")
    if len(action) > 1:
        raise illegal_argument("Too many operations declared on operation entry")
    if not action:
        raise illegal_argument("an alias action must be one of [add], [remove], [remove_index]")
    (name, body), *_ = action.items()
    if name not in _ALLOWED:
        raise _refused(f"[1:1] [alias_action] unknown field [{name}]")
    if not isinstance(body, Mapping):
        raise _refused(f"[1:1] [alias_action] {name} doesn't support values of type: {kind_of(body)}")
    try:
        indices, aliases = _targets(name, body)
    except ApiError as error:
        raise _refused(f"[1:1] [alias_action] failed to parse field [{name}]", error) from None
    if not indices:
        raise illegal_argument("One of [index] or [indices] is required")
    if name == "remove_index":
        return RemoveIndex(indices=indices)
    if not aliases:
        raise illegal_argument("One of [alias] or [aliases] is required")
    return add(indices, aliases, body) if name == "add" else _remove(indices, aliases, body)


def _targets(name: str, body: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    for key in body:
        if key not in _ALLOWED[name]:
            raise _refused(f"[1:1] [{name}] unknown field [{key}]")
        if name == "remove_index" and key in ("alias", "aliases"):
            problem = illegal_argument(f"[{key}] is unsupported for [REMOVE_INDEX]")
            raise _refused(f"[1:1] [{name}] failed to parse field [{key}]", problem)
    return _names(name, body, "index", "indices"), _names(name, body, "alias", "aliases")


def _names(action: str, body: Mapping[str, Any], one: str, many: str) -> tuple[str, ...]:
    if one in body and many in body:
        problem = illegal_argument(f"Only one of [{one}] and [{many}] is supported")
        raise _refused(f"[1:1] [{action}] failed to parse field [{many}]", problem)
    if one in body:
        name = text(body[one])
        if not name:
            problem = illegal_argument(f"[{one}] can't be empty string")
            raise _refused(f"[1:1] [{action}] failed to parse field [{one}]", problem)
        return (name,)
    if many not in body:
        return ()
    values = body[many] if isinstance(body[many], list) else [body[many]]
    names = tuple(java_str(value) for value in values)
    if not names or not all(names):
        what = "[" + many + "] can't be empty" if not names else f"{many} can't contain empty string"
        raise _refused(f"[1:1] [{action}] failed to parse field [{many}]", illegal_argument(what))
    return names


def add(indices: tuple[str, ...], aliases: tuple[str, ...], body: Mapping[str, Any]) -> AddAlias:
    """An `add` from the members of its body."""
    query = body.get("filter")
    if query is not None and not isinstance(query, Mapping):
        raise illegal_argument(f"failed to parse filter for alias [{aliases[0]}]")
    flags = {key: to_bool(body[key]) for key in ("is_write_index", "is_hidden") if body.get(key) is not None}
    return AddAlias(
        indices=indices,
        aliases=aliases,
        filter=dict(query) if query else None,
        routing=text(body.get("routing")),
        index_routing=text(body.get("index_routing")),
        search_routing=text(body.get("search_routing")),
        is_write_index=flags.get("is_write_index"),
        is_hidden=flags.get("is_hidden"),
    )


def _remove(indices: tuple[str, ...], aliases: tuple[str, ...], body: Mapping[str, Any]) -> RemoveAlias:
    must = body.get("must_exist")
    return RemoveAlias(indices=indices, aliases=aliases, must_exist=None if must is None else to_bool(must))
