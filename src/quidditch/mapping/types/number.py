"""Numbers: byte, short, integer, long, unsigned_long, half_float, float, double, scaled_float."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from quidditch.mapping.context import ParseContext
from quidditch.mapping.types.base import (
    COERCE,
    DOC_VALUES,
    IGNORE_MALFORMED,
    INDEX,
    META,
    STORE,
    Param,
    TypeDef,
    Values,
    bool_param,
    null_value_param,
)
from quidditch.mapping.values import java_str, number_format, to_float
from quidditch.model.errors import illegal_argument

INTEGER_RANGES: dict[str, tuple[int, int]] = {
    "byte": (-(2**7), 2**7 - 1),
    "short": (-(2**15), 2**15 - 1),
    "integer": (-(2**31), 2**31 - 1),
    "long": (-(2**63), 2**63 - 1),
    "unsigned_long": (0, 2**64 - 1),
}
FLOAT_LIMITS: dict[str, float] = {
    "half_float": 65504.0,
    "float": 3.4028234663852886e38,
    "double": 1.7976931348623157e308,
}


def _whole(type_name: str) -> Callable[[str, Any], int]:
    low, high = INTEGER_RANGES[type_name]

    def check(_field: str, value: Any) -> int:
        text = java_str(value)
        try:
            number = Decimal(text)
        except InvalidOperation:
            raise number_format(text) from None
        if not number.is_finite():
            raise number_format(text)
        if number != number.to_integral_value():
            raise illegal_argument(f"Value [{text}] has a decimal part")
        if not low <= number <= high:
            kind = "an " if type_name[0] in "aeiou" else "a "
            raise illegal_argument(f"Value [{text}] is out of range for {kind}{type_name.replace('_', ' ')}")
        return int(number)

    return check


def _real(type_name: str) -> Callable[[str, Any], float]:
    limit = FLOAT_LIMITS[type_name]

    def check(_field: str, value: Any) -> float:
        number = to_float(value)
        if not math.isfinite(number) or abs(number) > limit:
            raise illegal_argument(f"[{type_name}] supports only finite values, but got [{_java_float(number)}]")
        return number

    return check


def _java_float(number: float) -> str:
    """A number outside the type's range, after rounding to it."""
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def _number(type_name: str, check: Callable[[str, Any], float]) -> TypeDef:
    params = (
        INDEX,
        DOC_VALUES,
        STORE,
        IGNORE_MALFORMED,
        COERCE,
        null_value_param(check),
        bool_param("skip_list", False),
        META,
    )
    return TypeDef(type_name, params)


def _parse_scaling_factor(_field: str, value: Any, _ctx: ParseContext) -> float:
    factor = to_float(value)
    if not factor > 0 or not math.isfinite(factor):
        raise illegal_argument(f"[scaling_factor] must be a positive number, got [{factor}]")
    return factor


def _needs_scaling_factor(_name: str, values: Values) -> None:
    if values.get("scaling_factor") is None:
        raise illegal_argument("Field [scaling_factor] is required")


SCALED_FLOAT = TypeDef(
    "scaled_float",
    (
        INDEX,
        DOC_VALUES,
        STORE,
        IGNORE_MALFORMED,
        COERCE,
        Param("scaling_factor", _parse_scaling_factor, None),
        null_value_param(_real("double")),
        bool_param("skip_list", False),
        META,
    ),
    validate=_needs_scaling_factor,
)

WHOLE = tuple(_number(name, _whole(name)) for name in INTEGER_RANGES)
REAL = tuple(_number(name, _real(name)) for name in FLOAT_LIMITS)
TYPES = (*WHOLE, *REAL, SCALED_FLOAT)
