"""Parses a whole mapping: the root object's parameters, metadata fields, dynamic templates and properties."""

from __future__ import annotations

import re
from typing import Any

from quidditch.mapping.context import UNCHECKED, ParseContext
from quidditch.mapping.objects import parse_dynamic, parse_properties, unsupported
from quidditch.mapping.tree import DynamicTemplate, Object, Root, Source
from quidditch.mapping.values import java_str, to_bool
from quidditch.model.errors import ApiError, illegal_argument, mapper_parsing

JSON_TYPES = ("object", "string", "long", "double", "boolean", "date", "binary")
_TEMPLATE_PATTERNS = ("match", "unmatch", "path_match", "path_unmatch")
_NOT_CONFIGURABLE = ("_id", "_index", "_ignored", "_nested_path", "_seq_no", "_version", "_doc_count")


def parse_root(body: dict[str, Any] | None, ctx: ParseContext = UNCHECKED) -> Root:
    """`body` is the mapping itself, without a type around it."""
    rest = dict(body or {})
    rest.pop("include_in_all", None)
    dynamic = parse_dynamic(rest.pop("dynamic")) if "dynamic" in rest else None
    enabled = to_bool(rest.pop("enabled"), "enabled.enabled") if "enabled" in rest else None
    properties = parse_properties(rest.pop("properties"), ctx) if "properties" in rest else {}
    root = Root(
        object=Object(properties, dynamic, enabled),
        dynamic_date_formats=_date_formats(rest, ctx),
        dynamic_templates=_dynamic_templates(rest.pop("dynamic_templates")) if "dynamic_templates" in rest else None,
        date_detection=_flag(rest, "date_detection"),
        numeric_detection=_flag(rest, "numeric_detection"),
        source=_source(rest),
        routing_required=_routing(rest),
        data_stream_timestamp=_timestamp(rest),
        field_names_enabled=_field_names(rest),
        meta=_meta(rest),
    )
    _refuse_fixed(rest)
    if rest:
        raise unsupported("Root mapping definition has unsupported parameters", rest)
    return root


def _flag(rest: dict[str, Any], name: str) -> bool | None:
    return to_bool(rest.pop(name), name) if name in rest else None


def _date_formats(rest: dict[str, Any], ctx: ParseContext) -> tuple[str, ...] | None:
    found: tuple[str, ...] | None = None
    for key in ("date_formats", "dynamic_date_formats"):
        if key not in rest:
            continue
        value = rest.pop(key)
        if not isinstance(value, list):
            found = () if java_str(value) == "none" else (_date_format(value, ctx),)
            continue
        found = tuple(_date_format(item, ctx) for item in value)
        for text in found:
            if text.startswith("epoch_"):
                raise mapper_parsing(f"Epoch [{text}] is not supported as dynamic date format")
    return found


def _date_format(value: Any, ctx: ParseContext) -> str:
    if not isinstance(value, str):
        raise illegal_argument(f"Invalid format: [{java_str(value)}]")
    if ctx.check_date_format is not None:
        ctx.check_date_format(value)
    return value


def _meta(rest: dict[str, Any]) -> dict[str, Any] | None:
    meta = rest.pop("_meta", None)
    if meta is not None and not isinstance(meta, dict):
        raise mapper_parsing(f"[_meta] must be an object, got [{java_str(meta)}]")
    return meta


def _metadata(rest: dict[str, Any], name: str) -> dict[str, Any] | None:
    """The definition of a metadata field, taken out of `rest`."""
    if name not in rest:
        return None
    body = rest.pop(name)
    if not isinstance(body, dict):
        raise illegal_argument("[_parent] must be an object containing [type]")
    return {key: value for key, value in body.items() if key != "type"}


def _check_known(name: str, body: dict[str, Any], known: tuple[str, ...]) -> None:
    for key, value in body.items():
        if key not in known:
            raise mapper_parsing(f"unknown parameter [{key}] on mapper [{name}] of type [null]")
        if value is None:
            raise mapper_parsing(f"[{key}] on mapper [{name}] of type [null] must not have a [null] value")


def _source(rest: dict[str, Any]) -> Source | None:
    body = _metadata(rest, "_source")
    if body is None:
        return None
    _check_known("_source", body, ("enabled", "includes", "excludes"))
    lists = {key: _texts(body[key]) for key in ("includes", "excludes") if key in body}
    return Source(to_bool(body.get("enabled", True)), lists.get("includes", ()), lists.get("excludes", ()))


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(java_str(item) for item in value) if isinstance(value, list) else (java_str(value),)


