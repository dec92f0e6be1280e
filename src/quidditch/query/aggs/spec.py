"""Reading the parameters of one aggregation: names, types, defaults and OpenSearch's complaints about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from quidditch.model.errors import ApiError
from quidditch.query.context import Field, QueryContext
from quidditch.query.errors import Malformed, argument, did_you_mean, failed_field, shard_argument, x_content
from quidditch.query.fetch import no_doc_values
from quidditch.query.fields import DATES, FLOATS, INTEGERS, boolean_of, date_format, float_of, integer_of, ip_of
from quidditch.query.values import read_bool, read_float, read_int, read_long, read_text, text_of, token_name

Reader = Callable[[Any], Any]
"""Turns a JSON value into a parameter's; raises `ApiError`."""

_META = {"_id", "_index", "_seq_no", "_version", "_primary_term", "_routing"}


@dataclass(frozen=True, slots=True)
class AggSpec:
    """One aggregation as written."""

    name: str
    kind: str
    body: dict[str, Any]

    def read(self, readers: Mapping[str, Reader]) -> dict[str, Any]:
        """The parameters present, each through its reader; unknown ones are refused."""
        found: dict[str, Any] = {}
        for key, value in self.body.items():
            reader = readers.get(key)
            if reader is None:
                raise x_content(f"[{self.kind}] unknown field [{key}]{did_you_mean(key, readers)}", self.body, key)
            if value is None:
                if key in ("percents", "field"):
                    reason = f"[{self.kind}] {key} doesn't support values of type: VALUE_NULL"
                    raise x_content(reason, self.body, key, "value")
                continue
            if reader is text and not isinstance(value, str):
                raise x_content(
                    f"[{self.kind}] {key} doesn't support values of type: {token_name(value)}", self.body, key, "value"
                )
            try:
                found[key] = reader(value)
            except Misfit:
                reason = f"[{self.kind}] {key} doesn't support values of type: {token_name(value)}"
                raise x_content(reason, self.body, key, "value") from None
            except ApiError as error:
                raise self.failed(key, error) from None
        return found

    def failed(self, key: str, error: ApiError) -> Malformed:
        """`[kind] failed to parse field [key]` with its cause."""
        return failed_field(self.kind, key, error, self.body)


class Misfit(Exception):
    """The value is of a kind that the parameter does not take."""


def integer(value: Any) -> int:
    return read_int(value)


def long(value: Any) -> int:
    return read_long(value)


def double(value: Any) -> float:
    return read_float(value)


def flag(value: Any) -> bool:
    return read_bool(value)


def text(value: Any) -> str:
    return read_text(value)


def json(value: Any) -> Any:
    return value


def no_script(_value: Any) -> Any:
    raise argument("scripts are not supported")


def time_zone(value: Any) -> Any:
    """A zone id, an offset, or hours as a number."""
    if isinstance(value, int) and not isinstance(value, bool):
        sign = "-" if value < 0 else "+"
        return f"{sign}{abs(value):02d}:00"
    return read_text(value)


def doubles(value: Any) -> list[float]:
    items = value if isinstance(value, list) else [value]
    return [read_float(item) for item in items]


VALUES: dict[str, Reader] = {
    "field": text,
    "missing": json,
    "format": text,
    "script": no_script,
    "value_type": text,
}
"""The parameters of everything that takes its values from a field."""

MetricKinds = frozenset({"avg", "sum", "min", "max", "stats", "extended_stats", "percentiles", "percentile_ranks"})


def resolve_field(
    spec: AggSpec, found: dict[str, Any], ctx: QueryContext, kinds: frozenset[str] | None = None
) -> Field | None:
    """Replaces `field` by its path, checks its type, fills in its format and puts `missing` into the column's unit.

    Answers the field, None if it is unmapped.
    """
    name = found.get("field")
    if name is None:
        raise argument("Required one of fields [field, script], but none were specified. ")
    if name == "_index":
        found["missing"] = ctx.index
        return None
    if name in _META:
        return None
    field = ctx.field(name)
    if field is None:
        return None
    if not field.doc_values and not field.params.get("fielddata"):
        raise no_doc_values(field)
    if kinds is not None and field.type not in kinds:
        raise shard_argument(f"Field [{name}] of type [{field.type}] is not supported for aggregation [{spec.kind}]")
    found["field"] = field.path
    found["field_type"] = field.type
    if field.type in DATES:
        found["format"] = found.get("format") or date_format(field)
    elif "format" in found and field.type in ("keyword", "ip", "boolean"):
        raise shard_argument(f"Field [{name}] of type [{field.type}] does not support custom formats")
    if "missing" in found:
        found["missing"] = bound(field, found["missing"], ctx, found.get("format"))
    return field


def bound(field: Field, value: Any, ctx: QueryContext, format: str | None = None, zone: str | None = None) -> Any:
    """A value of a parameter (`missing`, an edge of a range) in the unit of the field's column; dates in milliseconds."""
    kind = field.type
    if isinstance(value, (dict, list)):
        raise argument(f"Can't get text on a {token_name(value)}")
    if kind in DATES:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return int(value)
        return ctx.date(text_of(value), format or date_format(field), False, zone, False)
    if kind in INTEGERS:
        return integer_of(kind, value)[0] if not isinstance(value, float) else value
    if kind in FLOATS:
        return float_of(kind, value)
    if kind == "boolean":
        return bool(value) if isinstance(value, int) else boolean_of(value)
    if kind == "ip":
        return ip_of(text_of(value))
    return text_of(value)


def read_order(value: Any) -> list[list[str]]:
    """`order` as a list of (path, asc | desc)."""
    if not isinstance(value, (dict, list)):
        raise Misfit
    items = value if isinstance(value, list) else [value]
    found: list[list[str]] = []
    for item in items:
        if not isinstance(item, dict):
            raise Malformed(f"Unexpected token [{token_name(item)}] for [order]", value, None, "end")
        if not item:
            raise Malformed("Must specify at least one field for [order]", item, None, "end")
        for path, direction in item.items():
            way = direction.lower() if isinstance(direction, str) else ""
            if way not in ("asc", "desc"):
                raise Malformed(f"Unknown order direction [{text_of(direction)}]", item, path)
        path, way = next(reversed(item.items()))
        found.append(["_key" if path in ("_term", "_time") else str(path), way.lower()])
    return found
