"""What a field type is: a name and a table of parameters, each with its parser, default and rule for updates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from quidditch.mapping.context import ParseContext
from quidditch.mapping.values import java_str, to_bool, to_float, to_int
from quidditch.model.errors import ApiError, illegal_argument, mapper_parsing

Values = Mapping[str, Any]
Parse = Callable[[str, Any, ParseContext], Any]
"""(field name, JSON value, context) → canonical value."""


@dataclass(frozen=True, slots=True)
class Param:
    """One mapping parameter of a field type.

    A parameter that equals its default is not kept, unless it is `explicit`. `can_update` overrides `updateable` with
    a rule over (old, new).
    """

    name: str
    parse: Parse
    default: Any = None
    updateable: bool = False
    nullable: bool = False
    explicit: bool = False
    can_update: Callable[[Any, Any], bool] | None = None

    def may_become(self, old: Any, new: Any) -> bool:
        if self.can_update is not None:
            return self.can_update(old, new)
        return self.updateable or old == new


def _nothing(name: str, values: Values) -> None:
    """No rule across parameters."""


@dataclass(frozen=True, slots=True)
class TypeDef:
    """A field type.

    `validate` checks across parameters, `canonical` rewrites the values as `GET _mapping` shows them.
    """

    name: str
    params: tuple[Param, ...]
    validate: Callable[[str, Values], None] = _nothing
    canonical: Callable[[Values], Values] = dict
    kernel: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    """Rewrites the shown definition, type included, for the kernel."""
    plain: bool = False
    """Unknown parameters are told as those of objects are, and none is dropped silently."""
    by_name: Mapping[str, Param] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {param.name: param for param in self.params})

    def default(self, name: str) -> Any:
        param = self.by_name.get(name)
        return None if param is None else param.default


# --- parameters shared by many types --------------------------------------------------------------------------------


def bool_param(name: str, default: bool, updateable: bool = False, explicit: bool = False) -> Param:
    return Param(name, lambda _field, value, _ctx: to_bool(value), default, updateable, explicit=explicit)


def int_param(
    name: str, default: int, updateable: bool = False, minimum: int | None = None, problem: str = ""
) -> Param:
    """`problem` is the error text below `minimum`, with `{value}`."""

    def parse(_field: str, value: Any, _ctx: ParseContext) -> int:
        number = to_int(value)
        if minimum is not None and number < minimum:
            raise illegal_argument(problem.format(value=number))
        return number

    return Param(name, parse, default, updateable)


def choice_param(name: str, choices: tuple[str, ...], default: str, updateable: bool = False) -> Param:
    """A text out of a fixed set."""

    def parse(_field: str, value: Any, _ctx: ParseContext) -> str:
        text = java_str(value)
        if text not in choices:
            accepted = ", ".join(choices)
            raise mapper_parsing(f"Unknown value [{text}] for field [{name}] - accepted values are [{accepted}]")
        return text

    return Param(name, parse, default, updateable)


def _parse_meta(field_name: str, value: Any, _ctx: ParseContext) -> dict[str, str]:
    """At most five short texts, as OpenSearch limits field metadata."""
    if not isinstance(value, dict):
        raise mapper_parsing(
            f"[meta] must be an object, got {_simple_class(value)}[{java_str(value)}] for field [{field_name}]"
        )
    if len(value) > 5:
        raise mapper_parsing(f"[meta] can't have more than 5 entries, but got {len(value)} on field [{field_name}]")
    for key, item in value.items():
        if len(key) > 20:
            raise mapper_parsing(f"[meta] keys can't be longer than 20 chars, but got [{key}] for field [{field_name}]")
        if item is None:
            raise mapper_parsing(f"[meta] values can't be null (field [{field_name}])")
        if not isinstance(item, str):
            raise mapper_parsing(
                f"[meta] values can only be strings, but got {_simple_class(item)}[{java_str(item)}] "
                f"for field [{field_name}]"
            )
        if len(item) > 50:
            raise mapper_parsing(
                f"[meta] values can't be longer than 50 chars, but got [{item}] for field [{field_name}]"
            )
    return dict(sorted(value.items()))


def _simple_class(value: Any) -> str:
    if isinstance(value, bool):
        return "Boolean"
    names = {str: "String", int: "Integer", float: "Double", list: "ArrayList", dict: "LinkedHashMap"}
    return names.get(type(value), "null")


def _parse_similarity(field_name: str, value: Any, ctx: ParseContext) -> str:
    name = java_str(value)
    if ctx.similarities is not None and name not in ctx.similarities:
        raise mapper_parsing(f"Unknown Similarity type [{name}] for field [{field_name}]")
    return name


def positive_float(name: str, default: float, updateable: bool = False) -> Param:
    return Param(name, lambda _field, value, _ctx: to_float(value), default, updateable)


def _norms_only_off(old: Any, new: Any) -> bool:
    return old == new or bool(old)


INDEX = bool_param("index", True)
DOC_VALUES = bool_param("doc_values", True)
STORE = bool_param("store", False)
IGNORE_MALFORMED = bool_param("ignore_malformed", False, updateable=True, explicit=True)
COERCE = bool_param("coerce", True, updateable=True, explicit=True)
META = Param("meta", _parse_meta, {}, updateable=True)
BOOST = positive_float("boost", 1.0, updateable=True)
SIMILARITY = Param("similarity", _parse_similarity, None)
EAGER_GLOBAL_ORDINALS = bool_param("eager_global_ordinals", False, updateable=True)


def norms_param(default: bool) -> Param:
    """Norms can be switched off later, never on."""
    return Param("norms", lambda _field, value, _ctx: to_bool(value), default, can_update=_norms_only_off)


def null_value_param(check: Callable[[str, Any], Any]) -> Param:
    """`check` takes (field name, value) and returns the canonical value or raises."""
    return Param(
        "null_value", lambda name, value, _ctx: None if value is None else check(name, value), None, nullable=True
    )


def null_value_error(name: str, error: ApiError) -> ApiError:
    return mapper_parsing(
        f"Error parsing [null_value] on field [{name}]: {error.reason}", {"type": error.type, "reason": error.reason}
    )