def _routing(rest: dict[str, Any]) -> bool | None:
    body = _metadata(rest, "_routing")
    if body is None:
        return None
    _check_known("_routing", body, ("required",))
    return to_bool(body.get("required", False))


def _timestamp(rest: dict[str, Any]) -> str | None:
    body = _metadata(rest, "_data_stream_timestamp")
    if body is None:
        return None
    _check_known("_data_stream_timestamp", body, ("enabled",))
    return "@timestamp" if to_bool(body.get("enabled", False)) else None


def _field_names(rest: dict[str, Any]) -> bool | None:
    """`_field_names` is kept and does nothing, as in OpenSearch."""
    body = _metadata(rest, "_field_names")
    if body is None or "enabled" not in body:
        return None
    _check_known("_field_names", body, ("enabled",))
    return to_bool(body["enabled"])


def _refuse_fixed(rest: dict[str, Any]) -> None:
    for name in _NOT_CONFIGURABLE:
        if name in rest:
            raise mapper_parsing(f"{name} is not configurable")


# --- dynamic templates ----------------------------------------------------------------------------------------------


def _dynamic_templates(value: Any) -> tuple[DynamicTemplate, ...]:
    if not isinstance(value, list):
        raise mapper_parsing("Dynamic template syntax error. An array of named objects is expected.")
    templates: list[DynamicTemplate] = []
    for item in value:
        if not isinstance(item, dict) or len(item) != 1:
            raise mapper_parsing("A dynamic template must be defined with a name")
        (name, body), *_ = item.items()
        if not isinstance(body, dict):
            raise mapper_parsing(f"dynamic template [{name}] must be an object")
        templates.append(_dynamic_template(name, body))
    return tuple(templates)


def _dynamic_template(name: str, body: dict[str, Any]) -> DynamicTemplate:
    texts: dict[str, str] = {}
    mapping: dict[str, Any] | None = None
    for key, value in body.items():
        if key == "mapping":
            if not isinstance(value, dict):
                raise mapper_parsing("template must have mapping set")
            mapping = value
        elif key in _TEMPLATE_PATTERNS or key in ("match_mapping_type", "match_pattern"):
            texts[key] = java_str(value)
        else:
            raise illegal_argument(f"Illegal dynamic template parameter: [{key}]")
    if not {"match", "path_match", "match_mapping_type"} & texts.keys():
        raise mapper_parsing(f"template must have match, path_match or match_mapping_type set {java_str(body)}")
    if mapping is None:
        raise mapper_parsing("template must have mapping set")
    mapping_type = texts.pop("match_mapping_type", None)
    if mapping_type is not None and mapping_type != "*" and mapping_type not in JSON_TYPES:
        raise illegal_argument(
            f"No field type matched on [{mapping_type}], possible values are [{', '.join(JSON_TYPES)}]"
        )
    _check_patterns(name, texts)
    return DynamicTemplate(name, mapping, match_mapping_type=None if mapping_type == "*" else mapping_type, **texts)


def _check_patterns(name: str, texts: dict[str, str]) -> None:
    kind = texts.get("match_pattern", "simple")
    if kind not in ("simple", "regex"):
        raise illegal_argument(f"No matching pattern matched on [{kind}]")
    if kind == "simple":
        texts.pop("match_pattern", None)
        return
    for key in _TEMPLATE_PATTERNS:
        if key in texts:
            try:
                re.compile(texts[key])
            except re.error:
                raise illegal_argument(
                    f"Pattern [{texts[key]}] of type [{kind}] is invalid. Cannot create dynamic template [{name}]."
                ) from None


def wrap_create_error(error: ApiError) -> ApiError:
    """The error of creating an index whose mapping cannot be parsed."""
    reason = f"Failed to parse mapping [_doc]: {error.reason}"
    own = {"type": "mapper_parsing_exception", "reason": reason}
    java = error.type in ("illegal_argument_exception", "number_format_exception")
    root = [own] if java else [{"type": error.type, "reason": error.reason}]
    return ApiError(400, "mapper_parsing_exception", reason, {"caused_by": error.body()}, root)
