"""Values of a field as queries compare them: coerced to the field's type, or refused with the field type's own message."""

from __future__ import annotations

import ipaddress
import math
from decimal import Decimal, InvalidOperation
from typing import Any

from quidditch.query import ops
from quidditch.query.context import Field, QueryContext
from quidditch.query.errors import QueryFault, ShardError, ShardQuery
from quidditch.query.ops import Op
from quidditch.query.values import text_of

INTEGERS = {
    "byte": (-(2**7), 2**7 - 1, "a byte"),
    "short": (-(2**15), 2**15 - 1, "a short"),
    "integer": (-(2**31), 2**31 - 1, "an integer"),
    "long": (-(2**63), 2**63 - 1, "a long"),
    "unsigned_long": (0, 2**64 - 1, "an unsigned long"),
    "token_count": (-(2**31), 2**31 - 1, "an integer"),
}
FLOATS = {"half_float": 65504.0, "float": 3.4028234663852886e38, "double": math.inf, "scaled_float": math.inf}
NUMERIC = frozenset(INTEGERS) | frozenset(FLOATS)
DATES = frozenset({"date", "date_nanos"})
OPAQUE = frozenset(
    {"geo_point", "geo_shape", "integer_range", "long_range", "float_range", "double_range", "date_range", "ip_range"}
)
"""Types that are kept but not searched yet."""
TEXTS = frozenset({"text", "match_only_text", "search_as_you_type", "annotated_text"})
STRINGS = TEXTS | {"keyword", "wildcard", "constant_keyword", "flat_object", "icu_collation_keyword"}
TYPES = NUMERIC | DATES | STRINGS | OPAQUE | {"boolean", "ip", "binary"}
"""Every type of a field."""
DEFAULT_DATE_FORMAT = "strict_date_time_no_millis||strict_date_optional_time||epoch_millis"


def is_text(field: Field) -> bool:
    return field.type in TEXTS


def search_analyzer(field: Field) -> str:
    return field.search_analyzer or field.analyzer or "default"


def quote_analyzer(field: Field) -> str:
    return field.search_quote_analyzer or search_analyzer(field)


def date_format(field: Field) -> str:
    return field.format or DEFAULT_DATE_FORMAT


def check_searchable(field: Field) -> None:
    """Refuses fields that have neither terms nor columns."""
    if field.type == "binary":
        raise ShardQuery("Binary fields do not support searching")
    if field.type in OPAQUE:
        raise QueryFault(f"Queries on field [{field.path}] of type [{field.type}] are not supported")
    if field.indexed:
        return
    if field.type in TEXTS:
        raise QueryFault(f"Cannot search on field [{field.path}] since it is not indexed.")
    if not field.doc_values:
        raise QueryFault(
            f"Cannot search on field [{field.path}] since it is both not indexed, and does not have doc_values enabled."
        )


def decimal_of(value: Any) -> Decimal:
    """The exact number of a JSON value; number_format_exception otherwise."""
    if isinstance(value, bool):
        raise QueryFault(f'For input string: "{text_of(value)}"', "number_format_exception")
    if isinstance(value, int):
        return Decimal(value)
    text = repr(value) if isinstance(value, float) else str(value)
    try:
        if "_" in text:
            raise InvalidOperation
        return Decimal(text.strip())
    except InvalidOperation:
        reason = "empty String" if text == "" else f'For input string: "{text}"'
        raise QueryFault(reason, "number_format_exception") from None


def integer_of(kind: str, value: Any) -> tuple[int, bool]:
    """The integer part of a value for an integer field, and whether a fraction was cut off."""
    number = decimal_of(value)
    low, high, name = INTEGERS[kind]
    if not number.is_finite() or number.adjusted() > 40 or not low <= number <= high:
        shown = text_of(value)
        raise QueryFault(f"Value [{shown}] is out of range for {name}")
    whole = int(number)
    return whole, number != whole


def float_of(kind: str, value: Any) -> float:
    number = decimal_of(value)
    result = float(number)
    if not math.isfinite(result) or abs(result) > FLOATS[kind]:
        shown = "NaN" if math.isnan(result) else ("-" if result < 0 else "") + "Infinity"
        raise QueryFault(f"[{kind}] supports only finite values, but got [{shown}]")
    return result


