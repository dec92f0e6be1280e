"""Multi-index expressions: which indices a request means. Pure over the cluster state, `now` is an argument.

`logs-*,-logs-old,<metrics-{now/d}>` with `expand_wildcards`, `ignore_unavailable` and `allow_no_indices` as
OpenSearch reads them,
with its errors. Aliases' filters and routing are answered here too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from quidditch.model import datemath, errors, wildcard
from quidditch.model.errors import ApiError
from quidditch.model.objects import Index
from quidditch.model.state import ClusterState

ALL = "_all"


class IndicesOptions(msgspec.Struct, frozen=True):
    """How names and wildcards are read. Each API has its defaults; `parse_options` lays the request's parameters
    over them.
    """

    ignore_unavailable: bool = False
    allow_no_indices: bool = True
    expand_open: bool = True
    expand_closed: bool = False
    expand_hidden: bool = False
    forbid_closed: bool = False
    allow_multiple: bool = True
    ignore_aliases: bool = False


STRICT_EXPAND_OPEN = IndicesOptions()
STRICT_EXPAND_OPEN_FORBID_CLOSED = IndicesOptions(forbid_closed=True)
STRICT_EXPAND = IndicesOptions(expand_closed=True)
STRICT_EXPAND_HIDDEN = IndicesOptions(expand_closed=True, expand_hidden=True)
LENIENT_EXPAND_OPEN = IndicesOptions(ignore_unavailable=True)
LENIENT_EXPAND = IndicesOptions(ignore_unavailable=True, expand_closed=True)
LENIENT_EXPAND_HIDDEN = IndicesOptions(ignore_unavailable=True, expand_closed=True, expand_hidden=True)
SINGLE = IndicesOptions(allow_no_indices=False, expand_open=False, forbid_closed=True, allow_multiple=False)


OPTIONS = frozenset(("ignore_unavailable", "allow_no_indices", "expand_wildcards"))
"""The parameters that :func:`parse_options` reads."""


def parse_options(params: Mapping[str, str], defaults: IndicesOptions) -> IndicesOptions:
    """The options of a request from its query parameters. Raises illegal_argument_exception."""
    changes: dict[str, bool] = {}
    for name in ("ignore_unavailable", "allow_no_indices"):
        if name in params:
            changes[name] = _boolean(name, params[name])
    if params.get("expand_wildcards"):
        changes.update(_expand(params["expand_wildcards"].split(",")))
    return msgspec.structs.replace(defaults, **changes) if changes else defaults


def differs(params: Mapping[str, str], defaults: IndicesOptions) -> bool:
    """Whether the parameters change how names are read."""
    return parse_options(params, defaults) != defaults


def _boolean(name: str, text: str) -> bool:
    if text in ("true", ""):
        return True
    if text == "false":
        return False
    cause = errors.illegal_argument(f"Failed to parse value [{text}] as only [true] or [false] are allowed.")
    reason = f"Could not convert [{name}] to boolean"
    raise ApiError(400, "illegal_argument_exception", reason, {"caused_by": cause.body()})


def _expand(words: Iterable[str]) -> dict[str, bool]:
    expand = {"expand_open": False, "expand_closed": False, "expand_hidden": False}
    for word in words:
        if word == "all":
            expand = dict.fromkeys(expand, True)
        elif word == "none":
            expand = dict.fromkeys(expand, False)
        elif f"expand_{word}" in expand:
            expand[f"expand_{word}"] = True
        else:
            raise errors.illegal_argument(f"No valid expand wildcard value [{word}]")
    return expand


def split(expression: str | None) -> list[str]:
    """The parts of a comma-separated path parameter."""
    return [part.strip() for part in expression.split(",")] if expression else []


# --- concrete indices -----------------------------------------------------------------------------------------------


def resolve(state: ClusterState, expressions: Sequence[str], options: IndicesOptions, now_ms: int = 0) -> list[Index]:
    """The concrete indices that the expressions mean, each once, wildcards in order of name.

    Raises index_not_found_exception, index_closed_exception, illegal_argument_exception, invalid_index_name_exception.
    """
    names = resolve_names(state, expressions, options, now_ms)
    given = list(expressions) or [ALL]
    if not names and not options.allow_no_indices:
        raise _nothing_found(given)
    found: dict[str, Index] = {}
    may_miss = options.allow_no_indices if len(names) == 1 else options.ignore_unavailable
    for name in names:
        for index in _concrete(state, name, options, may_miss):
            found[index.name] = index
    if not found and not options.allow_no_indices:
        raise _nothing_found(given)
    return list(found.values())


def resolve_names(
    state: ClusterState,
    expressions: Sequence[str],
    options: IndicesOptions,
    now_ms: int = 0,
    *,
    keep_aliases: bool = False,
) -> list[str]:
    """The names that the expressions mean after date math and wildcards. Names written out stay as written (an alias
    remains
    its name); with `keep_aliases` wildcards answer alias names too instead of their indices."""
    names = (
        [datemath.resolve(name, now_ms) for name in expressions]
        if any(map(datemath.is_expression, expressions))
        else list(expressions)
    )
    if not options.expand_open and not options.expand_closed:
        return _unexpanded(names, options)
    if is_all(names):
        return _all_names(state, options)
    return _expand_wildcards(state, names, options, keep_aliases)


def _unexpanded(names: list[str], options: IndicesOptions) -> list[str]:
    """Where nothing is expanded, patterns stand for nothing at all."""
    kept = [] if is_all(names) else [name for name in names if not wildcard.is_pattern(name)]
    patterns = [name for name in names if wildcard.is_pattern(name) or name == ALL]
    if patterns and not options.allow_no_indices:
        raise not_found(patterns[0])
    return kept


def is_all(expressions: Sequence[str]) -> bool:
    """Whether the expressions mean everything: none at all, `_all` or `*`."""
    return not expressions or (len(expressions) == 1 and expressions[0] in (ALL, "*"))


def _all_names(state: ClusterState, options: IndicesOptions) -> list[str]:
    return sorted(
        name
        for name, index in state.indices.items()
        if (options.expand_open if index.open else options.expand_closed)
        and (options.expand_hidden or not index.hidden)
    )


def _expand_wildcards(state: ClusterState, names: list[str], options: IndicesOptions, keep_aliases: bool) -> list[str]:
    found: dict[str, None] = {}
    wildcard_seen = False
    for written in names:
        name = written
        _check_name(name)
        if _exists(state, name, options):
            found[name] = None
            continue
        removes = name.startswith("-") and wildcard_seen
        if removes:
            name = name[1:]
        if not wildcard.is_pattern(name):
            if not options.ignore_unavailable:
                _require(state, name, options)
            if removes:
                found.pop(name, None)
            else:
                found[name] = None
            continue
        wildcard_seen = True
        matched = _matching(state, name, options)
        for each in _expanded(state, name, matched, options, keep_aliases):
            if removes:
                found.pop(each, None)
            else:
                found[each] = None
        if not matched and not options.allow_no_indices:
            raise not_found(name)
    if not found and not options.allow_no_indices:
        raise _nothing_found(names, "index_or_alias")
    return list(found)


def _check_name(name: str) -> None:
    if not name:
        raise not_found(name)
    if name.startswith("_") and name != ALL:
        raise invalid_index_name(name, "must not start with '_'.")


def _exists(state: ClusterState, name: str, options: IndicesOptions) -> bool:
    if name in state.aliases:
        return not options.ignore_aliases
    return name in state.indices or name in state.data_streams


def _require(state: ClusterState, name: str, options: IndicesOptions) -> None:
    if name in state.aliases and options.ignore_aliases:
        raise _aliases_not_supported(name)
    if not state.knows(name):
        raise not_found(name)


def _matching(state: ClusterState, pattern: str, options: IndicesOptions) -> Sequence[str]:
    names = wildcard.select(pattern, state.sorted_names)
    return [name for name in names if name not in state.aliases] if options.ignore_aliases else names


def _expanded(
    state: ClusterState, pattern: str, matched: Sequence[str], options: IndicesOptions, keep_aliases: bool
) -> Iterable[str]:
    for name in matched:
        dotted = pattern.startswith(".") and name.startswith(".")
        if _is_hidden(state, name) and not options.expand_hidden and not dotted:
            continue
        if keep_aliases and name in state.aliases:
            yield name
            continue
        for index_name in _members(state, name):
            index = state.indices.get(index_name)
            if index is not None and (options.expand_open if index.open else options.expand_closed):
                forbidden = options.forbid_closed and not options.ignore_unavailable
                if not index.open and forbidden and not options.expand_open:
                    reason = "To expand [CLOSE] wildcard, please set forbid_closed_indices to `false`"
                    raise errors.illegal_argument(reason)
                yield index_name


def _is_hidden(state: ClusterState, name: str) -> bool:
    index = state.indices.get(name)
    if index is not None:
        return index.hidden
    alias = state.aliases.get(name)
    return alias is not None and alias.hidden


def _members(state: ClusterState, name: str) -> Sequence[str]:
    """The indices behind a name."""
    if name in state.indices:
        return (name,)
    if name in state.aliases:
        return list(state.aliases[name].spec.indices)
    return state.data_streams[name].spec.indices if name in state.data_streams else ()


def _concrete(state: ClusterState, name: str, options: IndicesOptions, may_miss: bool) -> Iterable[Index]:
    if not state.knows(name):
        if may_miss:
            return
        raise not_found(name, "index_expression")
    if name in state.aliases and options.ignore_aliases:
        if options.ignore_unavailable:
            return
        raise _aliases_not_supported(name)
    members = _members(state, name)
    if len(members) > 1 and not options.allow_multiple:
        kind = "alias" if name in state.aliases else "data stream"
        raise errors.illegal_argument(
            f"{kind} [{name}] has more than one index associated with it [{', '.join(sorted(members))}], can't "
            f"execute a single index op"
        )
    for member in members:
        index = state.indices.get(member)
        if index is None:
            continue
        if not index.open and options.forbid_closed:
            if not options.ignore_unavailable:
                raise index_closed(index)
            continue
        yield index


# --- one index, for writing and reading -----------------------------------------------------------------------------


def write_index(state: ClusterState, name: str, now_ms: int = 0) -> Index | None:
    """The index that a write to `name` goes to; None if nothing has the name (so that it may be created).

    Raises illegal_argument_exception for an alias without a write index.
    """
    name = datemath.resolve(name, now_ms)
    index = state.indices.get(name)
    if index is not None:
        return index
    alias = state.aliases.get(name)
    if alias is not None:
        target = alias.write_index
        if target is None:
            raise errors.illegal_argument(
                f"no write index is defined for alias [{name}]. The write index may be explicitly disabled using "
                f"is_write_index=false or"
                " the alias points to multiple indices without one being designated as a write index"
            )
        return state.index(target)
    stream = state.data_streams.get(name)
    return state.index(stream.spec.indices[-1]) if stream is not None else None


def single_index(state: ClusterState, name: str, now_ms: int = 0) -> Index:
    """The one index behind `name`, for a read of one document."""
    return resolve(state, [name], SINGLE, now_ms)[0]


# --- aliases' routing and filters -----------------------------------------------------------------------------------


def index_routing(state: ClusterState, name: str, routing: str | None) -> str | None:
    """The routing of a write or get through `name`: an alias may bring its own. Raises illegal_argument_exception."""
    alias = state.aliases.get(name)
    target = alias.write_index if alias else None
    if alias is None:
        return routing
    if target is None and len(alias.spec.indices) == 1:
        target = next(iter(alias.spec.indices))
    member = alias.spec.indices.get(target) if target else None
    if member is None or member.index_routing is None:
        return routing
    if routing is not None and routing != member.index_routing:
        raise errors.illegal_argument(
            f"Alias [{name}] has index routing associated with it [{member.index_routing}], and was provided with "
            f"routing value"
            f" [{routing}], rejecting operation"
        )
    if "," in member.index_routing:
        raise errors.illegal_argument(
            f"index/alias [{name}] provided with routing value [{member.index_routing}] that resolved to several "
            f"routing values, rejecting operation"
        )
    return member.index_routing


def search_routing(state: ClusterState, names: Sequence[str], routing: str | None) -> dict[str, set[str] | None]:
    """For each concrete index behind the resolved `names` the routing values to search, None for all shards."""
    given = set(routing.split(",")) if routing else None
    found: dict[str, set[str] | None] = {}
    for name in names:
        alias = state.aliases.get(name)
        members = _members(state, name)
        for index in members:
            own = alias.spec.indices[index].search_routing if alias else None
            wanted = given
            if own is not None:
                values = set(own.split(","))
                wanted = values if given is None else values & given
                if not wanted:
                    continue
            known = found.get(index, set())
            found[index] = None if wanted is None or known is None else known | wanted
    return found


def alias_filters(state: ClusterState, index: str, names: Sequence[str]) -> list[dict[str, object]] | None:
    """The filters of which one must match when `index` is searched through the resolved `names`; None for no filter."""
    if index in names:
        return None
    filters = []
    for name in names:
        alias = state.aliases.get(name)
        member = alias.spec.indices.get(index) if alias else None
        if member is None:
            if name in state.data_streams and index in state.data_streams[name].spec.indices:
                return None
            continue
        if member.filter is None:
            return None
        filters.append(member.filter)
    return filters or None


# --- errors ---------------------------------------------------------------------------------------------------------


def not_found(name: str, resource_type: str = "index_or_alias") -> ApiError:
    reason = f"no such index [{name}]" + (" and no indices exist" if name == ALL else "")
    details = {"index": name, "resource.id": name, "resource.type": resource_type, "index_uuid": "_na_"}
    return ApiError(404, "index_not_found_exception", reason, details)


def _nothing_found(names: Sequence[str], resource_type: str = "index_expression") -> ApiError:
    """What OpenSearch answers when wildcards match nothing and `allow_no_indices` is off; it has no index to name."""
    resource = names[0] if len(names) == 1 else list(names)
    details = {"resource.type": resource_type, "resource.id": resource}
    return ApiError(404, "index_not_found_exception", "no such index [null]", details)


def invalid_index_name(name: str, problem: str) -> ApiError:
    details = {"index": name, "index_uuid": "_na_"}
    return ApiError(400, "invalid_index_name_exception", f"Invalid index name [{name}], {problem}", details)


def index_closed(index: Index) -> ApiError:
    return ApiError(400, "index_closed_exception", "closed", {"index": index.name, "index_uuid": index.uuid})


def _aliases_not_supported(name: str) -> ApiError:
    return errors.illegal_argument(
        f"The provided expression [{name}] matches an alias, specify the corresponding concrete indices instead."
    )
