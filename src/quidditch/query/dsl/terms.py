"""terms: any of a list of values, given here or taken from a document (terms lookup)."""

from __future__ import annotations

from typing import Any

from quidditch.query import bitmap, ops
from quidditch.query.context import QueryContext, TermsLookup
from quidditch.query.dsl.meta import metadata_terms
from quidditch.query.dsl.single import dressed
from quidditch.query.errors import Malformed, QueryFault, argument
from quidditch.query.fields import terms_query
from quidditch.query.ops import Op
from quidditch.query.values import is_value, read_bool, read_text, token_name


def terms(body: dict[str, Any], ctx: QueryContext) -> Op:
    field: str | None = None
    source: Any = None
    for key, value in body.items():
        if isinstance(value, (dict, list)):
            if field is not None:
                raise Malformed("[terms] query does not support multiple fields", body, key)
            field, source = key, value
        elif key not in ("boost", "_name", "value_type"):
            raise Malformed(f"[terms] query does not support [{key}]", body, key)
    if field is None:
        reason = "[terms] query requires a field name, followed by array of terms or a document lookup specification"
        raise Malformed(reason, body, None, "end")
    kind = read_text(body["value_type"], body, "value_type") if "value_type" in body else "default"
    if kind not in ("default", "bitmap"):
        raise argument(f"unknown value_type type [{kind}]")
    values = _lookup(source, ctx) if isinstance(source, dict) else _values(source)
    if kind == "bitmap":
        values = _integers(values)
    return dressed(_compile(field, values, ctx), body, ctx, "terms")


def _integers(values: list[Any]) -> list[Any]:
    if len(values) != 1:
        raise argument(
            "Invalid value for bitmap type: Expected a single-element array with a base64 encoded serialized bitmap."
        )
    found: list[Any] = list(bitmap.decode(read_text(values[0])))
    return found


def _values(source: list[Any]) -> list[Any]:
    for number, value in enumerate(source):
        if value is None:
            raise Malformed("No value specified for terms query", source, number)
        if not is_value(value):
            raise Malformed(f"[terms] unknown token [{token_name(value)}] in the list of values", source, number)
    return source


def parse_lookup(spec: dict[str, Any]) -> TermsLookup:
    """``{"index", "id", "path", "routing", "store"}``."""
    for key, value in spec.items():
        if key not in ("index", "id", "path", "routing", "store"):
            reason = f"[terms_lookup] unknown field [{key}]"
            raise Malformed(reason, spec, key, "key", "x_content_parse_exception")
        if not is_value(value):
            raise Malformed(f"[terms] query does not support [{key}] of [{token_name(value)}]", spec, key)
    if "store" in spec:
        read_bool(spec["store"], spec, "store")
    for name in ("path", "index", "id"):
        if spec.get(name) is None:
            raise argument(f"Required [{name}]")
    routing = spec.get("routing")
    texts = [read_text(spec[name], spec, name) for name in ("index", "id", "path")]
    return TermsLookup(texts[0], texts[1], texts[2], None if routing is None else read_text(routing, spec, "routing"))


def _lookup(spec: dict[str, Any], ctx: QueryContext) -> list[Any]:
    lookup = parse_lookup(spec)
    return list(ctx.lookup(lookup)) if ctx.lookup is not None else []


def _compile(path: str, values: list[Any], ctx: QueryContext) -> Op:
    limit = ctx.settings.max_terms_count
    if len(values) > limit:
        raise QueryFault(
            f"The number of terms [{len(values)}] used in the Terms Query request has exceeded the allowed maximum of [{limit}]. "
            "This maximum can be set by changing the [index.max_terms_count] index level setting."
        )
    ctx.count_clause()
    field = ctx.field(path)
    if field is None:
        special = metadata_terms(path, values, ctx)
        return special if special is not None else ops.no_docs()
    if not values:
        return ops.no_docs()
    return terms_query(field, values, ctx)
