"""`_analyze`: what an analyzer makes of a text."""

from __future__ import annotations

from typing import Any

import orjson

import quidditch_kernel
from quidditch.mapping import settings as index_settings
from quidditch.model import expressions
from quidditch.model.errors import ApiError, illegal_argument, validation
from quidditch.rest.node import Node
from quidditch.rest.request import Request, kind_of
from quidditch.rest.response import Response
from quidditch.rest.route import Route

_MEMBERS = ("text", "analyzer", "field", "tokenizer", "filter", "char_filter", "explain", "attributes", "normalizer")
_DEFAULT_MAX_TOKENS = 10_000


def _checked(body: dict[str, Any], indexed: bool) -> dict[str, Any]:
    for key in body:
        if key not in _MEMBERS:
            raise ApiError(400, "x_content_parse_exception", f"[1:1] [analyze_request] unknown field [{key}]")
    text = body.get("text")
    pieces = text if isinstance(text, list) else [text] if text is not None else []
    for piece in pieces:
        if not isinstance(piece, str):
            raise ApiError(
                400,
                "x_content_parse_exception",
                f"[1:1] [analyze_request] text doesn't support values of type: {kind_of(piece)}",
            )
    problems = []
    if not pieces:
        problems.append("text is missing")
    if not indexed and body.get("normalizer") is not None:
        problems.append("index is required if normalizer is specified")
    if body.get("normalizer") is not None and (body.get("tokenizer") is not None or body.get("analyzer") is not None):
        problems.append("tokenizer/analyze should be null if normalizer is specified")
    if body.get("analyzer") is not None and (body.get("filter") or body.get("char_filter")):
        raise illegal_argument("cannot define extra components on a named analyzer")
    if problems:
        raise validation(*problems)
    if not indexed and body.get("field") is not None:
        raise illegal_argument("analysis based on a specific field requires an index")
    return {**body, "text": pieces}


async def analyze(request: Request, node: Node) -> Response:
    if not request.content():
        raise ApiError(400, "parse_exception", "request body or source parameter is required")
    name = request.param("index")
    body = _checked(request.json_object(), name is not None)
    if name is None:
        return Response.raw(quidditch_kernel.analyze(b"{}", _request(body, _DEFAULT_MAX_TOKENS)))
    index = expressions.single_index(node.control.state, name, node.clock.now_ms())
    compiled = node.mappings.get(index)
    limit = index_settings.value(index.spec.settings, "index.analyze.max_token_count")
    field = body.get("field")
    if isinstance(field, str):
        found = compiled.root.field(field)
        if found is not None:
            body["field"] = found.path
            if found.type not in ("text", "match_only_text", "keyword", "wildcard"):
                raise illegal_argument(
                    f"Can't process field [{field}], Analysis requests are only supported on tokenized fields"
                )
    return Response.raw(compiled.kernel.analyze(_request(body, limit)))


def _request(body: dict[str, Any], max_tokens: int) -> bytes:
    return orjson.dumps({**body, "max_token_count": max_tokens})


ROUTES = [Route(method, path, analyze) for method in ("GET", "POST") for path in ("/_analyze", "/{index}/_analyze")]
