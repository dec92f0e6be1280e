"""Types of the kernel's border. Bytes are JSON unless said otherwise; the formats are in docs/kernel.md."""

import builtins
from collections.abc import Callable, Sequence
from typing import Self, final

class KernelError(Exception):
    """Raised by every call of this module.

    `args` are (type, reason, status, detail): the OpenSearch error type such as `mapper_parsing_exception` or, for
    faults of the kernel's own, `corruption_exception`, `io_exception`, `already_closed_exception`; one sentence; the
    HTTP status; a JSON object
    (bytes) with further members of the error body.
    """

# --- pure functions -------------------------------------------------------------------------------------------------

def parse_date(text: str, format: str, now_ms: int, round_up: bool, time_zone: str | None, nanos: bool) -> int:
    """Epoch milliseconds (nanoseconds if `nanos`) of a date or a date-math expression (`now-1d/d`,
    `2024-01-01||+1M/d`) in OpenSearch's format syntax.

    `round_up` completes missing parts, and rounds `/d`, to the last millisecond (what `lte` and `gt` want).
    """

def format_date(value: int, format: str, time_zone: str | None, nanos: bool) -> str: ...
def check_date_format(format: str) -> None: ...
def shard_for(id: str, routing: str | None, routing_shards: int, shards: int, partition_size: int) -> int: ...
def make_id() -> str:
    """A new time-based id of 20 URL-safe characters, as OpenSearch's."""

# --- mapping and analysis -------------------------------------------------------------------------------------------

@final
class Mapping:
    """A compiled mapping with its analyzers. Immutable; shared by all shards of an index on this node."""

    def __new__(cls, mapping: bytes, settings: bytes) -> Self: ...
    def tokens(self, analyzer: str, text: str) -> list[tuple[str, int, int, int, int]]:
        """(term, position, position_length, start_offset, end_offset) of each token; offsets in characters."""
    def normalize(self, normalizer_or_analyzer: str, text: str) -> str: ...
    def analyze(self, request: bytes) -> bytes:
        """The body of `_analyze` for this index: analyzer, field, normalizer or tokenizer/filter/char_filter, text,
        explain, attributes."""

def analyze(settings: bytes, request: bytes) -> bytes:
    """`_analyze` without an index."""

def regex_matches(pattern: str, text: str) -> bool:
    """Whether a Java pattern matches the whole text, in bounded time."""

def check_analysis(settings: bytes) -> None:
    """Builds every analyzer of these index settings; raises with the reason that OpenSearch gives."""

# --- bulk -----------------------------------------------------------------------------------------------------------

@final
class Bulk:
    """A parsed `_bulk` body. Keeps the body alive; slices refer to it."""

    def indices(self) -> list[str]:
        """Distinct index names as written, in order of first appearance."""
    def creating(self) -> list[str]:
        """Those of `indices` that some item may write a new document to (index, create, update, delete with an external
        version): the candidates for automatic creation."""
    def odd(self) -> list[tuple[int, bytes]]:
        """(item number, JSON {action, index, id, pipeline?, require_alias?, error?}) of the items that Python has to
        see."""
    def __len__(self) -> int: ...
    def route(self, targets: bytes, rejects: bytes) -> list[tuple[str, int, Slice]]:
        """Cuts the body into one slice per (concrete index, shard).

        `targets` maps each written name to {index, uuid, shards, routing_shards, partition_size, routing?,
        total_copies, routing_required}; `rejects`
        is {"items": {"3": error…}, "names": {written name: error…}}: an error object {type, reason, status, …}
        becomes those items' answer.
        """
    def render(
        self, results: Sequence[tuple[Slice, SliceResult]], took_ms: int, forced_refresh: bool = False
    ) -> tuple[bytes, bool]:
        """The response body and whether any item failed. `forced_refresh` adds that member to the items that
        succeeded."""

@final
class Slice:
    def to_bytes(self) -> bytes: ...
    @staticmethod
    def from_bytes(data: bytes) -> Slice: ...
    @staticmethod
    def single(op: bytes, source: bytes) -> Slice:
        """One operation, for the document APIs: op is {action, index, uuid, id, routing, version, version_type,
        if_seq_no, if_primary_term, op_type, total_copies, detect_noop, …}."""
    def __len__(self) -> int: ...
    def fail(self, error: bytes) -> SliceResult:
        """The result of a slice that could not be applied at all: every item fails with this error object {type,
        reason, status, …}."""

