"""highlight: global and per-field options, merged, defaulted and resolved to the fields of an index."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from quidditch.query.compiler import compile_query
from quidditch.query.context import Field, QueryContext
from quidditch.query.errors import Malformed, argument, did_you_mean, failed_field, shard_argument, x_content
from quidditch.query.fields import TEXTS
from quidditch.query.values import read_bool, read_int, read_text, text_of, token_name

_TAGS = ["<em>"], ["</em>"]
_STYLED = [f'<em class="hlt{n}">' for n in range(1, 11)]
_DEFAULTS: dict[str, Any] = {
    "pre_tags": ["<em>"],
    "post_tags": ["</em>"],
    "fragment_size": 100,
    "number_of_fragments": 5,
    "no_match_size": 0,
    "require_field_match": True,
    "order": "none",
    "type": "unified",
    "boundary_scanner": None,
    "boundary_max_scan": 20,
    "boundary_chars": ".,!? \t\n",
    "boundary_scanner_locale": None,
    "phrase_limit": 256,
    "max_analyzer_offset": None,
    "fragmenter": "span",
    "force_source": False,
    "highlight_filter": True,
}
_INTS = (
    "fragment_size",
    "number_of_fragments",
    "no_match_size",
    "boundary_max_scan",
    "phrase_limit",
    "max_analyzer_offset",
    "fragment_offset",
)
_BOOLS = ("require_field_match", "force_source", "highlight_filter")
_TEXTS = ("order", "type", "boundary_scanner", "boundary_scanner_locale", "fragmenter", "boundary_chars")
_COMMON = frozenset((*_INTS, *_BOOLS, *_TEXTS, "pre_tags", "post_tags", "highlight_query", "options")) - {
    "fragment_offset"
}
_GLOBAL = _COMMON | {"fields", "encoder", "tags_schema"}
_FIELD = _COMMON | {"fragment_offset", "matched_fields"}
_TYPES = ("unified", "plain", "fvh")
_WILDCARD_TYPES = TEXTS | {"keyword"}


def highlight_plan(spec: Any, ctx: QueryContext) -> dict[str, Any]:
    """`{"fields": […], "encoder"}` with every option filled in and only fields that exist."""
    if not isinstance(spec, dict):
        raise Malformed(f"[highlight] malformed, expected [START_OBJECT] but found [{token_name(spec)}]")
    options = {**_DEFAULTS, **_options("highlight", spec, _GLOBAL, ctx)}
    encoder = read_text(spec.get("encoder", "default"), spec, "encoder")
    fields: dict[str, dict[str, Any]] = {}
    for pattern, own in _fields(spec):
        try:
            chosen = {**options, **_options("highlight_field", own, _FIELD, ctx)}
        except Malformed as error:
            raise failed_field("highlight", "fields", failed_field("fields", pattern, error)) from None
        _check(chosen, pattern, ctx.settings.max_analyzed_offset)
        for name, field in _resolve(pattern, ctx):
            fields[name] = {
                "name": name,
                "field": field.path,
                "max_analyzed_offset": ctx.settings.max_analyzed_offset,
                **chosen,
            }
            if "matched_fields" in own:
                fields[name]["matched_fields"] = own["matched_fields"]
    return {"fields": list(fields.values()), "encoder": encoder}


def _fields(spec: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    given = spec.get("fields", {})
    if isinstance(given, dict):
        items = [given]
    elif isinstance(given, list):
        items = given
    else:
        raise x_content(
            f"[highlight] fields doesn't support values of type: {token_name(given)}", spec, "fields", "value"
        )
    for item in items:
        if not isinstance(item, dict) or (given is not item and len(item) != 1):
            reason = (
                "[highlight] fields can be a single object with any number of fields or an array where each entry is an "
                "object with a single field"
            )
            raise x_content(reason, spec, "fields", "value")
        for name, own in item.items():
            if not isinstance(own, dict):
                wrong = f"[highlight_field] Expected START_OBJECT but was: {token_name(own)}"
                inner = failed_field("fields", name, x_content(wrong, item, name, "value"))
                raise failed_field("highlight", "fields", inner)
            yield name, own


def _options(name: str, spec: dict[str, Any], allowed: frozenset[str], ctx: QueryContext) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in spec.items():
        if key not in allowed:
            raise x_content(f"[{name}] unknown field [{key}]{did_you_mean(key, allowed)}", spec, key)
        if key in _INTS:
            found[key] = read_int(value, spec, key)
        elif key in _BOOLS:
            found[key] = read_bool(value, spec, key)
        elif key in _TEXTS:
            text = read_text(value, spec, key)
            found[key] = text if key == "boundary_chars" else text.lower()
        elif key in ("pre_tags", "post_tags"):
            found[key] = [text_of(tag) for tag in (value if isinstance(value, list) else [value])]
        elif key == "matched_fields":
            found[key] = [text_of(path) for path in (value if isinstance(value, list) else [value])]
        elif key == "tags_schema":
            found.update(_schema(read_text(value, spec, key), spec))
        elif key == "highlight_query":
            found[key] = compile_query(value, ctx, spec, key)
    return found


def _schema(name: str, spec: dict[str, Any]) -> dict[str, Any]:
    if name == "default":
        return {"pre_tags": _TAGS[0], "post_tags": _TAGS[1]}
    if name == "styled":
        return {"pre_tags": _STYLED, "post_tags": ["</em>"]}
    raise failed_field("highlight", "tags_schema", argument(f"Unknown tag schema [{name}]"), spec)


def _check(options: dict[str, Any], name: str, limit: int) -> None:
    if options["type"] not in _TYPES:
        raise shard_argument(f"unknown highlighter type [{options['type']}] for the field [{name}]")
    if options["order"] != "score":
        options["order"] = "none"
    scanner = options["boundary_scanner"]
    if scanner is not None and scanner not in ("chars", "word", "sentence"):
        kinds = "org.opensearch.search.fetch.subphase.highlight.HighlightBuilder.BoundaryScannerType"
        raise argument(f"No enum constant {kinds}.{scanner.upper()}")
    if scanner is None:
        options["boundary_scanner"] = "chars" if options["type"] == "fvh" else "sentence"
    offset = options["max_analyzer_offset"]
    if offset is not None and offset <= 0:
        raise shard_argument(f"the value [{offset}] of max_analyzer_offset is invalid")
    if offset is not None and options["type"] != "fvh" and offset > limit:
        raise shard_argument(
            f"max_analyzer_offset has exceeded [{limit}] - maximum allowed to be analyzed for highlighting. This maximum can be set by "
            "changing the [index.highlight.max_analyzed_offset] index level setting. For large texts, indexing with offsets or term "
            "vectors is recommended!"
        )


def _resolve(pattern: str, ctx: QueryContext) -> Iterator[tuple[str, Field]]:
    if "*" not in pattern:
        field = ctx.field(pattern)
        if field is not None:
            yield pattern, field
        return
    for name, field in ctx.mapping.matching(pattern).items():
        if field.type in _WILDCARD_TYPES:
            yield name, field
