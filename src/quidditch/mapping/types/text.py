"""`text` and `match_only_text`: analysed full text."""

from __future__ import annotations

from typing import Any

from quidditch.mapping.context import ParseContext
from quidditch.mapping.types.base import (
    BOOST,
    EAGER_GLOBAL_ORDINALS,
    INDEX,
    META,
    SIMILARITY,
    STORE,
    Param,
    TypeDef,
    Values,
    bool_param,
    choice_param,
    int_param,
    norms_param,
)
from quidditch.mapping.values import java_str, to_float, to_int
from quidditch.model.errors import illegal_argument, mapper_parsing

DEFAULT_ANALYZER = "default"
TERM_VECTORS = (
    "no",
    "yes",
    "with_positions",
    "with_offsets",
    "with_positions_offsets",
    "with_positions_payloads",
    "with_positions_offsets_payloads",
)


def _parse_analyzer(_field: str, value: Any, ctx: ParseContext) -> str:
    name = java_str(value)
    if ctx.analyzers is not None and name not in ctx.analyzers:
        raise illegal_argument(f"analyzer [{name}] has not been configured in mappings")
    return name


def _parse_index_prefixes(field_name: str, value: Any, _ctx: ParseContext) -> dict[str, int] | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise illegal_argument(f"[index_prefixes] must be an object, got [{java_str(value)}] for field [{field_name}]")
    rest = dict(value)
    low, high = to_int(rest.pop("min_chars", 2)), to_int(rest.pop("max_chars", 5))
    if rest:
        listed = "".join(f" [{key} : {java_str(item)}]" for key, item in rest.items())
        raise mapper_parsing(f"Mapping definition for [index_prefixes] has unsupported parameters: {listed}")
    if low > high:
        raise illegal_argument(f"min_chars [{low}] must be less than max_chars [{high}]")
    if low < 1:
        raise illegal_argument(f"min_chars [{low}] must be greater than zero")
    if high >= 20:
        raise illegal_argument(f"max_chars [{high}] must be less than 20")
    return {"min_chars": low, "max_chars": high}


def _parse_frequency_filter(field_name: str, value: Any, _ctx: ParseContext) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise illegal_argument(f"[fielddata_frequency_filter] must be an object for field [{field_name}]")
    rest = dict(value)
    parsed = {
        "min": to_float(rest.pop("min", 0)),
        "max": to_float(rest.pop("max", 2147483647)),
        "min_segment_size": to_int(rest.pop("min_segment_size", 0)),
    }
    if rest:
        listed = "".join(f" [{key} : {java_str(item)}]" for key, item in rest.items())
        raise mapper_parsing(f"Mapping definition for [{field_name}] has unsupported parameters: {listed}")
    return parsed


def analyzers(values: Values) -> tuple[str, str, str]:
    """Index, search and search-quote analyzer."""
    index = values.get("analyzer", DEFAULT_ANALYZER)
    search = values.get("search_analyzer", index)
    return index, search, values.get("search_quote_analyzer", search)


def _validate(name: str, values: Values) -> None:
    index_options = values.get("index_options", "positions")
    indexed = values.get("index", True)
    if values.get("index_phrases"):
        if not indexed:
            raise illegal_argument(f"Cannot set index_phrases on unindexed field [{name}]")
        if index_options not in ("positions", "offsets"):
            raise illegal_argument(f"Cannot set index_phrases on field [{name}] if positions are not enabled")
    if values.get("index_prefixes") and not indexed:
        raise illegal_argument(f"Cannot set index_prefixes on unindexed field [{name}]")
    if "position_increment_gap" in values and index_options not in ("positions", "offsets"):
        raise illegal_argument(f"Cannot set position_increment_gap on field [{name}] without positions enabled")


def _canonical(values: Values) -> Values:
    """Analyzers are shown where they differ from the next one in the chain, as OpenSearch prints them."""
    index, search, quote = analyzers(values)
    shown = {
        key: value
        for key, value in values.items()
        if key not in ("analyzer", "search_analyzer", "search_quote_analyzer")
    }
    if index != DEFAULT_ANALYZER or index != search or index != quote:
        shown["analyzer"] = index
    if search != index or search != quote:
        shown["search_analyzer"] = search
    if quote != search:
        shown["search_quote_analyzer"] = quote
    return shown


TEXT = TypeDef(
    "text",
    (
        INDEX,
        STORE,
        choice_param("index_options", ("positions", "docs", "freqs", "offsets"), "positions"),
        norms_param(True),
        choice_param("term_vector", TERM_VECTORS, "no"),
        Param("analyzer", _parse_analyzer, DEFAULT_ANALYZER),
        Param("search_analyzer", _parse_analyzer, None, updateable=True),
        Param("search_quote_analyzer", _parse_analyzer, None, updateable=True),
        SIMILARITY,
        int_param(
            "position_increment_gap", 100, minimum=0, problem="[position_increment_gap] must be positive, got [{value}]"
        ),
        bool_param("fielddata", False, updateable=True),
        Param("fielddata_frequency_filter", _parse_frequency_filter, None, updateable=True),
        EAGER_GLOBAL_ORDINALS,
        bool_param("index_phrases", False),
        Param("index_prefixes", _parse_index_prefixes, None, nullable=True),
        BOOST,
        META,
    ),
    validate=_validate,
    canonical=_canonical,
)

MATCH_ONLY_TEXT = TypeDef(
    "match_only_text",
    TEXT.params,
    validate=_validate,
    canonical=_canonical,
    kernel=lambda shown: {**shown, "type": "text"},
)

TYPES = (TEXT, MATCH_ONLY_TEXT)
