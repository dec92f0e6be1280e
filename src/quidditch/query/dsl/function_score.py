"""function_score: scores changed by functions of the document."""

from __future__ import annotations

from typing import Any

from quidditch.query import ops
from quidditch.query.compiler import compile_filter, compile_query
from quidditch.query.context import QueryContext
from quidditch.query.dsl.decay import decay
from quidditch.query.dsl.single import dressed
from quidditch.query.errors import Malformed, QueryFault, argument, did_you_mean
from quidditch.query.fields import DATES, NUMERIC
from quidditch.query.ops import Op
from quidditch.query.values import read_float, read_long, read_text, token_name

_SCORE_MODES = ("multiply", "sum", "avg", "first", "max", "min")
_BOOST_MODES = ("multiply", "replace", "sum", "avg", "max", "min")
_MODIFIERS = ("none", "log", "log1p", "log2p", "ln", "ln1p", "ln2p", "square", "sqrt", "reciprocal")
_FAILED = "failed to parse [function_score] query"
_PACKAGE = "org.opensearch.common.lucene.search.function"
_FUNCTIONS = ("field_value_factor", "gauss", "exp", "linear", "random_score", "script_score")
_VALUES = ("score_mode", "boost_mode", "max_boost", "boost", "_name", "weight", "min_score")


def function_score(body: dict[str, Any], ctx: QueryContext) -> Op:
    query: Op | None = None
    functions: list[dict[str, Any]] = []
    single: str | None = None
    for key, value in body.items():
        if key == "query" and isinstance(value, dict):
            query = compile_query(value, ctx, body, key)
        elif key == "functions" and isinstance(value, list):
            if single is not None:
                raise Malformed(
                    f"{_FAILED}. [you can either define [functions] array or a single function, not both. "
                    f"already found [{single}], now encountering [functions].]",
                    body,
                    key,
                )
            single = "functions"
            functions = [_function(item, ctx, value, n) for n, item in enumerate(value)]
        elif key == "weight":
            single = _once(single, key, body)
            functions.append({"weight": _weight(value, body)})
        elif isinstance(value, dict):
            single = _once(single, key, body)
            functions.append(_named(key, value, body, ctx))
        elif key not in _VALUES or isinstance(value, list):
            raise Malformed(f"failed to parse [function_score] query. field [{key}] is not supported", body, key)
    arguments: dict[str, Any] = {
        "query": query or ops.all_docs(),
        "functions": functions,
        "score_mode": _mode(body, "score_mode", _SCORE_MODES),
        "boost_mode": _mode(body, "boost_mode", _BOOST_MODES),
    }
    for key in ("max_boost", "min_score"):
        if body.get(key) is not None:
            arguments[key] = read_float(body[key], body, key)
    return dressed({"function_score": arguments}, body, ctx, "function_score")


def _weight(value: Any, holder: dict[str, Any]) -> float:
    weight = read_float(value, holder, "weight")
    if weight < 0:
        raise argument("[weight] cannot be negative for a filtering function")
    return weight


def _once(found: str | None, name: str, body: dict[str, Any]) -> str:
    if found is not None:
        reason = (
            f"failed to parse [function_score] query. already found function [{found}], now encountering [{name}]. "
        )
        raise Malformed(reason + "use [functions] array if you want to define several functions.", body, name)
    return name


def _mode(body: dict[str, Any], key: str, known: tuple[str, ...]) -> str:
    if body.get(key) is None:
        return "multiply"
    name = read_text(body[key], body, key).lower()
    if name not in known:
        kind = "CombineFunction" if key == "boost_mode" else "FunctionScoreQuery.ScoreMode"
        raise argument(f"No enum constant org.opensearch.common.lucene.search.function.{kind}.{name.upper()}")
    return name