@final
class SliceResult:
    def unknown(self) -> list[tuple[int, bytes]]:
        """(item within the slice, JSON list of unknown fields) of the items not applied because their mapping is
        missing."""
    def reject(self, item: int, error: bytes) -> None:
        """Makes an unknown item fail with this error."""
    def max_seq_no(self) -> int: ...
    def operations(self) -> bytes:
        """Records of what the last `bulk` or `retry` wrote, for the other copies; empty without `replicated`."""
    def set_copies(self, total: int, successful: int, failures: bytes) -> None:
        """The `_shards` of every item that was done. `failures`: a JSON list; its length is `failed`."""
    def item(self, item: int) -> bytes:
        """The answer of one item, {"index": {…, "status": 201}}."""
    def to_bytes(self) -> bytes: ...
    @staticmethod
    def from_bytes(data: bytes, slice: Slice | None = None) -> SliceResult:
        """`slice`: what it is the result of; without it no item can be rejected."""

def split_bulk(body: bytes, default_index: str | None, defaults: bytes) -> Bulk:
    """`defaults`: {routing?, pipeline?, require_alias?, _source?…} of the URL. Raises for a body that is no bulk at
    all."""

# --- shards ---------------------------------------------------------------------------------------------------------

@final
class Runtime:
    """What all shards of a process share: memory budget of builders, refresh and merge threads, caches."""

    def __new__(cls, config: bytes) -> Self:
        """{indexing_buffer_bytes, merge_threads, node_name}."""
    def stats(self) -> bytes: ...
    def close(self) -> None: ...

