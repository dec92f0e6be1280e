"""`keyword` and `wildcard`: whole values, not analysed."""

from __future__ import annotations

from typing import Any

from quidditch.mapping.context import ParseContext
from quidditch.mapping.types.base import (
    BOOST,
    DOC_VALUES,
    EAGER_GLOBAL_ORDINALS,
    INDEX,
    META,
    SIMILARITY,
    STORE,
    Param,
    TypeDef,
    bool_param,
    choice_param,
    int_param,
    norms_param,
    null_value_param,
)
from quidditch.mapping.values import INT_MAX, java_str
from quidditch.model.errors import mapper_parsing


def _parse_normalizer(field_name: str, value: Any, ctx: ParseContext) -> str | None:
    if value is None:
        return None
    name = java_str(value)
    if ctx.normalizers is not None and name not in ctx.normalizers:
        raise mapper_parsing(f"normalizer [{name}] not found for field [{field_name}]")
    return name


_IGNORE_ABOVE = int_param(
    "ignore_above", INT_MAX, updateable=True, minimum=0, problem="[ignore_above] must be positive, got [{value}]"
)
_NULL_VALUE = null_value_param(lambda _field, value: java_str(value))
_NORMALIZER = Param("normalizer", _parse_normalizer, None, nullable=True)

KEYWORD = TypeDef(
    "keyword",
    (
        INDEX,
        DOC_VALUES,
        STORE,
        _NULL_VALUE,
        EAGER_GLOBAL_ORDINALS,
        _IGNORE_ABOVE,
        choice_param("index_options", ("docs", "freqs"), "docs"),
        norms_param(False),
        SIMILARITY,
        _NORMALIZER,
        bool_param("split_queries_on_whitespace", False, updateable=True),
        bool_param("use_similarity", False, updateable=True),
        BOOST,
        META,
    ),
)

WILDCARD = TypeDef(
    "wildcard",
    (_NULL_VALUE, _IGNORE_ABOVE, _NORMALIZER, DOC_VALUES, META),
    canonical=lambda values: {"doc_values": True, **values},
    kernel=lambda shown: {**shown, "type": "keyword"},
)
"""Kept as a keyword: the kernel's term dictionary answers patterns without n-grams."""

TYPES = (KEYWORD, WILDCARD)
