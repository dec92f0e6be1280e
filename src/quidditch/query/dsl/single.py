"""The common shape ``{"<field>": value | {…options…}}`` of queries on one field."""

from __future__ import annotations

from typing import Any

from quidditch.query import ops
from quidditch.query.compiler import unsupported
from quidditch.query.context import QueryContext
from quidditch.query.errors import Malformed, argument
from quidditch.query.ops import Op
from quidditch.query.values import is_value, read_float, read_text, token_name


def one_field(
    name: str, body: dict[str, Any], value_keys: tuple[str, ...], allowed: frozenset[str]
) -> tuple[str, Any, dict[str, Any]]:
    """(field, value, options): refuses several fields, unknown options and options that are no scalars."""
    found: str | None = None
    value: Any = None
    options: dict[str, Any] = {}
    for field, spec in body.items():
        if found is not None:
            reason = f"[{name}] query doesn't support multiple fields, found [{found}] and [{field}]"
            raise Malformed(reason, body, field)
        found = field
        if isinstance(spec, dict):
            value, options = _options(name, spec, value_keys, allowed)
        elif isinstance(spec, list):
            if name == "term":
                raise Malformed("[term] query does not support array of values", body, field)
            raise Malformed(f"Can't get text on a {token_name(spec)}", body, field, type="illegal_argument_exception")
        else:
            value = spec
    return found or "", value, options


def _options(
    name: str, spec: dict[str, Any], value_keys: tuple[str, ...], allowed: frozenset[str]
) -> tuple[Any, dict[str, Any]]:
    value: Any = None
    for key, item in spec.items():
        if key in value_keys:
            if not is_value(item):
                raise Malformed(f"[{name}] unknown token [{token_name(item)}] after [{key}]", spec, key)
            value = item
        elif key not in allowed:
            raise unsupported(name, spec, key)
        elif not is_value(item):
            raise Malformed(f"[{name}] unknown token [{token_name(item)}] after [{key}]", spec, key)
    return value, spec


def required(field: str, value: Any) -> None:
    """Field and value of term-level queries."""
    if not field:
        raise argument("field name is null or empty")
    if value is None:
        raise argument("value cannot be null")


def boost_of(options: dict[str, Any], name: str = "") -> float:
    """The boost; negative ones are refused."""
    if "boost" not in options:
        return 1.0
    boost = read_float(options["boost"], options, "boost")
    if boost < 0:
        reason = f"negative [boost] are not allowed in [{name}], use a value between 0 and 1 to deboost"
        raise argument(reason)
    return boost


def dressed(op: Op, options: dict[str, Any], ctx: QueryContext, name: str = "") -> Op:
    """Applies `boost` and `_name`."""
    if "boost" not in options and "_name" not in options:
        return op
    label = None
    if options.get("_name") is not None:
        label = read_text(options["_name"], options, "_name")
        ctx.named = True
    return ops.dress(op, boost_of(options, name), label)
