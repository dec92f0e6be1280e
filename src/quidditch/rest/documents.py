"""One document: index, create, get, exists, delete, and its bare source."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from quidditch.coordinator.get import GetOptions
from quidditch.coordinator.options import WriteOptions, parse_active_shards, parse_refresh
from quidditch.coordinator.write import unknown_pipeline
from quidditch.model.errors import ApiError, illegal_argument, validation
from quidditch.rest import source
from quidditch.rest.node import Node
from quidditch.rest.request import Request
from quidditch.rest.response import Response
from quidditch.rest.route import Route

WRITE_PARAMS = ("refresh", "timeout", "wait_for_active_shards", "routing", "require_alias")
_VERSION_PARAMS = ("version", "version_type", "if_seq_no", "if_primary_term")
_INDEX_PARAMS = (*WRITE_PARAMS, *_VERSION_PARAMS, "op_type", "pipeline")
_GET_PARAMS = (
    "preference", "realtime", "refresh", "routing", "stored_fields", "version", "version_type", "fields",
    *source.PARAMS,
)  # fmt: skip
_VERSION_TYPES = {
    "internal": "internal",
    "external": "external",
    "external_gt": "external",
    "external_gte": "external_gte",
}
_MATCH_ANY = -3
_MAX_ID_BYTES = 512
_CREATE_VERSION = "create operations only support internal versioning. use index instead"
_INTERNAL_VERSION = (
    "internal versioning can not be used for optimistic concurrency control. "
    "Please use `if_seq_no` and `if_primary_term` instead"
)


def write_options(request: Request) -> WriteOptions:
    """refresh, timeout, wait_for_active_shards and require_alias of the request."""
    query = request.query
    if not query:
        return WriteOptions()
    return WriteOptions(
        refresh=parse_refresh(query.get("refresh")),
        timeout_ms=request.time("timeout", 60_000) or 0,
        active_shards=parse_active_shards(query.get("wait_for_active_shards")),
        require_alias=request.flag("require_alias"),
    )


def version_type(text: str | None) -> str:
    found = _VERSION_TYPES.get(text or "internal")
    if found is None:
        raise illegal_argument(f"No version type match [{text}]")
    return found


def version_problems(request: Request, kind: str, op: dict[str, Any]) -> list[str]:
    """Reads version parameters into `op`; what is wrong with them, in OpenSearch's words."""
    problems: list[str] = []
    version = request.long("version", _MATCH_ANY)
    if_seq_no = request.long("if_seq_no")
    if_term = request.long("if_primary_term")
    if if_seq_no is not None and if_seq_no < 0:
        raise illegal_argument(f"sequence numbers must be non negative. got [{if_seq_no}].")
    if if_term is not None and if_term < 0:
        raise illegal_argument(f"primary term must be non negative. got [{if_term}]")
    conditional = if_seq_no is not None or (if_term or 0) != 0
    if kind != "internal":
        if version is None or version < 0:
            problems.append(f"illegal version value [{version}] for version type [{kind.upper()}]")
        if conditional:
            problems.append("compare and write operations can not use versioning")
    elif version != _MATCH_ANY:
        problems.append(_INTERNAL_VERSION)
    if if_term and if_seq_no is None:
        problems.append(f"ifSeqNo is unassigned, but primary term is [{if_term}]")
    elif if_seq_no is not None and not if_term:
        problems.append("ifSeqNo is set, but primary term is [0]")
    op["version_type"] = kind
    if version != _MATCH_ANY:
        op["version"] = version
    if conditional:
        op["if_seq_no"], op["if_primary_term"] = if_seq_no, if_term
    return problems


async def index(request: Request, node: Node) -> Response:
    """PUT or POST of a whole document."""
    op_type = request.query.get("op_type")
    if op_type is not None and op_type.lower() not in ("index", "create"):
        raise illegal_argument(f"opType must be 'create' or 'index', found: [{op_type}]")
    return await _index(request, node, (op_type or "index").lower())


async def create(request: Request, node: Node) -> Response:
    op_type = request.query.get("op_type")
    if op_type is not None and op_type.lower() != "create":
        raise illegal_argument(f"opType must be 'create', found: [{op_type}]")
    return await _index(request, node, "create")


async def index_auto_id(request: Request, node: Node) -> Response:
    """POST without an id."""
    op_type = request.query.get("op_type")
    if op_type is not None and op_type.lower() not in ("index", "create"):
        raise illegal_argument(f"opType must be 'create' or 'index', found: [{op_type}]")
    return await _index(request, node, (op_type or "create").lower())


