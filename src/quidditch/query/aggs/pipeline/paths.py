"""`buckets_path`: its grammar, and the number that it names in a finished tree."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from quidditch.model.errors import ApiError
from quidditch.query.errors import argument

NAN = math.nan
SINGLE = frozenset({"filter", "global", "missing", "nested", "reverse_nested"})
MULTI = frozenset(
    {"terms", "multi_terms", "histogram", "date_histogram", "range", "date_range", "ip_range", "filters", "composite"}
)
_CLASSES = {
    "histogram": "InternalHistogram",
    "date_histogram": "InternalDateHistogram",
    "range": "InternalRange",
    "date_range": "InternalDateRange",
    "ip_range": "InternalBinaryRange",
    "filters": "InternalFilters",
    "composite": "InternalComposite",
    "multi_terms": "InternalMultiTerms",
    "filter": "InternalFilter",
    "global": "InternalGlobal",
    "missing": "InternalMissing",
    "nested": "InternalNested",
    "reverse_nested": "InternalReverseNested",
    "top_hits": "InternalTopHits",
}
_BOUNDS = {f"std_{edge}": edge for way in ("", "_population", "_sampling") for edge in (f"upper{way}", f"lower{way}")}
_MUST = "buckets_path must reference either a number value or a single value numeric metric aggregation"


@dataclass(frozen=True, slots=True)
class Element:
    """One step of a path: an aggregation, and what of it (`stats.max`, `percentiles[99.0]`, `terms['a']`)."""

    name: str
    key: str | None = None


def parse_path(path: str) -> list[Element]:
    """The elements of a path. Raises illegal_argument_exception."""
    pieces = [piece for piece in path.split(">") if piece]
    elements = [_element(piece, path, number == len(pieces) - 1) for number, piece in enumerate(pieces)]
    if not elements:
        raise argument(f"Invalid path element [] in path [{path}]")
    return elements


def _element(piece: str, path: str, last: bool) -> Element:
    at = piece.rfind("[")
    if at >= 0:
        if at == 0 or at > len(piece) - 3 or piece[-1] != "]":
            raise argument(f"Invalid path element [{piece}] in path [{path}]")
        return Element(piece[:at], piece[at + 1 : -1])
    at = piece.rfind(".") if last else -1
    if at < 0:
        return Element(piece)
    if at == 0 or at > len(piece) - 2:
        raise argument(f"Invalid path element [{piece}] in path [{path}]")
    return Element(piece[:at], piece[at + 1 :])


def steps(path: str) -> list[str]:
    """The path as the names and keys that are followed one by one."""
    return [step for element in parse_path(path) for step in (element.name, element.key) if step is not None]


@dataclass(frozen=True, slots=True)
class Tree:
    """What is known of one aggregation by its request: its kind and those below it, pipelines among them."""

    name: str
    kind: str
    subs: dict[str, Tree]


@dataclass(frozen=True, slots=True)
class Names:
    """How results are called in the tree: with `typed_keys` their type stands before the name."""

    typed: bool

    def get(self, holder: dict[str, Any], name: str) -> Any:
        if not self.typed:
            return holder.get(name)
        tail = f"#{name}"
        return next(
            (value for key, value in holder.items() if key.endswith(tail) and key.find("#") == len(key) - len(tail)),
            None,
        )

    def put(self, holder: dict[str, Any], type: str, name: str, value: dict[str, Any]) -> None:
        holder[f"{type}#{name}" if self.typed else name] = value


def buckets_of(agg: dict[str, Any]) -> list[tuple[str | None, dict[str, Any]]]:
    """The buckets of an aggregation with several, each with its name where they are keyed."""
    buckets = agg.get("buckets") or []
    return list(buckets.items()) if isinstance(buckets, dict) else [(None, bucket) for bucket in buckets]


def key_text(name: str | None, bucket: dict[str, Any]) -> str:
    """`getKeyAsString` of a bucket."""
    key = bucket.get("key_as_string", bucket.get("key", name))
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, dict):
        return "{" + ", ".join(f"{name}={value}" for name, value in key.items()) + "}"
    return str(key)


def bucket_value(owner: Tree, bucket: dict[str, Any], path: list[str], zeros: bool, names: Names) -> float | None:
    """The number that a path names in a bucket; None where there is no such aggregation (a derivative in the first bucket).

    Gaps (no documents, no number) are 0 or NaN, as the gap policy says. Raises aggregation_execution_exception where the path
    leads to no single number.
    """
    if path == ["_count"]:
        return float(bucket.get("doc_count", 0))
    try:
        found = _in_bucket(owner, bucket, path, names)
    except _Absent:
        return None
    if not math.isfinite(found) or bucket.get("doc_count") == 0:
        return 0.0 if zeros else NAN
    return found


def _in_bucket(owner: Tree, bucket: dict[str, Any], path: list[str], names: Names) -> float:
    name, rest = path[0], path[1:]
    if name in ("_count", "_key"):
        if rest:
            raise _Absent
        return _number(bucket.get("doc_count" if name == "_count" else "key"), owner, path)
    sub = owner.subs.get(name)
    found = names.get(bucket, name)
    if sub is None or not isinstance(found, dict):
        raise _Absent
    return _in_agg(sub, found, rest, path, names)


def _in_agg(node: Tree, agg: dict[str, Any], rest: list[str], path: list[str], names: Names) -> float:
    if node.kind in SINGLE:
        return _in_bucket(node, agg, rest, names) if rest else _refuse(node, agg, path)
    if node.kind in MULTI:
        return _in_buckets(node, agg, rest, path, names)
    return _metric(node, agg, rest, path)


def _in_buckets(node: Tree, agg: dict[str, Any], rest: list[str], path: list[str], names: Names) -> float:
    if not rest:
        return _refuse(node, agg, path)
    step = rest[0]
    if step == "_bucket_count":
        return float(len(agg.get("buckets", ())))
    if len(step) > 1 and step[0] == step[-1] == "'":
        for name, bucket in buckets_of(agg):
            if key_text(name, bucket) == step[1:-1]:
                if len(rest) == 1:
                    raise _execution(f"{_MUST}, got: [Bucket] at aggregation [{path[0]}]")
                return _in_bucket(node, bucket, rest[1:], names)
        raise _Absent
    raise _execution(f"{_MUST}, got: [Object[]] at aggregation [{path[0]}]")


def _metric(node: Tree, agg: dict[str, Any], rest: list[str], path: list[str]) -> float:
    if "value" in agg:
        if rest not in ([], ["value"]):
            raise argument(f"path not supported for [{node.name}]: {_listed(rest)}")
        return _number(agg["value"], node, path)
    if not rest:
        if node.kind in _CLASSES:
            return _refuse(node, agg, path)
        raise _execution(f"{_MUST}, but [{path[0]}] contains multiple values. Please specify which to use.")
    if len(rest) > 1:
        raise argument(f"path not supported for [{node.name}]: {_listed(rest)}")
    key = rest[0]
    if "values" in agg:
        return _percentile(node, agg["values"], key)
    if key in _BOUNDS and isinstance(agg.get("std_deviation_bounds"), dict):
        return _number(agg["std_deviation_bounds"].get(_BOUNDS[key]), node, path)
    if key not in agg or isinstance(agg[key], dict) or key.endswith("_as_string"):
        raise argument(f"Unknown value [{key}] in common stats aggregation")
    return _number(agg[key], node, path)


def _percentile(node: Tree, values: Any, key: str) -> float:
    try:
        wanted = float(key)
    except ValueError:
        raise ApiError(400, "number_format_exception", f'For input string: "{key}"') from None
    pairs = values.items() if isinstance(values, dict) else [(item["key"], item["value"]) for item in values]
    for percent, value in pairs:
        if not str(percent).endswith("_as_string") and float(percent) == wanted:
            return NAN if value is None else float(value)
    raise argument(f"Percent requested [{wanted}] was not one of the computed percentiles of [{node.name}]")


def _number(value: Any, node: Tree, path: list[str]) -> float:
    if value is None:
        return NAN
    if isinstance(value, str):
        try:
            return float(value)  # "NaN" and "Infinity": what JSON has no numbers for
        except ValueError:
            raise _execution(f"{_MUST}, got: [String] at aggregation [{path[0]}]") from None
    if isinstance(value, (int, float)):
        return float(value)
    raise _execution(f"{_MUST}, got: [{type(value).__name__}] at aggregation [{node.name}]")


def _refuse(node: Tree, agg: dict[str, Any], path: list[str]) -> float:
    name = _terms_class(agg) if node.kind == "terms" else _CLASSES.get(node.kind, "InternalAggregation")
    raise _execution(f"{_MUST}, got: [{name}] at aggregation [{path[0]}]")


def _terms_class(agg: dict[str, Any]) -> str:
    buckets = agg.get("buckets")
    if not buckets:
        return "UnmappedTerms"
    key = buckets[0].get("key")
    return "StringTerms" if isinstance(key, str) else "DoubleTerms" if isinstance(key, float) else "LongTerms"


def _listed(rest: list[str]) -> str:
    return f"[{', '.join(rest)}]"


def _execution(reason: str) -> ApiError:
    return ApiError(500, "aggregation_execution_exception", reason)


class _Absent(Exception):
    """The path leads nowhere in this bucket."""
