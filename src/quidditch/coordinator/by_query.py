"""Work over everything that a query finds: delete, update (index again), copy to another index.

A snapshot of the matching documents is read page by page and written back in bulks. A document that changed meanwhile is a
version conflict, never overwritten.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

import msgspec
import orjson

from quidditch.coordinator.options import WriteOptions
from quidditch.coordinator.search import Ask

Kind = Literal["delete", "update", "reindex"]
Refresh = Callable[[set[str]], Awaitable[None]]


class Pages(Protocol):
    """The scrolls of a node."""

    async def start(self, ask: Ask, scroll: str) -> bytes: ...
    async def page(self, id: str, scroll: str | None, total_as_int: bool) -> bytes: ...
    async def clear(self, ids: Sequence[str]) -> int: ...


class Bulks(Protocol):
    """The writer of a node."""

    async def bulk(
        self, body: bytes, default_index: str | None, defaults: dict[str, Any], options: WriteOptions
    ) -> tuple[bytes, bool]: ...


@dataclass(frozen=True, slots=True)
class Destination:
    """Where `_reindex` writes to. `routing`: keep, discard, or `=value`."""

    index: str
    op_type: str = "index"
    version_type: str = "internal"
    routing: str = "keep"
    pipeline: str | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """What to do.

    `search` is the body of the search without size and paging; `params` are its URL parameters. `per_second`: documents a
    second at most, None for no limit. `refreshes`: the indices written are refreshed at the end. `slices`: parts of the documents that
    are worked on side by side.
    """

    kind: Kind
    expression: str | None
    search: dict[str, Any]
    params: dict[str, str]
    proceed: bool = False
    max_docs: int | None = None
    page_size: int = 1000
    scroll: str = "5m"
    per_second: float | None = None
    refreshes: bool = False
    options: WriteOptions = field(default_factory=WriteOptions)
    pipeline: str | None = None
    destination: Destination | None = None
    slices: int = 1

    def parts(self) -> list[Job]:
        """The job of each slice."""
        if self.slices == 1:
            return [self]
        whole = replace(self, slices=1)
        most = None if self.max_docs is None else self.max_docs // self.slices
        pace = None if self.per_second is None else self.per_second / self.slices
        each = [{**self.search, "slice": {"id": number, "max": self.slices}} for number in range(self.slices)]
        return [replace(whole, search=search, max_docs=most, per_second=pace) for search in each]


class _Hit(msgspec.Struct, rename={"index": "_index", "id": "_id", "source": "_source", "routing": "_routing"}):
    index: str
    id: str
    source: msgspec.Raw = msgspec.Raw(b"{}")
    routing: str | None = None
    version: int = msgspec.field(default=1, name="_version")
    seq_no: int = msgspec.field(default=0, name="_seq_no")
    term: int = msgspec.field(default=1, name="_primary_term")


class _Total(msgspec.Struct):
    value: int = 0


class _Hits(msgspec.Struct):
    hits: list[_Hit]
    total: _Total = msgspec.field(default_factory=_Total)


class _Shards(msgspec.Struct):
    failures: list[dict[str, Any]] = msgspec.field(default_factory=list)


class _Page(msgspec.Struct, rename={"scroll_id": "_scroll_id", "shards": "_shards"}):
    scroll_id: str
    hits: _Hits
    shards: _Shards = msgspec.field(default_factory=_Shards)


@dataclass(slots=True)
class Progress:
    """What was done so far."""

    total: int = 0
    updated: int = 0
    created: int = 0
    deleted: int = 0
    batches: int = 0
    conflicts: int = 0
    noops: int = 0
    throttled_ms: int = 0
    failures: list[dict[str, Any]] = field(default_factory=list)
    status: int = 200
    canceled: bool = False
    written: set[str] = field(default_factory=set)

    def fail(self, failure: dict[str, Any], status: int) -> None:
        self.failures.append(failure)
        self.status = max(self.status, status)

    def merge(self, parts: Iterable[Progress]) -> Progress:
        """What all the slices did."""
        for part in parts:
            for name in ("total", "updated", "created", "deleted", "batches", "conflicts", "noops", "throttled_ms"):
                setattr(self, name, getattr(self, name) + getattr(part, name))
            self.failures += part.failures
            self.status = max(self.status, part.status)
            self.canceled |= part.canceled
            self.written |= part.written
        return self

    def counts(self, job: Job, number: int | None = None) -> dict[str, Any]:
        """The members of a status; of a slice with its number."""
        counts: dict[str, int] = {} if number is None else {"slice_id": number}
        counts["total"] = self.total
        if job.kind != "delete":
            counts["updated"] = self.updated
        if job.kind == "reindex":
            counts["created"] = self.created
        return {
            **counts,
            "deleted": self.deleted,
            "batches": self.batches,
            "version_conflicts": self.conflicts,
            "noops": self.noops,
            "retries": {"bulk": 0, "search": 0},
            "throttled_millis": self.throttled_ms,
            "requests_per_second": -1.0 if job.per_second is None else job.per_second,
            **({"canceled": "by user request"} if self.canceled else {}),
            "throttled_until_millis": 0,
        }


async def run(
    job: Job, pages: Pages, bulks: Bulks, refresh: Refresh, stop: asyncio.Event
) -> tuple[dict[str, Any], int]:
    """The body of the answer and its status. Raises :class:`ApiError` where nothing was begun.

    `refresh` is called with the names of the indices written, if the job asks for that. Once `stop` is
    set, the work ends after the batch under way.
    """
    started = time.monotonic()
    parts = job.parts()
    done = await asyncio.gather(*(_run(part, pages, bulks, stop) for part in parts), return_exceptions=True)
    for problem in done:
        if isinstance(problem, BaseException):
            raise problem
    found = [progress for progress in done if isinstance(progress, Progress)]
    progress = found[0] if job.slices == 1 else Progress().merge(found)
    if job.refreshes and progress.written:
        await refresh(progress.written)
    asked = job.search.get("slice")
    answer = progress.counts(job, asked.get("id") if isinstance(asked, dict) else None)
    if job.slices > 1:
        answer["slices"] = [each.counts(part, n) for n, (part, each) in enumerate(zip(parts, found, strict=True))]
    took_ms = int((time.monotonic() - started) * 1000)
    return {"took": took_ms, "timed_out": False, **answer, "failures": progress.failures}, progress.status


async def _run(job: Job, pages: Pages, bulks: Bulks, stop: asyncio.Event) -> Progress:
    progress = Progress()
    size = job.page_size if job.max_docs is None else min(job.page_size, job.max_docs)
    body = {**job.search, "size": size, "seq_no_primary_term": True, "version": True, "track_total_hits": True}
    body.setdefault("sort", ["_doc"])
    if job.kind == "delete":
        body["_source"] = False
    params = {"allow_partial_search_results": "false", **job.params, "scroll": job.scroll}
    raw = await pages.start(Ask(job.expression, params, orjson.dumps(body)), job.scroll)
    page = msgspec.json.decode(raw, type=_Page)
    progress.total = page.hits.total.value if job.max_docs is None else min(page.hits.total.value, job.max_docs)
    try:
        await _walk(job, page, pages, bulks, progress, stop)
    finally:
        await pages.clear([page.scroll_id])
    return progress


async def _walk(job: Job, page: _Page, pages: Pages, bulks: Bulks, progress: Progress, stop: asyncio.Event) -> None:
    left = progress.total
    while True:
        for failure in page.shards.failures:
            progress.fail(failure, int(failure.get("status", 500)))
        hits = page.hits.hits[:left]
        if progress.failures or not hits:
            return
        begun = time.monotonic()
        progress.batches += 1
        left -= len(hits)
        answer, _ = await bulks.bulk(b"".join(_lines(job, hits)), None, {}, job.options)
        _count(job, orjson.loads(answer)["items"], progress)
        if progress.failures or left <= 0:
            return
        await _pace(job, len(hits), begun, progress, stop)
        if stop.is_set():
            progress.canceled = True
            return
        page = msgspec.json.decode(await pages.page(page.scroll_id, job.scroll, False), type=_Page)


async def _pace(job: Job, count: int, begun: float, progress: Progress, stop: asyncio.Event) -> None:
    """Waits until the batch took as long as the rate asks for."""
    if job.per_second is None:
        return
    pause = count / job.per_second - (time.monotonic() - begun)
    if pause > 0:
        progress.throttled_ms += int(pause * 1000)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), pause)


def _lines(job: Job, hits: Iterable[_Hit]) -> Iterable[bytes]:
    """The bulk's lines for a page."""
    for hit in hits:
        if job.destination is not None:
            yield orjson.dumps(_copied(job.destination, hit)) + b"\n"
        else:
            unchanged = {"if_seq_no": hit.seq_no, "if_primary_term": hit.term}
            meta: dict[str, Any] = {"_index": hit.index, "_id": hit.id, **unchanged}
            if hit.routing is not None:
                meta["routing"] = hit.routing
            if job.pipeline:
                meta["pipeline"] = job.pipeline
            yield orjson.dumps({"delete" if job.kind == "delete" else "index": meta}) + b"\n"
        if job.kind != "delete":
            yield bytes(hit.source).replace(b"\n", b" ") + b"\n"


def _copied(to: Destination, hit: _Hit) -> dict[str, Any]:
    meta: dict[str, Any] = {"_index": to.index, "_id": hit.id}
    if to.version_type != "internal":
        meta |= {"version": hit.version, "version_type": to.version_type}
    if to.routing.startswith("="):
        meta["routing"] = to.routing[1:]
    elif to.routing == "keep" and hit.routing is not None:
        meta["routing"] = hit.routing
    if to.pipeline:
        meta["pipeline"] = to.pipeline
    return {to.op_type: meta}


def _count(job: Job, items: list[dict[str, Any]], progress: Progress) -> None:
    for item in items:
        result = next(iter(item.values()))
        status = int(result["status"])
        error = result.get("error")
        if error is not None:
            conflict = status == 409 and error.get("type") == "version_conflict_engine_exception"
            progress.conflicts += conflict
            if not (conflict and job.proceed):
                shown = {"index": result["_index"], "id": result["_id"], "cause": error, "status": status}
                progress.fail(shown, status)
            continue
        progress.written.add(result["_index"])
        outcome = result.get("result")
        if outcome in ("created", "updated", "deleted"):
            setattr(progress, outcome, getattr(progress, outcome) + 1)
        elif outcome == "not_found":
            progress.noops += 1