async def _index(request: Request, node: Node, action: str) -> Response:
    id = request.path_params.get("id")
    op: dict[str, Any] = {"action": action, "id": id, "routing": request.query.get("routing") or None}
    if not request.body:
        raise ApiError(400, "parse_exception", "request body is required")
    if request.query:
        _check_index(request, op, action)
    if id is not None and len(id) > _MAX_ID_BYTES // 4 and len(id.encode()) > _MAX_ID_BYTES:
        raise validation(
            f"id [{id}] is too long, must be no longer than {_MAX_ID_BYTES} bytes but was: {len(id.encode())}"
        )
    name = request.path_params["index"]
    answer = await node.write.single(name, op, request.body, write_options(request))
    return written(answer)


def _check_index(request: Request, op: dict[str, Any], action: str) -> None:
    kind = version_type(request.query.get("version_type"))
    problems = version_problems(request, kind, op)
    if action == "create":
        if kind != "internal":
            problems = [_CREATE_VERSION]
        elif "if_seq_no" in op:
            problems = ["create operations do not support compare and set. use index instead"]
        elif "version" in op:
            problems = ["create operations do not support explicit versions. use index instead"]
    elif op["id"] is None and ("version" in op or kind != "internal"):
        problems.insert(0, "an id must be provided if version type or value are set")
    if problems:
        raise validation(*problems)
    pipeline = request.query.get("pipeline")
    if pipeline and pipeline != "_none":
        raise unknown_pipeline(pipeline)


def written(answer: dict[str, Any]) -> Response:
    """The answer of a write: an item's without its status, with the place of a new document."""
    status = answer.pop("status")
    response = Response.json(answer, status)
    if status == 201:
        response.header("Location", f"/{quote(answer['_index'], safe='')}/_doc/{quote(answer['_id'], safe='')}")
    return response


async def delete(request: Request, node: Node) -> Response:
    op: dict[str, Any] = {
        "action": "delete",
        "id": request.path_params["id"],
        "routing": request.query.get("routing") or None,
    }
    if request.query:
        problems = version_problems(request, version_type(request.query.get("version_type")), op)
        if problems:
            raise validation(*problems)
    answer = await node.write.single(request.path_params["index"], op, b"", write_options(request))
    return written(answer)


def get_options(request: Request) -> GetOptions:
    """The options of a get from its query parameters."""
    query = request.query
    if not query:
        return GetOptions()
    if "fields" in query:
        raise illegal_argument(
            "the parameter [fields] is no longer supported, please use [stored_fields] to retrieve stored fields or "
            "[_source] to load the field from _source"
        )
    stored = request.list("stored_fields")
    if stored == ["_none_"]:
        return GetOptions(realtime=request.flag("realtime", True), refresh=request.flag("refresh"), source=False)
    kind = query.get("version_type")
    return GetOptions(
        realtime=request.flag("realtime", True),
        refresh=request.flag("refresh"),
        source=source.from_params(request, default=stored is None or "_source" in stored),
        version=request.long("version"),
        version_type=None if kind is None else version_type(kind),
        stored_fields=None if stored is None else tuple(name for name in stored if name != "_source"),
        preference=query.get("preference"),
    )


async def get(request: Request, node: Node) -> Response:
    """GET and HEAD of a document."""
    found = await node.get.get(
        request.path_params["index"], request.path_params["id"], request.query.get("routing"), get_options(request)
    )
    return Response.raw(found.body(), status=404 if found.members is None else 200)


async def get_source(request: Request, node: Node) -> Response:
    """GET and HEAD of the source alone."""
    options = get_options(request)
    if options.source is False:
        raise validation("fetching source can not be disabled")
    name, id = request.path_params["index"], request.path_params["id"]
    found = await node.get.get(name, id, request.query.get("routing"), options)
    if found.members is None:
        raise ApiError(404, "resource_not_found_exception", f"Document not found [{name}]/[{id}]")
    body = found.source()
    if body is None:
        raise ApiError(404, "resource_not_found_exception", f"Source not found [{name}]/[{id}]")
    return Response.raw(body)


ROUTES = [
    Route("PUT", "/{index}/_doc/{id}", index, _INDEX_PARAMS, load="write"),
    Route("POST", "/{index}/_doc/{id}", index, _INDEX_PARAMS, load="write"),
    Route("POST", "/{index}/_doc", index_auto_id, _INDEX_PARAMS, load="write"),
    Route("PUT", "/{index}/_create/{id}", create, _INDEX_PARAMS, load="write"),
    Route("POST", "/{index}/_create/{id}", create, _INDEX_PARAMS, load="write"),
    Route("GET", "/{index}/_doc/{id}", get, _GET_PARAMS, body=False),
    Route("HEAD", "/{index}/_doc/{id}", get, _GET_PARAMS, body=False),
    Route("DELETE", "/{index}/_doc/{id}", delete, (*WRITE_PARAMS, *_VERSION_PARAMS), load="write"),
    Route("GET", "/{index}/_source/{id}", get_source, _GET_PARAMS, body=False),
    Route("HEAD", "/{index}/_source/{id}", get_source, _GET_PARAMS, body=False),
]