def _function(item: Any, ctx: QueryContext, holder: list[Any], number: int) -> dict[str, Any]:
    if not isinstance(item, dict):
        reason = f"{_FAILED}. malformed query, expected a [START_OBJECT] while parsing functions but got a [{token_name(item)}] instead"
        raise Malformed(reason, holder, number)
    found: dict[str, Any] = {}
    name: str | None = None
    for key, value in item.items():
        if key == "weight":
            found["weight"] = _weight(value, item)
        elif key == "filter" and isinstance(value, dict):
            found["filter"] = compile_filter(value, ctx, item, key)
        elif key == "_name":
            continue
        elif isinstance(value, dict):
            if name is not None:
                raise Malformed(
                    f"failed to parse function_score functions. already found [{name}], now encountering [{key}].",
                    item,
                    key,
                )
            name = key
            found.update(_named(key, value, item, ctx))
        else:
            raise Malformed(f"failed to parse [function_score] query. field [{key}] is not supported", item, key)
    if not found or set(found) == {"filter"}:
        raise Malformed(
            "failed to parse [function_score] query. an entry in functions list is missing a function.",
            item,
            None,
            "end",
        )
    return found


def _named(name: str, value: dict[str, Any], holder: dict[str, Any], ctx: QueryContext) -> dict[str, Any]:
    if name == "field_value_factor":
        return {name: _field_value_factor(value, ctx)}
    if name == "random_score":
        return {name: _random_score(value, ctx)}
    if name in ("gauss", "exp", "linear"):
        return {"decay": decay(name, value, ctx)}
    if name == "script_score":
        raise argument("[script_score] functions are not supported")
    cause = {"type": "named_object_not_found_exception", "reason": f"unknown field [{name}]"}
    raise Malformed(f"unknown query [{name}]{did_you_mean(name, _FUNCTIONS)}", holder, name, "value", caused_by=cause)


def _field_value_factor(body: dict[str, Any], ctx: QueryContext) -> dict[str, Any]:
    for key, value in body.items():
        if key not in ("field", "factor", "modifier", "missing"):
            raise Malformed(f"field_value_factor query does not support [{key}]", body, key)
        if isinstance(value, (dict, list)):
            raise Malformed(f"field_value_factor field [{key}] may not be an array or an object", body, key)
    if body.get("field") is None:
        raise Malformed("[field_value_factor] required field 'field' missing", body, None, "end")
    name = read_text(body["field"], body, "field")
    modifier = read_text(body.get("modifier", "none"), body, "modifier").lower()
    if modifier not in _MODIFIERS:
        raise argument(f"No enum constant {_PACKAGE}.FieldValueFactorFunction.Modifier.{modifier.upper()}")
    factor = read_float(body.get("factor", 1.0), body, "factor")
    missing = read_float(body["missing"], body, "missing") if body.get("missing") is not None else None
    field = ctx.field(name)
    if field is None:
        if missing is None:
            reason = f"Unable to find a field mapper for field [{name}]. No 'missing' value defined."
            raise QueryFault(reason, "exception")
    elif field.type not in NUMERIC and field.type not in DATES and field.type != "boolean":
        raise QueryFault(f"Field [{name}] is not numeric", "illegal_argument_exception")
    return {
        "field": field.path if field is not None else name,
        "factor": factor,
        "modifier": modifier,
        "missing": missing,
    }


def _random_score(body: dict[str, Any], ctx: QueryContext) -> dict[str, Any]:
    for key in body:
        if key not in ("seed", "field"):
            raise Malformed(f"random_score query does not support [{key}]", body, key)
    found: dict[str, Any] = {"seed": None, "field": None}
    seed = body.get("seed")
    if isinstance(seed, str):
        found["seed"] = _string_hash(seed)
    elif isinstance(seed, (int, float)) and not isinstance(seed, bool):
        number = read_long(seed, body, "seed")
        found["seed"] = (number ^ (number >> 32)) & 0xFFFFFFFF if not -(2**31) <= number < 2**31 else number
    elif seed is not None:
        raise Malformed(f"random_score seed must be an int, long or string, not '{token_name(seed)}'", body, "seed")
    else:
        ctx.uses_now = True
    if body.get("field") is not None:
        name = read_text(body["field"], body, "field")
        field = ctx.field(name)
        if field is None and not name.startswith("_"):
            raise QueryFault(
                f"Field [{name}] is not mapped on [index] and cannot be used as a source of random numbers."
            )
        found["field"] = field.path if field is not None else name
    return found


def _string_hash(text: str) -> int:
    """String.hashCode."""
    value = 0
    for unit in text:
        value = (31 * value + ord(unit)) & 0xFFFFFFFF
    return value - 2**32 if value >= 2**31 else value
