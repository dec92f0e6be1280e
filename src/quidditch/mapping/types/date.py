"""`date` (milliseconds) and `date_nanos`."""

from __future__ import annotations

from typing import Any

from quidditch.mapping.context import ParseContext
from quidditch.mapping.types.base import (
    BOOST,
    DOC_VALUES,
    IGNORE_MALFORMED,
    INDEX,
    META,
    STORE,
    Param,
    TypeDef,
    bool_param,
    null_value_param,
)
from quidditch.mapping.values import java_str
from quidditch.model.errors import ApiError, illegal_argument

DEFAULT_FORMAT = "strict_date_optional_time||epoch_millis"


def _parse_format(field_name: str, value: Any, ctx: ParseContext) -> str:
    text = java_str(value)
    if ctx.check_date_format is not None:
        try:
            ctx.check_date_format(text)
        except Exception as problem:
            reason = problem.reason if isinstance(problem, ApiError) else _first_text(problem)
            raise illegal_argument(f"Error parsing [format] on field [{field_name}]: {reason}") from None
    return text


def _first_text(problem: Exception) -> str:
    """The sentence of a kernel error, whose arguments are (type, reason, status, detail)."""
    return str(problem.args[1]) if len(problem.args) > 1 else str(problem)


def _null_value(_field: str, value: Any) -> str:
    return java_str(value)


def _locale(_field: str, value: Any, _ctx: ParseContext) -> str:
    return java_str(value)


_PARAMS = (
    INDEX,
    DOC_VALUES,
    STORE,
    BOOST,
    Param("format", _parse_format, DEFAULT_FORMAT),
    Param("print_format", _parse_format, None),
    Param("locale", _locale, ""),
    null_value_param(_null_value),
    IGNORE_MALFORMED,
    bool_param("skip_list", False),
    META,
)

TYPES = (TypeDef("date", _PARAMS), TypeDef("date_nanos", _PARAMS))