@final
class Shard:
    @staticmethod
    def open(runtime: Runtime, path: str, config: bytes, mapping: Mapping) -> Shard:
        """Creates the shard in an empty or missing folder, otherwise recovers it.

        config: {index, uuid, shard, primary_term, durability: request|async, sync_interval_ms, refresh_interval_ms
        (-1: never), translog_flush_bytes, gc_deletes_ms, existing (a folder without a commit is no new shard),
        check_on_startup, max_result_window…; role: primary (default: takes all that its log holds, fills gaps by no-ops)
        | replica (goes as far as `recover_to`, by default the global checkpoint that its log tells; later commits are
        removed, the log is kept); replicated (there are other copies: the global checkpoint is what
        `set_global_checkpoint` says; otherwise it follows the shard's own); retention_bytes}.
        Raises corruption_exception naming file and offset.
        """
    def configure(self, config: bytes) -> None:
        """Dynamic settings."""
    def set_mapping(self, mapping: Mapping) -> None: ...
    def bulk(self, slice: Slice, sync: bool = True, retried: bool = False) -> SliceResult:
        """Applies a slice; durable on return under `request` if `sync`. `retried`: it may have been applied before;
        documents with generated ids are not doubled then."""
    def retry(self, slice: Slice, result: SliceResult, sync: bool = True) -> None:
        """Applies the unknown items of `result` again, in place."""
    def sync(self) -> None:
        """All that was written, and the global checkpoint, is durable on return."""
    def apply(self, operations: bytes, primary_term: int, sync: bool = True) -> None:
        """Takes over operations of the primary (records), in any order; those that were processed before are skipped.
        Raises illegal_argument_exception for a term older than the shard's."""
    def checkpoints(self) -> tuple[int, int, int, int]:
        """Max sequence number, processed and persisted local checkpoint, global checkpoint; -1: none."""
    def set_global_checkpoint(self, value: int) -> None:
        """Never goes back; lasts with the next sync. May be above the local checkpoint of a copy that recovers."""
    def promote(self, primary_term: int) -> None:
        """Goes on as primary: what the log holds above the local checkpoint counts again, gaps are filled with no-ops
        of this term; durable on return. Nobody may write meanwhile."""
    def trim_above(self, max_seq_no: int) -> None:
        """Voids what the log holds so far above this number; durable on return."""
    def history(self, from_seq_no: int) -> History | None:
        """All operations from this number to the newest, held until dropped; None if the log does not go back so
        far."""
    def retain_history(self, from_seq_no: int) -> None:
        """Keeps operations from this number on, up to `retention_bytes` beyond what commits need."""
    def history_uuid(self) -> str: ...
    def files(self) -> Files:
        """Those of the newest commit that holds nothing above the global checkpoint, held until dropped."""
    def get(self, request: bytes) -> bytes | None:
        """{id, realtime, source: true|false|{includes, excludes}, version?, version_type?, stored_fields?} → the
        members of a get answer from `_version` on; None if not found."""
    def refresh(self) -> None: ...
    def when_refreshed(self, seq_no: int, callback: Callable[[], None]) -> None:
        """Calls back, from a kernel thread, once operations up to seq_no are visible to searches."""
    def when_failed(self, callback: Callable[[], None]) -> None:
        """Calls back once, from a kernel thread, when the shard meets a fault after which it accepts nothing until it
        is opened again; at once if it has. Not after it was closed."""
    def failure(self) -> str | None:
        """The fault after which the shard accepts nothing any more."""
    def flush(self, force: bool, wait_if_ongoing: bool) -> None: ...
    def force_merge(self, max_num_segments: int, only_expunge_deletes: bool, flush: bool) -> None: ...
    def reader(self) -> Reader: ...
    def stats(self) -> bytes:
        """The sections of `_stats` that the kernel counts, with OpenSearch's member names.

        {docs: {count, deleted}, store: {size_in_bytes}, indexing: {index_total, index_time_in_millis, index_current,
        index_failed, delete_total, delete_time_in_millis, noop_update_total, …}, get: {total, time_in_millis,
        exists_total, exists_time_in_millis, missing_total, missing_time_in_millis}, merges: {current, total,
        total_time_in_millis, total_docs, total_size_in_bytes}, refresh: {total, total_time_in_millis}, flush: {total,
        periodic, total_time_in_millis}, segments: {count, index_writer_memory_in_bytes, version_map_memory_in_bytes},
        translog: {operations, size_in_bytes, uncommitted_operations, uncommitted_size_in_bytes,
        earliest_last_modified_age}, seq_no: {max_seq_no, local_checkpoint, global_checkpoint}, commit: {id, generation,
        num_docs}}. Sections and members that are left out count as zero.
        """
    def segments(self) -> bytes:
        """{num_committed_segments, num_search_segments, segments: {name: {generation, num_docs, deleted_docs,
        size_in_bytes,
        memory_in_bytes, committed, search, version, compound}}}, as `_segments` shows them.
        """
    def close(self) -> None:
        """What was acknowledged is on disk on return, and the folder is not touched any more."""
    def abandon(self) -> None:
        """Closes without writing anything: the folder is about to be removed."""

@final
class History:
    """Operations in the order of their numbers."""

    @property
    def max_seq_no(self) -> int: ...
    @property
    def bytes(self) -> int: ...
    def __len__(self) -> int: ...
    def next(self, max_bytes: int) -> builtins.bytes:
        """Records of the next operations, at least one; empty at the end."""

@final
class Files:
    """The files of a commit."""

    def manifest(self) -> bytes:
        """{files: [{name, length, checksum}], local_checkpoint, max_seq_no, history_uuid}"""
    def read(self, name: str, offset: int, length: int) -> bytes: ...

@final
class Restore:
    """A shard that is being received, beside the one in place at `path`. Files that an earlier attempt received whole,
    and those that the shard in place has, are taken over."""

    def __new__(cls, path: str, manifest: bytes) -> Self: ...
    def needed(self) -> list[tuple[str, int, int]]:
        """(name, offset to go on from, length)"""
    def reused(self) -> tuple[int, int]:
        """Files and bytes that need not be sent."""
    def write(self, name: str, offset: int, data: bytes) -> None:
        """The next piece of a file; an empty file has one empty piece."""
    def finish(self) -> None:
        """Checks everything, makes it durable and puts it in place. Raises corruption_exception."""
    def discard(self) -> None: ...

def inspect_shard(path: str) -> bytes | None:
    """{history_uuid, max_seq_no, local_checkpoint, global_checkpoint, primary_term} of a closed shard; None: there is
    none."""

@final
class Reader:
    """A point in time of one shard; holds its segments until dropped."""

    def generation(self) -> int: ...
    def doc_count(self) -> int: ...

# --- search ---------------------------------------------------------------------------------------------------------

