"""`POST /{index}/_update/{id}`: a partial document merged into the stored one."""

from __future__ import annotations

from typing import Any

from quidditch.model.errors import ApiError, illegal_argument, validation
from quidditch.rest import documents, source
from quidditch.rest.node import Node
from quidditch.rest.params import similarity
from quidditch.rest.request import Request, kind_of
from quidditch.rest.response import Response
from quidditch.rest.route import Route

_PARAMS = (
    *documents.WRITE_PARAMS, "version", "version_type", "if_seq_no", "if_primary_term", "retry_on_conflict", "lang",
    *source.PARAMS,
)  # fmt: skip
_OBJECTS = ("doc", "upsert")
_FLAGS = ("doc_as_upsert", "scripted_upsert", "detect_noop")
_FIELDS = (
    "_source",
    "detect_noop",
    "doc",
    "doc_as_upsert",
    "if_primary_term",
    "if_seq_no",
    "script",
    "scripted_upsert",
    "upsert",
)


def parse_error(reason: str, at: str) -> ApiError:
    """A body that the update parser does not take; `at` is where, as far as it is known."""
    return ApiError(400, "x_content_parse_exception", f"[{at}] [UpdateRequest] {reason}")


def check_body(body: dict[str, Any]) -> None:
    """Raises for members that an update does not have or that have the wrong type."""
    for name, value in body.items():
        if name not in _FIELDS:
            raise parse_error(f"unknown field [{name}]{_hint(name)}", "1:2")
        wrong = (
            (name in _OBJECTS and not isinstance(value, dict))
            or (name in _FLAGS and not isinstance(value, bool))
            or (name in ("if_seq_no", "if_primary_term") and (isinstance(value, bool) or not isinstance(value, int)))
        )
        if wrong:
            raise parse_error(f"{name} doesn't support values of type: {kind_of(value)}", "1:2")


def _hint(name: str) -> str:
    near = sorted(
        (field for field in _FIELDS if similarity(name, field) > 0.5), key=lambda field: -similarity(name, field)
    )
    if not near:
        return ""
    return f" did you mean [{near[0]}]?" if len(near) == 1 else f" did you mean any of [{', '.join(near)}]?"


async def update(request: Request, node: Node) -> Response:
    body = request.json_object() if request.content() else {}
    check_body(body)
    op = _operation(request, body)
    if "script" in body:
        raise script_unsupported(body["script"])
    answer = await node.write.single(
        request.path_params["index"], op, request.content(), documents.write_options(request)
    )
    return documents.written(answer)


def _operation(request: Request, body: dict[str, Any]) -> dict[str, Any]:
    op: dict[str, Any] = {
        "action": "update",
        "id": request.path_params["id"],
        "routing": request.query.get("routing") or None,
    }
    retries = request.int("retry_on_conflict", 0) or 0
    if retries < 0:
        raise illegal_argument("retry_on_conflict must not be negative")
    problems = documents.version_problems(request, documents.version_type(request.query.get("version_type")), op)
    for name in ("if_seq_no", "if_primary_term"):
        if name in body:
            op[name] = body[name]
    problems += _problems(op, body, retries)
    if problems:
        raise validation(*problems)
    op["retry_on_conflict"] = retries
    if "_source" in body:
        op["source"] = source.from_body(body["_source"])
    elif any(name in request.query for name in source.PARAMS):
        op["source"] = source.from_params(request)
    return op


def _problems(op: dict[str, Any], body: dict[str, Any], retries: int) -> list[str]:
    problems = []
    conditional = op.get("if_seq_no") is not None
    if conditional and retries > 0:
        problems.append("compare and write operations can not be retried")
    if conditional and body.get("doc_as_upsert"):
        problems.append("compare and write operations can not be used with upsert")
    if conditional and "upsert" in body:
        problems.append("upsert requests don't support `if_seq_no` and `if_primary_term`")
    if "script" not in body and "doc" not in body:
        problems.append("script or doc is missing")
    if "script" in body and "doc" in body:
        problems.append("can't provide both script and doc")
    if "doc" not in body and body.get("doc_as_upsert"):
        problems.append("doc must be specified if doc_as_upsert is enabled")
    return problems


def script_unsupported(script: Any) -> ApiError:
    """Scripts are refused by name of their language."""
    lang = script.get("lang", "painless") if isinstance(script, dict) else "painless"
    cause = {"type": "illegal_argument_exception", "reason": f"script_lang not supported [{lang}]"}
    return ApiError(400, "illegal_argument_exception", "failed to execute script", {"caused_by": cause})


ROUTES = [Route("POST", "/{index}/_update/{id}", update, _PARAMS, load="write", action="indices:data/write/update")]
