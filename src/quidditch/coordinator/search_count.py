"""`_count`, `_explain` and `_validate/query`: a query without a page of hits."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import orjson

from quidditch.controlplane.core.blocks import CLOSED
from quidditch.coordinator import search_lookups
from quidditch.coordinator.get import GetOptions, check_preference
from quidditch.coordinator.search import Ask, Searcher
from quidditch.coordinator.search_errors import ShardFailure, phase_failed
from quidditch.coordinator.search_plans import Lookups, Shape, kernel_plan
from quidditch.coordinator.search_targets import SearchTarget
from quidditch.coordinator.write import shard_of
from quidditch.model import expressions
from quidditch.model.errors import ApiError, illegal_argument
from quidditch.query.describe import describe
from quidditch.query.errors import Malformed, ShardError
from quidditch.query.ops import any_of
from quidditch.query.plan import compile_query
from quidditch.query.request import SearchRequest
from quidditch.query.uri import flag, number, query_of
from quidditch.transport.errors import from_kernel
from quidditch_kernel import KernelError

_VALIDATED = expressions.IndicesOptions(allow_no_indices=False)
_PACKAGES = {
    "named_object_not_found_exception": "org.opensearch.core.xcontent.",
    "x_content_parse_exception": "org.opensearch.core.xcontent.",
    "number_format_exception": "java.lang.",
    "illegal_argument_exception": "java.lang.",
}
"""Where Java has the errors that `_validate/query` names in full."""


class Queries:
    """Queries on their own."""

    def __init__(self, searcher: Searcher) -> None:
        self._searcher = searcher

    # --- reading ----------------------------------------------------------------------------------------------------

    def read(self, ask: Ask) -> SearchRequest:
        """A body that holds only a query, or `q`."""
        request = SearchRequest(raw=ask.raw)
        if ask.raw:
            request.root = ask.body()
            if not isinstance(request.root, dict):
                raise Malformed("Expected [START_OBJECT]", request.root, None, "start")
            for key, value in request.root.items():
                if key != "query" or value is None:
                    raise request.locate(Malformed(f"request does not support [{key}]", request.root, key, "key"))
            request.query = request.root.get("query")
        if "q" in ask.params:
            request.query = query_of(ask.params)
        request.size = 0
        request.track_total_hits = 2**31 - 1
        return request

    async def lookups(self, request: SearchRequest) -> Lookups | None:
        if b'"terms"' not in request.raw or b'"path"' not in request.raw:
            return None
        wanted = search_lookups.find(request.root)
        return await search_lookups.fetch(wanted, self._searcher.getter) if wanted else None

    # --- _count -----------------------------------------------------------------------------------------------------

    async def count(self, ask: Ask) -> dict[str, Any]:
        searcher = self._searcher
        request = self.read(ask)
        if "min_score" in ask.params:
            request.min_score = _float(ask.params, "min_score")
        request.terminate_after = number(ask.params, "terminate_after") or 0
        if request.terminate_after < 0:
            raise illegal_argument("terminateAfter must be > 0")
        targets = searcher.targets(ask)
        prepared = await searcher.prepare(ask, request, Shape(), targets)
        if prepared.total and not prepared.readers:
            raise phase_failed(prepared.failures)
        total = 0
        if prepared.plan is not None:
            if request.terminate_after:
                outcome = await searcher.execute(prepared)
                searcher.complain(prepared, ask.params)
                return {
                    "count": outcome.total,
                    "terminated_early": bool(outcome.terminated_early),
                    "_shards": prepared.sections,
                }
            plans = prepared.plans or [prepared.plan] * len(prepared.readers)
            try:
                counts = await searcher.counts(prepared, plans)
            except KernelError as error:
                raise from_kernel(error) from None
            for (index, shard, node, _), found in zip(prepared.readers, counts, strict=True):
                if isinstance(found, ApiError):
                    prepared.failures.append(ShardFailure(index, shard, node, found))
                else:
                    total += found
            if all(isinstance(found, ApiError) for found in counts):
                raise phase_failed(prepared.failures)
            searcher.complain(prepared, ask.params)
        return {"count": total, "_shards": prepared.sections}

    # --- _explain ---------------------------------------------------------------------------------------------------

    async def explain(
        self, ask: Ask, id: str, source: Any, stored_fields: list[str] | None
    ) -> tuple[int, dict[str, Any]]:
        """Status and body of `_explain`."""
        searcher = self._searcher
        request = self.read(ask)
        if request.query is None:
            raise ApiError(400, "action_request_validation_exception", "Validation Failed: 1: query is missing;")
        name = str(ask.expression)
        index = searcher.getter.index(name)
        state = searcher.state
        check_preference(ask.params.get("preference"))
        routing = searcher.getter.routing(name, index, id, ask.params.get("routing"))
        filters = expressions.alias_filters(state, index.name, [name])
        target = SearchTarget(index, (), None if filters is None else tuple(dict(item) for item in filters))
        plan, _ = searcher.plans.compile(state, target, request, Shape(), await self.lookups(request))
        found = await searcher.explain(index, shard_of(index, id, routing), plan, id, ask.params.get("preference"))
        head = {"_index": index.name, "_id": id}
        if found is None:
            return 404, {**head, "matched": False}
        body = {**head, **orjson.loads(found)}
        if source is not False or stored_fields:
            body["get"] = await self._get(name, id, routing, source, stored_fields)
        return 200, body

    async def _get(
        self, name: str, id: str, routing: str | None, source: Any, stored_fields: list[str] | None
    ) -> dict[str, Any]:
        fields = tuple(stored_fields) if stored_fields else None
        options = GetOptions(realtime=False, source=source, stored_fields=fields)
        document = await self._searcher.getter.get(name, id, routing, options)
        members = orjson.loads(document.body())
        return {key: value for key, value in members.items() if key not in ("_index", "_id", "_version")}

    # --- _validate/query --------------------------------------------------------------------------------------------

    async def validate(self, ask: Ask) -> dict[str, Any]:
        """The answer of `_validate/query`; a wrong query is no error here."""
        explains = flag(ask.params, "explain") or flag(ask.params, "rewrite")
        searcher = self._searcher
        try:
            request = self.read(ask)
            searcher.plans.check(searcher.state, request)
        except ApiError as error:
            if error.type in ("json_parse_exception", "index_not_found_exception"):
                raise
            return {"valid": False, **({"error": _exception(error)} if explains else {})}
        targets = searcher.targets(ask, None, _VALIDATED)
        closed = next((target.index for target in targets if not target.index.open), None)
        if closed is not None:
            reason = f"index [{closed.name}] blocked by: {CLOSED.text}"
            none = {"total": 0, "successful": 0, "failed": 0}
            return {"_shards": none, "valid": False, "explanations": [{"valid": False, "error": reason}]}
        lookups = await self.lookups(request)
        every = flag(ask.params, "all_shards")
        shown: list[tuple[int, dict[str, Any]]] = []
        for target in targets:
            numbers = target.shards if every else target.shards[:1]
            asked = [number for number in numbers if searcher.choice.readable(target.index, number)]
            found = self._validate_one(target, request, lookups) if asked else {}
            shown += [(number, found) for number in asked]
        total = sum(len(target.shards) if every else 1 for target in targets)
        answer: dict[str, Any] = {"_shards": {"total": total, "successful": len(shown), "failed": 0}}
        answer["valid"] = all(found["valid"] for _, found in shown)
        if every and shown:
            shown.sort(key=lambda each: each[0])
            answer["explanations"] = [_of_shard(number, found) for number, found in shown]
        elif explains and shown:
            answer["explanations"] = [found for _, found in shown]
        return answer

    def _validate_one(self, target: SearchTarget, request: SearchRequest, lookups: Lookups | None) -> dict[str, Any]:
        searcher = self._searcher
        now_ms = time.time_ns() // 1_000_000
        ctx = searcher.plans.context(searcher.state, target.index, now_ms, lookups, target.names)
        try:
            query = {"match_all": {}} if request.query is None else request.query
            op = compile_query(query, ctx, request.raw, request.root)
            kernel_plan(orjson.dumps({"query": op}))
            filters = [compile_query(item, ctx) for item in target.filters or ()]
        except ApiError as error:
            name = f"[{target.index.name}/{target.index.uuid}] " if isinstance(error, ShardError) else ""
            return {"index": target.index.name, "valid": False, "error": name + _exception(error)}
        text = describe({"bool": {"must": [op], "filter": [any_of(filters)]}}) if filters else describe(op)
        if ctx.mapping.nested_paths:
            text = f"+{text} #FieldExistsQuery [field=_primary_term]"
        return {"index": target.index.name, "valid": True, "explanation": text}


def _of_shard(number: int, found: dict[str, Any]) -> dict[str, Any]:
    return {"index": found["index"], "shard": number, **found}


def _float(params: Mapping[str, str], name: str) -> float:
    try:
        return float(params[name])
    except ValueError:
        reason = f"Failed to parse float parameter [{name}] with value [{params[name]}]"
        raise ApiError(400, "illegal_argument_exception", reason) from None


def _exception(error: ApiError) -> str:
    """An error as Java prints it."""
    text = f"{_class(error.type)}[{error.reason}]"
    cause = error.details.get("caused_by")
    if isinstance(cause, dict):
        inner = f"{_class(str(cause.get('type')))}[{cause.get('reason')}]"
        text += f"; nested: {inner};"
        text += f"; {_PACKAGES.get(str(cause.get('type')), '')}{_class(str(cause.get('type')))}: {cause.get('reason')}"
    return text


def _class(kind: str) -> str:
    return "".join(word.capitalize() for word in kind.split("_"))
