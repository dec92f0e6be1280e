"""match_all and match_none."""

from __future__ import annotations

from typing import Any

from quidditch.query import ops
from quidditch.query.context import QueryContext
from quidditch.query.dsl.single import dressed
from quidditch.query.errors import Malformed
from quidditch.query.ops import Op


def _check(name: str, body: dict[str, Any]) -> None:
    for key, value in body.items():
        if key not in ("boost", "_name"):
            if isinstance(value, (dict, list)):
                raise Malformed(
                    f"[{name}] malformed query, expected [END_OBJECT] but found [FIELD_NAME]", body, key, "key"
                )
            raise Malformed(f"[{name}] unknown field [{key}]", body, key, "key", "x_content_parse_exception")


def match_all(body: dict[str, Any], ctx: QueryContext) -> Op:
    _check("match_all", body)
    return dressed(ops.all_docs(), body, ctx, "match_all")


def match_none(body: dict[str, Any], ctx: QueryContext) -> Op:
    _check("match_none", body)
    return dressed(ops.no_docs(), body, ctx, "match_none")
