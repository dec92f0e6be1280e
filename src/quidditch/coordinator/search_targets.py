"""From an expression to the shards a search asks: names, aliases' filters and routing, preference, boosts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from quidditch.controlplane.core import blocks
from quidditch.coordinator.get import check_preference
from quidditch.coordinator.targets import partition_size
from quidditch.model import expressions, wildcard
from quidditch.model.errors import ApiError
from quidditch.model.expressions import IndicesOptions
from quidditch.model.objects import Index
from quidditch.model.state import ClusterState
from quidditch_kernel import shard_for

OPTIONS = expressions.STRICT_EXPAND_OPEN_FORBID_CLOSED
"""How a search reads names where it does not say."""


@dataclass(frozen=True, slots=True)
class SearchTarget:
    """One index with its shards to ask, and the filters of which one must match (None: no filter).

    `share`: (number, of how many) of each shard's documents, for slices smaller than a shard.
    """

    index: Index
    shards: tuple[int, ...]
    filters: tuple[dict[str, Any], ...] | None = None
    names: frozenset[str] = frozenset()
    share: tuple[int, int] | None = None


def resolve(
    state: ClusterState,
    expression: str | None,
    params: Mapping[str, str],
    now_ms: int,
    options: IndicesOptions = OPTIONS,
) -> list[SearchTarget]:
    """The targets of a search. Raises index_not_found_exception, index_closed_exception, cluster_block_exception…"""
    routing, preference = params.get("routing"), params.get("preference")
    if preference is not None:
        check_preference(preference)
    index = state.indices.get(expression) if expression is not None else None
    plain = not routing and not preference and expressions.OPTIONS.isdisjoint(params)
    if index is not None and index.open and plain:
        _check_block(state, index)
        return [SearchTarget(index, tuple(range(index.number_of_shards)))]
    options = expressions.parse_options(params, options)
    parts = expressions.split(expression)
    indices = expressions.resolve(state, parts, options, now_ms)
    names = expressions.resolve_names(state, parts, options, now_ms, keep_aliases=True)
    known = [name for name in names if state.knows(name)]
    routes = expressions.search_routing(state, known, routing)
    found = []
    for index in indices:
        _check_block(state, index)
        shards = _shards(index, routes.get(index.name), preference)
        filters = expressions.alias_filters(state, index.name, known)
        chosen = None if filters is None else tuple(dict(item) for item in filters)
        found.append(SearchTarget(index, shards, chosen, frozenset(known) - {index.name}))
    return found


def _check_block(state: ClusterState, index: Index) -> None:
    """What a closed index means, the names' options say."""
    blocked = blocks.blocked(state, index, "read", (blocks.CLOSED.setting,))
    if blocked is not None:
        raise blocked


def _shards(index: Index, routing: set[str] | None, preference: str | None) -> tuple[int, ...]:
    count = index.number_of_shards
    chosen = set(range(count))
    if routing is not None:
        chosen = set()
        size, slots = partition_size(index), index.spec.routing_num_shards
        for value in routing:
            first = shard_for("", value, slots, slots, 1)  # as many shards as slots: the slot itself
            chosen.update((first + offset) % slots // (slots // count) for offset in range(max(size, 1)))
    if preference is not None and preference.startswith("_shards:"):
        chosen &= _preferred(preference)
    return tuple(sorted(chosen))


def _preferred(preference: str) -> set[int]:
    text = preference.removeprefix("_shards:").partition("|")[0]
    if not text:
        return set()
    try:
        return {int(number) for number in text.split(",")}
    except ValueError:
        wrong = next((number for number in text.split(",") if not number.isdecimal()), text)
        raise ApiError(400, "number_format_exception", f'For input string: "{wrong}"') from None


def slice_of(target: SearchTarget, id: int, total: int) -> SearchTarget:
    """The part of an index that belongs to a slice: whole shards, and a share of each where there are more slices than shards."""
    count = len(target.shards)
    if total <= count:
        return replace(target, shards=tuple(shard for at, shard in enumerate(target.shards) if at % total == id))
    at = id % count
    shares = total // count + (1 if total % count > at else 0)
    share = None if shares == 1 else (id // count, shares)
    return replace(target, shards=(target.shards[at],), share=share)


def boost_of(state: ClusterState, boosts: Sequence[tuple[str, float]], target: SearchTarget, lenient: bool) -> float:
    """The factor that `indices_boost` gives an index: the first entry that names it. Raises for names of nothing."""
    for name, boost in boosts:
        if wildcard.is_pattern(name):
            if wildcard.matches(name, target.index.name):
                return boost
        elif name == target.index.name or _is_alias_of(state, name, target.index.name):
            return boost
        elif not state.knows(name) and not lenient:
            raise expressions.not_found(name)
    return 1.0


def _is_alias_of(state: ClusterState, name: str, index: str) -> bool:
    alias = state.aliases.get(name)
    return alias is not None and index in alias.spec.indices


def no_index_with_pit(problem: str) -> ApiError:
    return ApiError(400, "action_request_validation_exception", f"Validation Failed: 1: {problem};")
