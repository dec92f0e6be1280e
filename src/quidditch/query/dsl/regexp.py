"""regexp: values that match a Lucene regular expression as a whole."""

from __future__ import annotations

from typing import Any

from quidditch.query import ops
from quidditch.query.context import QueryContext
from quidditch.query.dsl.multi_term import check_rewrite, insensitive, on_metadata, scored, string_field
from quidditch.query.dsl.single import dressed, one_field, required
from quidditch.query.errors import QueryFault, argument
from quidditch.query.fields import keyword_of
from quidditch.query.ops import Op
from quidditch.query.values import read_int, read_text, text_of

_OPTIONS = frozenset(
    {"boost", "_name", "rewrite", "case_insensitive", "flags", "flags_value", "max_determinized_states"}
)
FLAGS = {"INTERSECTION": 1, "COMPLEMENT": 2, "EMPTY": 4, "ANYSTRING": 8, "INTERVAL": 32, "NONE": 0, "ALL": 0xFF}
_STATES = 10_000


def regexp(body: dict[str, Any], ctx: QueryContext) -> Op:
    label = {key: body[key] for key in ("_name",) if key in body and not isinstance(body[key], (dict, list))}
    if label and len(body) > 1:
        body = {key: value for key, value in body.items() if key != "_name"}
    else:
        label = {}
    field, value, options = one_field("regexp", body, ("value",), _OPTIONS)
    required(field, value)
    flags = _flags(options)
    states = read_int(options.get("max_determinized_states", _STATES), options, "max_determinized_states")
    rewrite = check_rewrite(options)
    op = regexp_op(field, text_of(value), flags, states, insensitive(options), ctx)
    return dressed(dressed(scored(op, rewrite), options, ctx, "regexp"), label, ctx)


def _flags(options: dict[str, Any]) -> str:
    if "flags_value" in options:
        bits = read_int(options["flags_value"], options, "flags_value")
        return "|".join(name for name, bit in FLAGS.items() if bit and bit != 0xFF and bits & bit) or "NONE"
    if options.get("flags") is None:
        return "ALL"
    text = read_text(options["flags"], options, "flags")
    names = [name for name in text.upper().split("|") if name]
    for name in names:
        if name not in FLAGS:
            raise argument(f"Unknown regexp flag [{name}]")
    return "|".join(names) or "ALL"


def regexp_op(path: str, value: str, flags: str, states: int, case_insensitive: bool, ctx: QueryContext) -> Op:
    check_length(value, ctx)
    field = string_field("regexp", path, "keyword and text", ctx)
    arguments = {"flags": flags, "case_insensitive": case_insensitive, "max_determinized_states": states}
    if field is None:
        return on_metadata("regexp", path, value, arguments) if path != "_index" else ops.no_docs()
    return {"regexp": {"field": field.path, "value": keyword_of(field, value, ctx), **arguments}}


def check_length(value: str, ctx: QueryContext) -> None:
    """Refuses patterns above the index's limit."""
    limit = ctx.settings.max_regex_length
    if len(value) > limit:
        raise QueryFault(
            f"The length of regex [{len(value)}] used in the Regexp Query request has exceeded the allowed maximum of [{limit}]. "
            "This maximum can be set by changing the [index.max_regex_length] index level setting."
        )
