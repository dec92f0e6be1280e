"""Structural OpenAPI schemas of msgspec structs, as CustomResourceDefinitions hold them.

Every field has a text, which `kubectl explain` shows: in its annotation (`msgspec.Meta(description=…)`), or in what :func:`of` is given for
structs of the model, which have their texts in docstrings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import inspect

Schema = dict[str, Any]
Texts = Mapping[str, str]
"""`Struct.field` and what it is."""
_INT64 = "int64"


def of(type: Any, texts: Texts | None = None) -> Schema:
    """Raises KeyError for a field without a text, TypeError for a type that no schema has."""
    return _schema(inspect.type_info(type), texts or {})


def free(description: str) -> Schema:
    """An object of whatever members, all of them kept."""
    return {"type": "object", "description": description, "x-kubernetes-preserve-unknown-fields": True}


def lasting(schema: Schema) -> Schema:
    """Of what the control plane alone writes: it may be newer than the definitions, which charts do not renew, so members that are not
    known here are kept and words that are not known are taken. Pruned state would be lost state.
    """
    made = {key: value for key, value in schema.items() if key != "enum"}
    if "properties" in made:
        made["properties"] = {name: lasting(inner) for name, inner in made["properties"].items()}
        made["x-kubernetes-preserve-unknown-fields"] = True
    for key in ("items", "additionalProperties"):
        if isinstance(made.get(key), dict):
            made[key] = lasting(made[key])
    return made


def _schema(type: inspect.Type, texts: Texts) -> Schema:
    match type:
        case inspect.Metadata():
            inner = _schema(type.type, texts)
            return {**inner, **(type.extra_json_schema or {})}
        case inspect.StructType():
            return _object(type, texts)
        case inspect.StrType():
            return {
                "type": "string",
                **_given(pattern=type.pattern, maxLength=type.max_length, minLength=type.min_length),
            }
        case inspect.BoolType():
            return {"type": "boolean"}
        case inspect.IntType():
            return {"type": "integer", "format": _INT64, **_given(minimum=type.ge, maximum=type.le)}
        case inspect.LiteralType():
            return {"type": "string", "enum": list(type.values)}
        case inspect.VarTupleType() | inspect.ListType():
            return {"type": "array", "items": _schema(type.item_type, texts), **_given(maxItems=type.max_length)}
        case inspect.DictType():
            if isinstance(type.value_type, inspect.AnyType):
                return {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
            return {"type": "object", "additionalProperties": _schema(type.value_type, texts)}
        case inspect.UnionType():
            if {each.__class__ for each in type.types} == {inspect.IntType, inspect.StrType}:
                return {"x-kubernetes-int-or-string": True}
            others = [each for each in type.types if not isinstance(each, inspect.NoneType)]
            if len(others) == 1:
                return {**_schema(others[0], texts), "nullable": True}
    raise TypeError(f"no schema for {type}")


def _object(type: inspect.StructType, texts: Texts) -> Schema:
    properties = {
        field.encode_name: {**_schema(field.type, texts), "description": _text(type, field, texts)}
        for field in type.fields
    }
    required = [field.encode_name for field in type.fields if field.required]
    return {"type": "object", "properties": properties, **({"required": required} if required else {})}


def _text(type: inspect.StructType, field: inspect.Field, texts: Texts) -> str:
    extra = field.type.extra_json_schema or {} if isinstance(field.type, inspect.Metadata) else {}
    return str(extra.get("description") or texts[f"{type.cls.__name__}.{field.name}"])


def _given(**limits: Any) -> Schema:
    return {name: value for name, value in limits.items() if value is not None}


def described(description: str, **more: Any) -> msgspec.Meta:
    """An annotation of a field: its text, and what else its schema says."""
    return msgspec.Meta(extra_json_schema={"description": description, **more})
