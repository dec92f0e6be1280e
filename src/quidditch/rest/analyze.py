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


def _wrong_kind(name: str, value: Any) -> ApiError:
    reason = f"[1:1] [analyze_request] {name} doesn't support values of type: {kind_of(value)}"
    return ApiError(400, "x_content_parse_exception", reason)


def _texts(body: dict[str, Any]) -> list[str]:
    """The texts to analyse; none if the request has none."""
    if "text" not in body:
        return []
    pieces = body["text"] if isinstance(body["text"], list) else [body["text"]]
    for piece in pieces:
        if not isinstance(piece, str):
            raise _wrong_kind("text", piece)
    return pieces


def _problems(body: dict[str, Any], pieces: list[str], indexed: bool) -> list[str]:
    problems = [] if pieces else ["text is missing"]
    normalizer, analyzer, tokenizer = (body.get(name) is not None for name in ("normalizer", "analyzer", "tokenizer"))
    extra = bool(body.get("filter") or body.get("char_filter"))
    if normalizer and not indexed:
        problems.append("index is required if normalizer is specified")
    if normalizer and (tokenizer or analyzer):
        problems.append("tokenizer/analyze should be null if normalizer is specified")
    if analyzer and (extra or tokenizer):
        problems.append("cannot define extra components on a named analyzer")
    if normalizer and (extra or tokenizer or analyzer):
        problems.append("cannot define extra components on a named normalizer")
    return problems


def _checked(body: dict[str, Any], indexed: bool) -> dict[str, Any]:
    for key in body:
        if key not in _MEMBERS:
            raise ApiError(400, "x_content_parse_exception", f"[1:1] [analyze_request] unknown field [{key}]")
    pieces = _texts(body)
    for name in ("analyzer", "field", "normalizer"):
        if name in body and not isinstance(body[name], str):
            raise _wrong_kind(name, body[name])
    problems = _problems(body, pieces, indexed)
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


ROUTES = [
    Route(method, path, analyze, reads=True)
    for method in ("GET", "POST")
    for path in ("/_analyze", "/{index}/_analyze")
]
