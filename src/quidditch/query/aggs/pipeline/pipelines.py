"""What a pipeline aggregation is, and reading the parameters that most of them share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from quidditch.query.aggs.pipeline.paths import Names, Tree, bucket_value, buckets_of, steps
from quidditch.query.aggs.spec import AggSpec
from quidditch.query.errors import Malformed
from quidditch.query.values import token_name

Format = Callable[[float, str], str]
"""A number by a DecimalFormat pattern."""
Read = Callable[[AggSpec, str], Any]
"""A parameter of an aggregation by its name; raises `Malformed`."""


@dataclass(frozen=True, slots=True)
class Shown:
    """How results are written: names with or without types, numbers by patterns."""

    names: Names
    format: Format


@dataclass(frozen=True, slots=True)
class Pipeline:
    """One pipeline aggregation. `paths` are those it depends on; the rest is its kind's."""

    name: str
    kind: str
    paths: tuple[str, ...]
    params: Mapping[str, Any]
    meta: dict[str, Any] | None = None

    @property
    def zeros(self) -> bool:
        return bool(self.params.get("zeros"))

    def values(
        self, owner: Tree, agg: dict[str, Any], names: Names, path: list[str] | None = None
    ) -> list[float | None]:
        """The number of each bucket of an aggregation, None where the path leads nowhere."""
        wanted = steps(self.paths[0]) if path is None else path
        return [bucket_value(owner, bucket, wanted, self.zeros, names) for _, bucket in buckets_of(agg)]

    def number(
        self, value: float, shown: Shown, keys: tuple[str, str] = ("value", "value_as_string")
    ) -> dict[str, Any]:
        """A value and its text; JSON has no NaN and no infinity."""
        finite = value == value and abs(value) != float("inf")
        found: dict[str, Any] = {keys[0]: value if finite else None}
        if finite and "format" in self.params:
            found[keys[1]] = shown.format(value, self.params["format"])
        return found

    def result(self, members: dict[str, Any]) -> dict[str, Any]:
        return {"meta": self.meta, **members} if self.meta is not None else members


def gap_policy(spec: AggSpec, key: str) -> bool:
    """Whether gaps count as zeros."""
    value = spec.body[key]
    if not isinstance(value, str):
        raise unexpected(spec, key, value)
    if value.lower() not in ("skip", "insert_zeros"):
        raise Malformed(f"Invalid gap policy: [{value}], accepted values: [insert_zeros, skip]", spec.body, key)
    return value.lower() == "insert_zeros"


def read_spec(spec: AggSpec, readers: Mapping[str, Read]) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Paths and parameters; unknown ones are refused."""
    paths: tuple[str, ...] = ()
    found: dict[str, Any] = {}
    for key, value in spec.body.items():
        if key == "buckets_path":
            paths = _paths(spec, value)
        elif key == "format" and isinstance(value, str):
            found["format"] = value
        elif key == "gap_policy":
            found["zeros"] = gap_policy(spec, key)
        elif key in readers:
            found[key] = readers[key](spec, key)
        else:
            raise unexpected(spec, key, value)
    if not paths:
        raise Malformed(f"Missing required field [buckets_path] for aggregation [{spec.name}]", spec.body, None, "end")
    for path in paths:
        steps(path)
    return paths, found


def unexpected(spec: AggSpec, key: str, value: Any) -> Malformed:
    return Malformed(f"Unexpected token {token_name(value)} [{key}] in [{spec.name}]", spec.body, key)


def _paths(spec: AggSpec, value: Any) -> tuple[str, ...]:
    items = value if isinstance(value, list) else list(value.values()) if isinstance(value, dict) else [value]
    if not all(isinstance(item, str) for item in items):
        raise unexpected(spec, "buckets_path", value)
    return tuple(items)


def whole(spec: AggSpec, key: str) -> int:
    """A number without fraction."""
    value = spec.body[key]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise unexpected(spec, key, value)
    return int(value)
