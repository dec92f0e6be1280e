"""Scrolls: a search whose pages follow each other over the same readers."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from quidditch.coordinator.nodes import Nodes
from quidditch.coordinator.search import Ask, Searcher
from quidditch.coordinator.search_answer import answer
from quidditch.coordinator.search_contexts import ScrollContext, keep_alive, too_many_scrolls
from quidditch.coordinator.search_errors import ShardFailure, phase_failed
from quidditch.coordinator.search_plans import CompiledPlan, kernel_plan
from quidditch.coordinator.search_prepared import Prepared, is_away, own_shards
from quidditch.coordinator.search_scatter import kept_elsewhere
from quidditch.coordinator.search_stop import Stop
from quidditch.lib.clock import Clock
from quidditch.lib.contexts import Contexts
from quidditch.model.errors import ApiError
from quidditch.query.values import time_ms
from quidditch.transport.errors import CallFailed

PREFIX = b"\x16scroll"
DEFAULT_MAX_OPEN = 500
_PAGE = "scroll/page"
_CLEAR = "scroll/clear"
_PAGE_SECONDS = 300.0


class Scrolls:
    """Starts scrolls, turns their pages, ends them. An id says which node has the scroll: every node passes pages on."""

    def __init__(self, searcher: Searcher, clock: Clock, nodes: Nodes) -> None:
        self._searcher = searcher
        self._nodes = nodes
        self.contexts: Contexts[ScrollContext] = Contexts(clock, PREFIX, nodes.id, self._ended)
        nodes.serve(_PAGE, self._page_for)
        nodes.serve(_CLEAR, self._clear_for)

    def _ended(self, context: ScrollContext) -> None:
        context.ended()
        self._searcher.scatter.free(kept_elsewhere(context.readers))

    async def start(self, ask: Ask, scroll: str) -> bytes:
        """The first page. Raises :class:`ApiError`."""
        started = time.perf_counter()
        searcher = self._searcher
        time_ms(scroll, "scroll")
        request, shape = searcher.read(ask, scroll=True)
        targets = searcher.targets(ask, request)
        try:
            alive = self._keep_alive(scroll)
        except ApiError as error:
            self._fail(error, targets)
            raise
        prepared = await searcher.prepare(ask, request, shape, targets)
        limit = int(searcher.state.settings.get("search.max_open_scroll_context") or DEFAULT_MAX_OPEN)
        if len(self.contexts) >= limit:
            raise too_many_scrolls(limit)
        searcher.check_missing(prepared, ask.params)
        if prepared.plan is None or not prepared.readers:
            if prepared.total:
                raise phase_failed(prepared.failures, prepared.phase)
            nothing = CompiledPlan(kernel_plan(b'{"query":{"none":{}}}'), {"query": {"none": {}}})
            id = self.contexts.add(ScrollContext([], nothing, None, prepared.sections, alive))
            return b'{"_scroll_id":' + orjson.dumps(id) + b"," + searcher.empty(shape, started)[1:]
        prepared.kind = "scroll"
        outcome = await searcher.execute(prepared, hold_ms=alive)
        searcher.complain(prepared, ask.params, outcome)
        context = ScrollContext(prepared.readers, prepared.plan, prepared.plans, prepared.sections, alive)
        context.cursor, context.statistics = outcome.scroll, prepared.statistics
        context.ended = searcher.local.keep(prepared.kind, own_shards(prepared.readers))
        return answer(outcome, prepared, started, {"_scroll_id": self.contexts.add(context)})

    async def page(
        self, id: str, scroll: str | None, total_as_int: bool, cancel: Callable[[], Stop] | None = None
    ) -> bytes:
        """The next page. Raises search_context_missing_exception."""
        self.check_id(id)
        alive = None
        if scroll is not None:
            time_ms(scroll, "scroll")
            try:
                alive = self._keep_alive(scroll)
            except ApiError as error:
                raise _page_failed(400, error.body()) from None
        owner = self.contexts.owner_of(id)
        if owner == self._nodes.id:
            return await self._page(id, alive, total_as_int, cancel)
        try:
            message = {"id": id, "alive": alive, "total_as_int": total_as_int}
            page: bytes = await self._nodes.ask(owner, _PAGE, message, _PAGE_SECONDS)
            return page
        except CallFailed:
            raise missing_context(id) from None

    async def _page_for(self, message: dict[str, Any]) -> bytes:
        return await self._page(message["id"], message["alive"], message["total_as_int"])

    async def _page(
        self, id: str, alive: float | None, total_as_int: bool, cancel: Callable[[], Stop] | None = None
    ) -> bytes:
        started = time.perf_counter()
        context = self.contexts.get(id, alive)
        if context is None:
            raise missing_context(id)
        plan = self._variant(context, total_as_int)
        prepared = Prepared(list(context.readers), context.plan, None, [], int(context.shards["total"]))
        prepared.cancel, prepared.statistics = cancel, context.statistics
        if context.plans is not None:
            prepared.plans = list(context.plans)
        if not context.readers:
            shape_total: Any = 0 if total_as_int else {"value": 0, "relation": "eq"}
            empty = {"total": shape_total, "max_score": 0.0, "hits": []}
            head = {"_scroll_id": id, "took": 0, "timed_out": False, "_shards": context.shards}
            return orjson.dumps({**head, "hits": empty})
        prepared.away = is_away(prepared.readers)
        outcome = await self._searcher.execute(prepared, plan, context.cursor, context.keep_alive_ms)
        if outcome.scroll is not None:
            context.cursor = outcome.scroll
        return answer(outcome, prepared, started, {} if alive is None else {"_scroll_id": id})

    def _variant(self, context: ScrollContext, total_as_int: bool) -> CompiledPlan:
        """The plan of later pages: without aggregations, totals as this page wants them."""
        found = context.variants.get(total_as_int)
        if found is None:
            body = {key: value for key, value in context.plan.body.items() if key not in ("aggs", "total_as_int")}
            if total_as_int:
                body["total_as_int"] = True
            found = context.variants[total_as_int] = CompiledPlan(kernel_plan(orjson.dumps(body)), body)
        return found

    async def clear(self, ids: Sequence[str]) -> int:
        """Ends scrolls; answers on how many shards, as OpenSearch counts. `_all` means every one of the cluster, and the answer is then
        how many nodes did so.
        """
        if list(ids) == ["_all"]:
            return len((await self._nodes.gather(self._searcher.state.nodes, _CLEAR, None)).answers)
        for id in ids:
            self.check_id(id)
        by_owner: dict[str, list[str]] = {}
        for id in ids:
            by_owner.setdefault(self.contexts.owner_of(id), []).append(id)
        freed = 0
        for owner, owned in by_owner.items():
            if owner == self._nodes.id:
                freed += self._clear(owned)
            else:
                freed += sum((await self._nodes.gather([owner], _CLEAR, owned)).answers.values())
        return freed

    async def _clear_for(self, ids: list[str] | None) -> int:
        return self.contexts.clear() if ids is None else self._clear(ids)

    def _clear(self, ids: Sequence[str]) -> int:
        shards = sum(len(context.readers) for id, context in self.contexts.items() if id in ids)
        self.contexts.remove(ids)
        return shards

    def check_id(self, id: str) -> None:
        if not self.contexts.is_id(id):
            raise ApiError(400, "illegal_argument_exception", "Cannot parse scroll id", {"caused_by": _unreadable(id)})

    def _keep_alive(self, text: str) -> float:
        limit = self._searcher.state.settings.get("search.max_keep_alive")
        return keep_alive(text, "scroll", "search.max_keep_alive", limit)

    def _fail(self, error: ApiError, targets: Sequence[Any]) -> None:
        node = self._searcher.local.id
        failures = [
            ShardFailure(target.index.name, shard, node, error) for target in targets for shard in target.shards
        ]
        if failures:
            raise phase_failed(failures) from None


def _unreadable(id: str) -> dict[str, str]:
    """What stops OpenSearch, which expects a length and so many bytes first."""
    try:
        content = base64.b64decode(id.encode(), altchars=b"-_", validate=True)
    except (ValueError, UnicodeEncodeError):
        return {"type": "illegal_argument_exception", "reason": "Illegal base64 character or ending in the scroll id"}
    length = used = 0
    for byte in content[:5]:
        length |= (byte & 0x7F) << (7 * used)
        used += 1
        if byte < 0x80:
            break
    rest = len(content) - used
    if length > rest:
        reason = f"attempting to read {length} bytes but only {rest} bytes are available"
        return {"type": "e_o_f_exception", "reason": reason}
    return {"type": "illegal_argument_exception", "reason": "the scroll id is of another kind"}


def missing_context(id: str) -> ApiError:
    """A scroll that ended, or never was."""
    reason = {"type": "search_context_missing_exception", "reason": f"No search context found for id [{_number(id)}]"}
    return _page_failed(404, reason)


def _page_failed(status: int, reason: dict[str, Any]) -> ApiError:
    details = {
        "phase": "query",
        "grouped": True,
        "failed_shards": [{"shard": -1, "index": None, "reason": reason}],
        "caused_by": reason,
    }
    return ApiError(status, "search_phase_execution_exception", "all shards failed", details, root_cause=[reason])


def _number(id: str) -> int:
    return sum(id.encode()) % 100_000
