"""Decay functions: scores that fall with the distance of a number or a date from an origin."""

from __future__ import annotations

from typing import Any

from quidditch.model.errors import ApiError
from quidditch.query.context import Field, QueryContext
from quidditch.query.errors import Malformed, QueryFault, argument
from quidditch.query.fields import DATES, NUMERIC, date_of
from quidditch.query.values import read_float, read_text, text_of, time_ms

_MODES = ("min", "max", "avg", "sum", "median")


def decay(kind: str, body: dict[str, Any], ctx: QueryContext) -> dict[str, Any]:
    """`{"<field>": {origin, scale, offset, decay}, "multi_value_mode"}` with numbers in the column's unit."""
    name: str | None = None
    spec: dict[str, Any] = {}
    mode = "min"
    for key, value in body.items():
        if isinstance(value, dict):
            if name is not None:
                raise Malformed(
                    "malformed score function score parameters.",
                    body,
                    key,
                )
            name, spec = key, value
        elif key == "multi_value_mode":
            mode = read_text(value, body, key).lower()
            if mode not in _MODES:
                raise argument(f"Unsupported multi_value_mode [{mode}]")
        else:
            raise Malformed("malformed score function score parameters.", body, key)
    if name is None:
        raise Malformed("malformed score function score parameters.", body, None, "end")
    for key in spec:
        if key not in ("origin", "scale", "offset", "decay"):
            raise Malformed(f"[{kind}] unknown parameter [{key}]", spec, key)
    factor = read_float(spec.get("decay", 0.5), spec, "decay")
    if not 0 < factor < 1:
        raise QueryFault("function_score : decay must be in the range [0..1].")
    field = ctx.field(name)
    if field is None:
        raise QueryFault(f"unknown field [{name}]", "parsing_exception")
    found = _dates(field, spec, ctx) if field.type in DATES else _numbers(field, spec)
    if found["scale"] <= 0:
        raise QueryFault("function_score : scale must be > 0.0.")
    if found["offset"] < 0:
        raise QueryFault("function_score : offset must be > 0.0")
    return {"kind": kind, "field": field.path, "decay": factor, "multi_value_mode": mode, **found}


def _numbers(field: Field, spec: dict[str, Any]) -> dict[str, float]:
    if field.type not in NUMERIC:
        raise QueryFault(
            f"field [{field.path}] is of type [{field.type}], but only numeric types are supported.",
            "parsing_exception",
        )
    for key in ("origin", "scale"):
        if spec.get(key) is None:
            raise QueryFault("both [scale] and [origin] must be set for numeric fields.", "parse_exception")
    return {
        "origin": read_float(spec["origin"], spec, "origin"),
        "scale": read_float(spec["scale"], spec, "scale"),
        "offset": read_float(spec.get("offset", 0.0), spec, "offset"),
    }


def _dates(field: Field, spec: dict[str, Any], ctx: QueryContext) -> dict[str, float]:
    if spec.get("scale") is None:
        raise QueryFault("[scale] must be set for date fields.", "parse_exception")
    unit = 1_000_000 if field.type == "date_nanos" else 1
    origin = spec.get("origin")
    if origin is None:
        ctx.uses_now = True
        start = ctx.now_ms * unit
    else:
        start = _origin(field, origin, ctx)
    scale = time_ms(text_of(spec["scale"]), "DecayFunctionParser.scale") * unit
    offset = time_ms(text_of(spec.get("offset", "0d")), "DecayFunctionParser.offset") * unit
    return {"origin": start, "scale": scale, "offset": offset}


def _origin(field: Field, value: Any, ctx: QueryContext) -> int:
    try:
        return date_of(field, value, False, ctx)
    except ApiError as error:
        raise QueryFault(error.reason or "", error.type) from None
