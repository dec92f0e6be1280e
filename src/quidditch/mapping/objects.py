"""Parses `properties`: objects, nested objects, aliases, fields and their multi-fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quidditch.mapping.context import ParseContext
from quidditch.mapping.merge import merge_nodes
from quidditch.mapping.tree import Alias, Leaf, Node, Object
from quidditch.mapping.types import TYPES
from quidditch.mapping.types.base import Param, TypeDef
from quidditch.mapping.values import java_class, java_str, to_bool
from quidditch.model.errors import ApiError, illegal_argument, mapper_parsing

DYNAMIC_VALUES = ("strict", "strict_allow_templates")
_IGNORED_PARAMS = frozenset(("store", "meta", "index", "doc_values", "boost", "index_options", "similarity"))
"""Parameters that OpenSearch takes on any type and drops where they mean nothing."""


def unsupported(prefix: str, rest: Mapping[str, Any]) -> ApiError:
    """`prefix` names where the leftover members `rest` were found."""
    return mapper_parsing(f"{prefix}: " + "".join(f" [{key} : {java_str(value)}]" for key, value in rest.items()))


def _refuse_rest(name: str, rest: Mapping[str, Any]) -> None:
    if rest:
        raise unsupported(f"Mapping definition for [{name}] has unsupported parameters", rest)


def parse_dynamic(value: Any, name: str = "dynamic") -> str:
    text = java_str(value).lower()
    if text in DYNAMIC_VALUES:
        return text
    return "true" if to_bool(value, f"{name}.dynamic") else "false"


def parse_properties(body: Any, ctx: ParseContext) -> dict[str, Node]:
    """The children of an object. Dotted names become nested objects."""
    if isinstance(body, list) and not body:
        return {}
    if not isinstance(body, dict):
        raise ApiError(400, "parse_exception", "properties must be a map type")
    nodes: dict[str, Node] = {}
    for name, definition in body.items():
        if isinstance(definition, list) and not definition:
            continue
        if not isinstance(definition, dict):
            raise mapper_parsing(
                f"Expected map for property [fields] on field [{name}] but got a {java_class(definition)}"
            )
        parts = _name_parts(name)
        node = parse_node(parts[-1], name, definition, ctx)
        for part in reversed(parts[1:]):
            node = Object({part: node})
        first = parts[0]
        nodes[first] = merge_nodes(nodes[first], node, first) if first in nodes else node
    return nodes


def _name_parts(name: str) -> list[str]:
    parts = name.rstrip(".").split(".")
    if name and parts == [""]:
        raise mapper_parsing(f"Invalid field name {name}")
    if "" in parts:
        raise illegal_argument("name cannot be empty string")
    return parts


def _type_of(name: str, definition: Mapping[str, Any]) -> str:
    declared = definition.get("type")
    if declared is not None:
        return java_str(declared)
    if definition.get("properties") is not None or (len(definition) == 1 and definition.get("enabled") is not None):
        return "object"
    raise mapper_parsing(f"No type specified for field [{name}]")


def parse_node(name: str, declared: str, definition: Mapping[str, Any], ctx: ParseContext) -> Node:
    """`name` is the leaf name, `declared` the name as written (it may hold dots)."""
    type_name = _type_of(declared, definition)
    rest = {key: value for key, value in definition.items() if key != "type"}
    if type_name in ("object", "nested"):
        return _parse_object(declared, type_name == "nested", rest, ctx)
    if type_name == "alias":
        return _parse_alias(name, declared, rest)
    type_def = TYPES.get(type_name)
    if type_def is None:
        raise mapper_parsing(f"No handler for type [{type_name}] declared on field [{declared}]")
    return parse_leaf(name, type_def, rest, ctx)


def _parse_object(name: str, nested: bool, rest: dict[str, Any], ctx: ParseContext) -> Object:
    rest.pop("include_in_all", None)
    dynamic = parse_dynamic(rest.pop("dynamic")) if "dynamic" in rest else None
    enabled = to_bool(rest.pop("enabled"), "enabled.enabled") if "enabled" in rest else None
    properties = parse_properties(rest.pop("properties"), ctx) if "properties" in rest else {}
    flags: dict[str, bool | None] = {}
    for flag in ("include_in_parent", "include_in_root"):
        flags[flag] = to_bool(rest.pop(flag), f"{name}.{flag}") if nested and flag in rest else None
    _refuse_rest(name, rest)
    return Object(properties, dynamic, enabled, nested, flags["include_in_parent"], flags["include_in_root"])


def _parse_alias(name: str, declared: str, rest: dict[str, Any]) -> Alias:
    path = rest.pop("path", None)
    path = "" if path is None else java_str(path)
    if not path:
        raise mapper_parsing(f"The [path] property must be specified for field [{name}].")
    _refuse_rest(declared, rest)
    return Alias(path)


def parse_leaf(name: str, type_def: TypeDef, definition: Mapping[str, Any], ctx: ParseContext) -> Leaf:
    values: dict[str, Any] = {}
    fields: dict[str, Leaf] = {}
    copy_to: tuple[str, ...] = ()
    for key, value in definition.items():
        if key == "fields":
            fields = _parse_multi_fields(name, value, ctx)
        elif key == "copy_to":
            copy_to = _parse_copy_to(value)
        elif (param := type_def.by_name.get(key)) is not None:
            _set(values, name, type_def, param, value, ctx)
        elif type_def.plain:
            raise unsupported(f"Mapping definition for [{name}] has unsupported parameters", {key: value})
        elif key not in _IGNORED_PARAMS:
            raise mapper_parsing(f"unknown parameter [{key}] on mapper [{name}] of type [{type_def.name}]")
    type_def.validate(name, values)
    return Leaf(type_def, values, fields, copy_to)


def _set(values: dict[str, Any], name: str, type_def: TypeDef, param: Param, value: Any, ctx: ParseContext) -> None:
    if value is None and not param.nullable:
        raise mapper_parsing(
            f"[{param.name}] on mapper [{name}] of type [{type_def.name}] must not have a [null] value"
        )
    parsed = param.parse(name, value, ctx)
    if param.explicit or parsed != param.default:
        values[param.name] = parsed


def _parse_copy_to(value: Any) -> tuple[str, ...]:
    if isinstance(value, list):
        return tuple(java_str(target) for target in value)
    return (java_str(value),)


def _parse_multi_fields(name: str, body: Any, ctx: ParseContext) -> dict[str, Leaf]:
    if isinstance(body, list) and not body:
        return {}
    if not isinstance(body, dict):
        raise mapper_parsing(
            f"expected map for property [fields] on field [{name}] or [fields] but got a {java_class(body)}"
        )
    fields: dict[str, Leaf] = {}
    for key, definition in body.items():
        if "." in key:
            raise mapper_parsing(f"Field name [{key}] which is a multi field of [{name}] cannot contain '.'")
        if not isinstance(definition, dict):
            raise mapper_parsing(f"illegal field [{key}], only fields can be specified inside fields")
        fields[key] = _parse_multi_field(key, definition, ctx)
    return fields


def _parse_multi_field(name: str, definition: Mapping[str, Any], ctx: ParseContext) -> Leaf:
    if definition.get("type") is None:
        raise mapper_parsing(f"no type specified for property [{name}]")
    type_name = java_str(definition["type"])
    if type_name in ("object", "nested", "alias"):
        raise mapper_parsing(f"Type [{type_name}] cannot be used in multi field")
    type_def = TYPES.get(type_name)
    if type_def is None:
        raise mapper_parsing(f"no handler for type [{type_name}] declared on field [{name}]")
    return parse_leaf(name, type_def, {key: value for key, value in definition.items() if key != "type"}, ctx)
