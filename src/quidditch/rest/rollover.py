"""`POST /{alias}/_rollover`: a new index for an alias whose index is old, full or large enough."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from quidditch.controlplane.core.blocks import blocked
from quidditch.controlplane.core.commands import IndexCreated, Rollover
from quidditch.controlplane.core.rollover import plan
from quidditch.controlplane.core.wait import parse_wait
from quidditch.lib.units import format_bytes, parse_bytes
from quidditch.model.errors import ApiError, illegal_argument
from quidditch.model.objects import Index
from quidditch.query.errors import Malformed, did_you_mean, failed_field, x_content
from quidditch.query.positions import locate
from quidditch.rest import human, params, shard_stats
from quidditch.rest import index_params as common
from quidditch.rest.indices_admin import untyped
from quidditch.rest.node import Node
from quidditch.rest.request import Request, kind_of
from quidditch.rest.response import Response
from quidditch.rest.route import Route

_MEMBERS = ("settings", "mappings", "aliases", "conditions")
_LONGS = range(-(2**63), 2**63)


class Measures(Struct, frozen=True):
    """What an index has reached: its age in milliseconds, documents and bytes of the segments of its primaries."""

    age_ms: int
    docs: int
    size: int


class Condition(Struct, frozen=True):
    """`given` is what the old index remembers, `shown` how the answer writes it, `met` whether an index has reached it."""

    name: str
    given: str | int
    shown: str
    met: Callable[[Measures], bool]


class Order(Struct, frozen=True):
    """The body of the request."""

    conditions: list[Condition] = []
    settings: dict[str, Any] = {}
    mappings: dict[str, Any] = {}
    aliases: dict[str, Any] = {}


async def rollover(request: Request, node: Node) -> Response:
    timeout = common.manager_timeout(request)
    wait = common.active_shards(request)
    order = _parse(request)
    alias, new_index = request.path_params["alias"], request.path_params.get("new_index")
    source, _, name = plan(node.control.state, alias, new_index, order.settings, node.clock.now_ms())
    found = await _evaluate(node, source, order.conditions)
    dry_run = request.flag("dry_run")
    answer: dict[str, Any] = {
        "acknowledged": False,
        "shards_acknowledged": False,
        "old_index": source.name,
        "new_index": name,
        "rolled_over": False,
        "dry_run": dry_run,
        "conditions": {f"[{condition.name}: {condition.shown}]": met for condition, met in found},
    }
    if dry_run or (found and not any(met for _, met in found)):
        return Response.json(answer)
    command = Rollover(
        alias=alias,
        source=source.name,
        new_index=new_index,
        settings=order.settings,
        mappings=order.mappings,
        aliases=order.aliases,
        met_conditions={condition.name: condition.given for condition, met in found if met},
    )
    created = await node.control.submit(command, timeout)
    answer |= {"acknowledged": True, "rolled_over": True, "new_index": created.index}
    answer["shards_acknowledged"] = await _ready(request, node, created, wait)
    return Response.json(answer)


async def _ready(request: Request, node: Node, created: IndexCreated, wait: str | None) -> bool:
    """Whether enough copies are active; more than there are never will be."""
    count = None if wait is None else parse_wait(wait)
    index = node.control.state.indices.get(created.index)
    if count is not None and index is not None and count > 1 + index.number_of_replicas:
        return False
    return await common.wait_active(request, node, [created.index], wait or created.wait_for_active_shards)


# --- conditions -----------------------------------------------------------------------------------------------------


async def _evaluate(node: Node, source: Index, conditions: list[Condition]) -> list[tuple[Condition, bool]]:
    """Each condition with whether it is met."""
    if not conditions:
        return []
    refused = blocked(node.control.state, source, "metadata_read")
    if refused is not None:
        raise refused
    stats = shard_stats.primaries(await shard_stats.collect(node, [source]))
    docs = stats["docs"]
    # An index without documents has no segments; what its folder takes (translog, metadata) does not count.
    size = stats["store"]["size_in_bytes"] if docs["count"] or docs["deleted"] else 0
    age = node.clock.now_ms() - int(source.setting("index.creation_date", "0"))
    reached = Measures(age, docs["count"], size)
    return [(condition, condition.met(reached)) for condition in conditions]


def _age(value: Any) -> Condition:
    text = _text("max_age", value)
    wanted = params.to_millis(text, "max_age")
    return Condition("max_age", text.strip(), human.duration(wanted), lambda reached: reached.age_ms >= wanted)


def _docs(value: Any) -> Condition:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _unfit("max_docs", value)
    try:
        wanted = int(value)
        if wanted not in _LONGS:
            raise ValueError
    except (ValueError, OverflowError):
        raise illegal_argument(f'For input string: "{value}"') from None
    return Condition("max_docs", wanted, str(wanted), lambda reached: reached.docs >= wanted)


def _size(value: Any) -> Condition:
    text = _text("max_size", value)
    try:
        wanted = parse_bytes(text)
    except ValueError:
        raise ApiError(
            400,
            "parse_exception",
            f"failed to parse setting [max_size] with value [{text}] as a size in bytes: unit is missing or unrecognized",
        ) from None
    return Condition("max_size", text.strip(), format_bytes(wanted), lambda reached: reached.size >= wanted)


_CONDITIONS: dict[str, Callable[[Any], Condition]] = {"max_age": _age, "max_docs": _docs, "max_size": _size}


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise _unfit(name, value)
    return value


class _Unfit(Exception):
    """A value of a kind that its field does not take."""


def _unfit(name: str, value: Any) -> _Unfit:
    return _Unfit(f"{name} doesn't support values of type: {kind_of(value)}")


# --- the body -------------------------------------------------------------------------------------------------------


def _parse(request: Request) -> Order:
    """The body. Raises x_content_parse_exception with the chain of what was being read."""
    body = request.json_or_none()
    if body is None:
        return Order()
    try:
        return _order(body)
    except Malformed as fault:
        locate(fault, request.content(), body)
        raise


def _order(body: Any) -> Order:
    if not isinstance(body, dict):
        raise x_content(f"[rollover] Expected START_OBJECT but was: {kind_of(body)}", body, None, "start")
    for key, value in body.items():
        if key not in _MEMBERS:
            raise x_content(f"[rollover] unknown field [{key}]{did_you_mean(key, _MEMBERS)}", body, key)
        if not isinstance(value, dict):
            reason = f"[rollover] {key} doesn't support values of type: {kind_of(value)}"
            raise x_content(reason, body, key, "value")
    try:
        untyped(body.get("mappings", {}))
    except ApiError as error:
        raise failed_field("rollover", "mappings", error, body) from None
    try:
        conditions = [_condition(name, value, body["conditions"]) for name, value in body.get("conditions", {}).items()]
    except Malformed as fault:
        raise failed_field("rollover", "conditions", fault, body) from None
    return Order(conditions, body.get("settings", {}), body.get("mappings", {}), body.get("aliases", {}))


def _condition(name: str, value: Any, given: dict[str, Any]) -> Condition:
    parse = _CONDITIONS.get(name)
    if parse is None:
        raise x_content(f"[conditions] unknown field [{name}]{did_you_mean(name, _CONDITIONS)}", given, name)
    try:
        return parse(value)
    except _Unfit as unfit:
        raise x_content(f"[conditions] {unfit}", given, name, "value") from None
    except ApiError as error:
        raise failed_field("conditions", name, error, given) from None


_PARAMS = (*common.CHANGE, "dry_run", "wait_for_active_shards")
ROUTES = [
    Route("POST", "/{alias}/_rollover", rollover, _PARAMS),
    Route("POST", "/{alias}/_rollover/{new_index}", rollover, _PARAMS),
]