@final
class Plan:
    """A parsed search plan, reusable and shareable between threads."""

    def __new__(cls, plan: bytes) -> Self: ...
    def can_match(self, reader: Reader) -> bool:
        """False only if certainly no document of the reader matches; looks at dictionaries and the bounds of columns."""
    def cost(self, readers: Sequence[Reader]) -> int:
        """A rough number of documents to visit; small plans need no thread of their own."""

@final
class Cancel:
    """Ends the searches and counts that it was given to (`task_cancelled_exception`), from any thread."""

    cancelled: bool

    def __new__(cls) -> Self: ...
    def cancel(self) -> None: ...

@final
class Outcome:
    """What a search answers: the inside of the body, and what went wrong on the way."""

    body: bytes
    aggregations_at: int | None
    """Where the object of the aggregations begins in the body; it ends with it."""
    timed_out: bool
    terminated_early: bool | None
    failures: list[tuple[int, str, str, int]]
    total: int
    seconds: float
    """How long `search` took inside the kernel."""
    last_sort: bytes | None
    scroll: bytes | None
    """Where the next page begins, if the plan says `"scroll": true`."""

def search(
    readers: Sequence[tuple[str, int, str, Reader]],
    plan: Plan,
    plans: Sequence[Plan] | None = None,
    cursor: bytes | None = None,
    cancel: Cancel | None = None,
    statistics: bytes | None = None,
) -> Outcome:
    """Query, merge, fetch and render over local shards: (index, shard, node id, reader).

    `plans`: the plan of each reader, where indices differ in their mappings; `plan` then merges and renders.
    `cursor`: the `Outcome.scroll` of
    the page before over the same readers; the answer goes on behind it (ties by shard and document), totals and
    aggregations of a page
    with a cursor count everything as on the first page.
    """

def query(
    reader: Reader,
    plan: Plan,
    cursor: bytes | None = None,
    place: int = 0,
    cancel: Cancel | None = None,
    statistics: bytes | None = None,
) -> bytes:
    """A block: what one shard found. `cursor` as in `search`; `place` is the shard's among all that the cursor knows."""

def statistics(reader: Reader, plan: Plan, cancel: Cancel | None = None) -> bytes:
    """What the shard has of the terms and fields by which the plan's query scores, for `dfs_query_then_fetch`."""

def merge_statistics(blocks: Sequence[bytes]) -> bytes:
    """Their sums: the `statistics` by which `query`, `search` and `fetch` score then."""

def merge(
    plan: Plan,
    blocks: Sequence[bytes],
    cursor: bytes | None = None,
    cancel: Cancel | None = None,
    places: Sequence[int] | None = None,
) -> bytes:
    """The final result. `places`: where the shard of each block stands among all that are searched; without, the blocks are those
    of all, in their order. A block of :func:`reduce` knows the places of its shards."""

def reduce(plan: Plan, blocks: Sequence[bytes], places: Sequence[int], cancel: Cancel | None = None) -> bytes:
    """One block, of the kind that `query` makes, from those of several shards: no more hits than the page needs, each bucket once.
    Merged with those of the other shards it answers what all together would."""

def fetch_refs(merged: bytes) -> list[tuple[int, bytes]]:
    """Of a merged block: what each shard (its place) has to fetch, as `refs` of `fetch`."""

def set_request_limit(limit: int) -> None:
    """Bytes that all searches of this process may hold together for their aggregations; beyond, they are refused with
    circuit_breaking_exception."""

def request_memory() -> tuple[int, int]:
    """Bytes that searches hold now, and how often one was refused more."""

def fetch(
    index: str,
    shard: int,
    reader: Reader,
    plan: Plan,
    refs: bytes,
    node: str = "",
    cancel: Cancel | None = None,
    statistics: bytes | None = None,
) -> bytes: ...
def render(plan: Plan, merged: bytes, hits: Sequence[bytes], cursor: bytes | None = None) -> Outcome:
    """`cursor`: that of the page before."""

def count(readers: Sequence[Reader], plan: Plan, cancel: Cancel | None = None) -> int: ...
def format_number(value: float, pattern: str) -> str:
    """A number by a pattern of Java's `DecimalFormat`."""

def explain(reader: Reader, plan: Plan, id: str) -> bytes | None:
    """{matched, explanation} of one document; None if there is no such document."""
