"""What a hit shows: `_source` filters, doc values, fields, stored fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from quidditch.query.context import Field, QueryContext
from quidditch.query.errors import Malformed, ShardError, argument, shard_argument, x_content
from quidditch.query.fields import DATES, NUMERIC
from quidditch.query.values import read_bool, read_text, token_name


@dataclass(frozen=True, slots=True)
class SourceFilter:
    """`fetch` false: no source at all; empty tuples: all of it."""

    fetch: bool = True
    includes: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()

    def to_plan(self) -> Any:
        if not self.fetch or not (self.includes or self.excludes):
            return self.fetch
        return {"includes": list(self.includes), "excludes": list(self.excludes)}


@dataclass(frozen=True, slots=True)
class FieldRequest:
    """A field name or pattern with an optional format."""

    field: str
    format: str | None = None


def read_source(value: Any, node: Any = None, key: str | None = None) -> SourceFilter:
    """All forms of `_source`: true, "a.*", ["a", "b"], {"includes": …, "excludes": …}."""
    if isinstance(value, bool):
        return SourceFilter(value)
    if isinstance(value, str):
        return SourceFilter(True, (value,))
    if isinstance(value, list):
        return SourceFilter(True, tuple(_texts(value)))
    if isinstance(value, dict):
        return _source_object(value)
    reason = f"Expected one of [VALUE_BOOLEAN, START_OBJECT] but found [{token_name(value)}]"
    raise Malformed(reason, node, key)


def _source_object(value: dict[str, Any]) -> SourceFilter:
    found: dict[str, tuple[str, ...]] = {"includes": (), "excludes": ()}
    names = {"includes": "includes", "include": "includes", "excludes": "excludes", "exclude": "excludes"}
    for key, item in value.items():
        if key == "exclude_vectors" and isinstance(item, bool):
            continue  # elasticsearch-py 9 says so of every search; no field here keeps its vectors out of the source
        name = names.get(key)
        if name is None or isinstance(item, dict) or item is None:
            raise Malformed(f"Unknown key for a {token_name(item)} in [{key}].", value, key)
        found[name] = tuple(_texts(item, key)) if isinstance(item, list) else (read_text(item, value, key),)
    return SourceFilter(True, found["includes"], found["excludes"])


def _texts(items: list[Any], key: str = "_source") -> list[str]:
    texts = []
    for number, item in enumerate(items):
        if not isinstance(item, str):
            raise Malformed(f"Unknown key for a {token_name(item)} in [{key}].", items, number)
        texts.append(item)
    return texts


def read_stored_fields(value: Any, node: Any = None) -> list[str]:
    if not isinstance(value, (str, list)):
        raise Malformed(
            f"Expected [VALUE_STRING] or [START_ARRAY] in [stored_fields] but found [{token_name(value)}]",
            node,
            "stored_fields",
        )
    names = value if isinstance(value, list) else [value]
    for number, name in enumerate(names):
        if not isinstance(name, str):
            holder, key = (value, number) if isinstance(value, list) else (node, "stored_fields")
            raise Malformed(f"Can't get text on a {token_name(name)}", holder, key, type="illegal_argument_exception")
    if "_none_" in names and len(names) > 1:
        raise Malformed("cannot combine _none_ with other fields", type="illegal_argument_exception")
    return list(names)


def read_field_requests(items: list[Any]) -> list[FieldRequest]:
    """`docvalue_fields` and `fields`: names or {"field", "format"}."""
    found: list[FieldRequest] = []
    for number, item in enumerate(items):
        if isinstance(item, str):
            found.append(FieldRequest(item))
            continue
        if not isinstance(item, dict):
            raise Malformed(f"Expected [VALUE_STRING] or [START_OBJECT] but found [{token_name(item)}]", items, number)
        for key in item:
            if key not in ("field", "format", "include_unmapped"):
                raise x_content(f"[docvalues_field] unknown field [{key}]", item, key)
        if "field" not in item:
            raise argument("Required [field]")
        format = item.get("format")
        if item.get("include_unmapped") is not None:
            read_bool(item["include_unmapped"], item, "include_unmapped")
        found.append(
            FieldRequest(read_text(item["field"], item, "field"), None if format is None else read_text(format))
        )
    return found


def docvalue_plan(requests: Sequence[FieldRequest], ctx: QueryContext) -> list[dict[str, Any]]:
    """The columns asked for, patterns resolved, with the format that shows them."""
    found: dict[str, dict[str, Any]] = {}
    for request in requests:
        for name, field in _resolve(request.field, ctx).items():
            if not field.doc_values:
                if "*" in request.field:
                    continue
                raise no_doc_values(field)
            format = column_format(field, request.format)
            found[name] = _shown(name, field, format)
    limit = ctx.settings.max_docvalue_fields_search
    if len(requests) > limit:
        raise shard_argument(
            f"Trying to retrieve too many docvalue_fields. Must be less than or equal to: [{limit}] but was [{len(requests)}]. "
            "This limit can be set by changing the [index.max_docvalue_fields_search] index level setting."
        )
    return list(found.values())


def _shown(name: str, field: Field, format: str | None) -> dict[str, Any]:
    shown: dict[str, Any] = {"field": field.path, "format": format}
    if name != field.path:
        shown["name"] = name
    return shown


def no_doc_values(field: Field) -> ShardError:
    """Why a field cannot be sorted on, aggregated or read as doc values."""
    if field.type in ("text", "match_only_text"):
        return shard_argument(
            "Text fields are not optimised for operations that require per-document field data like aggregations and sorting, "
            "so these operations are disabled by default. Please use a keyword field instead. Alternatively, set fielddata=true "
            f"on [{field.path}] in order to load field data by uninverting the inverted index. Note that this can use significant memory."
        )
    return shard_argument(
        f"Can't load fielddata on [{field.path}] because fielddata is unsupported on fields of type [{field.type}]. "
        "Use doc values instead."
    )


def column_format(field: Field, format: str | None) -> str | None:
    """The format of a column: the one asked for, dates fall back to the field's own."""
    if format == "use_field_mapping":
        format = None
    if field.type in DATES:
        return format or field.format
    if format is None or field.type in NUMERIC:
        return format
    if field.type == "boolean":
        raise shard_argument(f"Field [{field.path}] of type [{field.type}] does not support custom formats")
    raise shard_argument(f"Field [{field.path}] of type [{field.type}] does not support custom formats")


def fields_plan(requests: Sequence[FieldRequest], ctx: QueryContext) -> list[dict[str, Any]]:
    """The leaves asked for by `fields`, patterns resolved."""
    if requests and not ctx.mapping.source_enabled:
        raise shard_argument(
            f"Unable to retrieve the requested [fields] since _source is disabled in the mappings for index [{ctx.index}]"
        )
    found: dict[str, dict[str, Any]] = {}
    for request in requests:
        for name, field in _resolve(request.field, ctx).items():
            if request.format is not None and field.type not in DATES:
                raise shard_argument(f"Field [{name}] of type [{field.type}] doesn't support formats.")
            format = (request.format or field.format) if field.type in DATES else None
            found[name] = _shown(name, field, format)
    return list(found.values())


def _resolve(pattern: str, ctx: QueryContext) -> dict[str, Field]:
    if "*" not in pattern:
        field = ctx.mapping.field(pattern)
        return {} if field is None else {pattern: field}
    return dict(ctx.mapping.matching(pattern))