def boolean_of(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = text_of(value)
    if text == "true":
        return True
    if text == "false":
        return False
    raise QueryFault(f"Can't parse boolean value [{text}], expected [true] or [false]")


def ip_of(text: str) -> str:
    """The canonical address; zone ids and anything else are refused."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise QueryFault(f"'{text}' is not an IP string literal.") from None


def keyword_of(field: Field, value: Any, ctx: QueryContext) -> str:
    text = text_of(value)
    return ctx.normalized(field.normalizer, text) if field.normalizer else text


def date_of(
    field: Field, value: Any, round_up: bool, ctx: QueryContext, format: str | None = None, zone: str | None = None
) -> int:
    """Epoch milliseconds (nanoseconds for date_nanos) of a value; numbers go through the format as texts."""
    nanos = field.type == "date_nanos"
    return ctx.date(text_of(value), format or date_format(field), round_up, zone, nanos)


def term_query(field: Field, value: Any, ctx: QueryContext) -> Op:
    """The operation that matches documents holding exactly this value."""
    check_searchable(field)
    kind, path = field.type, field.path
    if kind in TEXTS:
        return ops.term(path, text_of(value))
    if kind in INTEGERS:
        number, fraction = integer_of("integer" if kind in ("byte", "short") else kind, value)
        held = INTEGERS[kind][0] <= number <= INTEGERS[kind][1]
        return ops.term(path, number) if held and not fraction else ops.no_docs()
    if kind in FLOATS:
        return ops.term(path, float_of(kind, value))
    if kind == "boolean":
        return ops.term(path, boolean_of(value))
    if kind in DATES:
        return _date_term(field, value, ctx)
    if kind == "ip":
        return _ip_term(path, text_of(value))
    op = ops.term(path, keyword_of(field, value, ctx))
    return op if ctx.in_filter or field.params.get("use_similarity") else ops.const(op)


def _date_term(field: Field, value: Any, ctx: QueryContext) -> Op:
    try:
        low = date_of(field, value, False, ctx)
        high = date_of(field, value, True, ctx)
    except ShardError as error:
        raise QueryFault(error.reason or "", error.type, error.details.get("caused_by")) from None
    return {"range": {"field": field.path, "gte": low, "lte": high}}


def _ip_term(path: str, text: str) -> Op:
    if "/" not in text:
        return ops.term(path, ip_of(text))
    address, _, length = text.partition("/")
    if length.isdigit() and int(length) > (128 if ":" in address else 32):
        raise QueryFault(
            f"Illegal prefix length [{length}] in [{text}]. Must be 0-32 for IPv4 ranges, 0-128 for IPv6 ranges"
        )
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise QueryFault(f"'{text}' is not an IP string literal.") from None
    return {"range": {"field": path, "gte": str(network[0]), "lte": str(network[-1])}}


def terms_query(field: Field, values: list[Any], ctx: QueryContext) -> Op:
    """Any of the values, scored as a constant."""
    check_searchable(field)
    kind, path = field.type, field.path
    if kind in DATES or (kind == "ip" and any("/" in text_of(value) for value in values)):
        return ops.const(ops.any_of([term_query(field, value, ctx) for value in values]))
    if kind in TEXTS:
        found: list[Any] = [text_of(value) for value in values]
    elif kind in INTEGERS:
        pairs = [integer_of(kind, value) for value in values]
        found = [number for number, fraction in pairs if not fraction]
    elif kind in FLOATS:
        found = [float_of(kind, value) for value in values]
    elif kind == "boolean":
        found = [boolean_of(value) for value in values]
    elif kind == "ip":
        found = [ip_of(text_of(value)) for value in values]
    else:
        found = [keyword_of(field, value, ctx) for value in values]
    return {"terms": {"field": path, "values": found}} if found else ops.no_docs()


def outward(field: Field, value: Any, ctx: QueryContext) -> Any:
    """A single value in the outward form of the field's column (for search_after, missing, bounds)."""
    kind = field.type
    if kind in INTEGERS:
        return integer_of(kind, value)[0]
    if kind in FLOATS:
        return float_of(kind, value)
    if kind == "boolean":
        return boolean_of(value)
    if kind in DATES:
        return date_of(field, value, False, ctx)
    if kind == "ip":
        return ip_of(text_of(value))
    return text_of(value)
