"""`_reindex`: copies what a query finds to another index."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from quidditch.coordinator.by_query import Destination, Job
from quidditch.coordinator.search import Ask
from quidditch.model.errors import ApiError, illegal_argument, validation
from quidditch.query.errors import Malformed, failed_field, x_content
from quidditch.query.positions import locate
from quidditch.rest import by_query, documents
from quidditch.rest.node import Node
from quidditch.rest.request import Request
from quidditch.rest.response import Response
from quidditch.rest.route import Route

_PARAMS = (
    "refresh", "timeout", "wait_for_active_shards", "wait_for_completion", "requests_per_second", "scroll", "slices", "max_docs",
    "require_alias",
)  # fmt: skip
_BODY = ("source", "dest", "conflicts", "max_docs", "size", "script")
_DEST = ("index", "op_type", "version_type", "routing", "pipeline")


async def reindex(request: Request, node: Node) -> Response:
    body = request.json_object()
    try:
        source, destination = _parts(body)
    except Malformed as fault:
        locate(fault, request.content(), body)
        raise
    expression = _names(source.pop("index", None))
    _validate(expression, destination)
    page = source.pop("size", None)
    max_docs = by_query.most_docs(request, body.get("max_docs", body.get("size")))
    assert destination is not None
    job = Job(
        "reindex",
        expression,
        source,
        {},
        proceed=by_query.proceeds(str(body.get("conflicts", "abort"))),
        max_docs=max_docs,
        page_size=by_query.page_size(page),
        slices=by_query.slices_of(request, node, Ask(expression, {}, b""), "slice" in source, max_docs),
        destination=destination,
        **by_query.shared(request),
    )
    _check_circle(job, node, destination.index)
    described = f"reindex from [{expression}] to [{destination.index}]"
    return await by_query.perform(job, request, node, "indices:data/write/reindex", described)


def _parts(body: dict[str, Any]) -> tuple[dict[str, Any], Destination | None]:
    """Source and destination as written."""
    for key in body:
        if key not in _BODY:
            raise x_content(f"[reindex] unknown field [{key}]", body, key)
    if body.get("script") is not None:
        raise illegal_argument("scripts are not supported")
    source = body.get("source", {})
    if not isinstance(source, dict):
        raise x_content("[reindex] source doesn't support values of this type", body, "source", "value")
    if "remote" in source:
        raise _remote(source["remote"])
    dest = body.get("dest", {})
    if not isinstance(dest, dict):
        raise x_content("[reindex] dest doesn't support values of this type", body, "dest", "value")
    try:
        return dict(source), _destination(dest)
    except Malformed as fault:
        raise failed_field("reindex", "dest", fault, body) from None


def _destination(dest: dict[str, Any]) -> Destination | None:
    for key, value in dest.items():
        if key not in _DEST:
            raise x_content(f"[dest] unknown field [{key}]", dest, key)
        if not isinstance(value, str):
            raise x_content(f"[dest] {key} doesn't support values of this type", dest, key, "value")
    op_type = dest.get("op_type", "index")
    if op_type not in ("index", "create"):
        wrong = illegal_argument(f"opType must be 'create' or 'index', found: [{op_type}]")
        raise failed_field("dest", "op_type", wrong, dest)
    try:
        version_type = documents.version_type(dest.get("version_type"))
    except ApiError as error:
        raise failed_field("dest", "version_type", error, dest) from None
    if not dest.get("index"):
        return None
    routing = dest.get("routing", "keep")
    if routing not in ("keep", "discard") and not routing.startswith("="):
        raise validation("routing must be unset, [keep], [discard] or [=<some new value>]")
    return Destination(dest["index"], op_type, version_type, routing, dest.get("pipeline"))


def _remote(remote: Any) -> ApiError:
    """Nothing is on the list of hosts to copy from."""
    host = remote.get("host") if isinstance(remote, dict) else None
    if not isinstance(host, str):
        return illegal_argument("[host] must be specified to reindex from a remote cluster")
    return illegal_argument(f"[{urlsplit(host).netloc or host}] not allowlisted in reindex.remote.allowlist")


def _names(given: Any) -> str | None:
    if isinstance(given, list) and all(isinstance(name, str) for name in given):
        return ",".join(given)
    return given if isinstance(given, str) else None


def _validate(expression: str | None, destination: Destination | None) -> None:
    problems = []
    if not expression:
        problems.append("use _all if you really want to copy from all existing indexes")
    if destination is None:
        problems.append("index must be specified")
    if problems:
        raise validation(*problems)


def _check_circle(job: Job, node: Node, target: str) -> None:
    """Refuses to read from the index that is written."""
    alias = node.control.state.aliases.get(target)
    written = target if alias is None else alias.write_index
    sources = {found.index.name for found in node.search.searcher.targets(Ask(job.expression, {}, b""))}
    if written in sources:
        raise validation(f"reindex cannot write into an index its reading from [{target}]")


ROUTES = [Route("POST", "/_reindex", reindex, _PARAMS, load="search")]
