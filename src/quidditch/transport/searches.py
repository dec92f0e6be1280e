"""What a search asks of a data node, as messages; and the calls that carry them.

Readers are kept on the data node in contexts. A context of shards (`Opened.context`) lives as long as a scroll or a point in time;
what a query found is fetched from a context of its own (`Queried.context`), which lives until then.
"""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

import msgspec

from quidditch.transport.api import Remote, Transport, TransportError
from quidditch.transport.errors import MISSING, from_transport
from quidditch.transport.shards import ShardMissing

OPEN = "search/open"
QUERY = "search/query"
STATISTICS = "search/statistics"
WHOLE = "search/whole"
FETCH = "search/fetch"
COUNT = "search/count"
CAN_MATCH = "search/can_match"
EXPLAIN = "search/explain"
FREE = "search/free"
CANCEL = "search/cancel"
SECONDS = 300.0
"""How long the answer of a data node is waited for; a query that has a time limit of its own ends before."""
_FREE_SECONDS = 5.0
INLINE_COST = 20_000
"""Plans that visit fewer documents than this run on the event loop's thread: a thread of their own would cost more."""
INLINE_SECONDS = 250e-6
"""Plans that took less time than this when they ran before do so as well."""


class _Message(msgspec.Struct, frozen=True, array_like=True):
    pass


class Wanted(_Message, frozen=True):
    """A shard to search. `plan` counts in the plans of the message, `place` among all shards of the search, `at` among those of
    the context that has its reader.
    """

    index: str
    number: int
    uuid: str
    plan: int = 0
    place: int = 0
    at: int = 0


class Query(_Message, frozen=True):
    """Plans, and the shards to run them on; without a `context` their readers are opened now. `hold_ms`: readers are kept that
    long for further queries, 0 for not at all. `fetches`: what is found will be fetched. `groups` are those of the request's
    `stats`, `cursor` is where the page begins. `task` names the search for who wants to end it; at most `width` shards are
    searched at a time. `statistics`: those of all shards, by which these score; `gathers`: a search that meets no shard of another
    node is to make them itself. `kind`: what readers are kept for, `scroll` or `point_in_time`.
    """

    shards: list[Wanted]
    plans: list[bytes]
    context: str = ""
    hold_ms: float = 0
    fetches: bool = True
    groups: list[str] = []
    cursor: bytes | None = None
    task: str = ""
    width: int = 1
    statistics: bytes | None = None
    gathers: bool = False
    kind: str = ""


class Part(_Message, frozen=True):
    """What one shard answers, or its error as `transport.errors` writes it."""

    data: bytes = b""
    error: bytes | None = None


class Queried(_Message, frozen=True):
    """The blocks of the shards in their order; where to fetch from, and where the readers are kept, if they are. `queue`: searches
    that wait there for a thread; `service_ms`: what threads took for a shard.
    """

    blocks: list[Part]
    context: str = ""
    held: str = ""
    queue: int = 0
    service_ms: float = 0.0


class Whole(_Message, frozen=True):
    """The kernel's outcome of a search that met no shard of another node."""

    body: bytes
    timed_out: bool
    terminated_early: bool | None
    failures: list[tuple[int, str, str, int]]
    total: int
    scroll: bytes | None
    aggregations_at: int | None
    held: str = ""
    queue: int = 0
    service_ms: float = 0.0
    statistics: bytes | None = None


class Fetch(_Message, frozen=True):
    """What the shards (by their places in the query) have to fetch from a query's context; with that it ends."""

    context: str
    shards: list[tuple[int, bytes]]
    task: str = ""


class Opened(_Message, frozen=True):
    """A context with the readers of the shards in their order; errors of those that it has not, and what else was asked of them."""

    context: str
    parts: list[Part]


class Explain(_Message, frozen=True):
    shard: Wanted
    plan: bytes
    id: str


class Explained(_Message, frozen=True):
    explanation: bytes | None


class Answered(Protocol):
    """What the kernel's search answers, here or on another node."""

    @property
    def body(self) -> bytes: ...
    @property
    def timed_out(self) -> bool: ...
    @property
    def terminated_early(self) -> bool | None: ...
    @property
    def failures(self) -> list[tuple[int, str, str, int]]: ...
    @property
    def total(self) -> int: ...
    @property
    def scroll(self) -> bytes | None: ...
    @property
    def aggregations_at(self) -> int | None: ...


encode = msgspec.msgpack.Encoder().encode
M = TypeVar("M")


def decode(data: bytes, kind: type[M]) -> M:
    return msgspec.msgpack.decode(data, type=kind)


class Searches:
    """Calls to data nodes. They raise :class:`ApiError`, or :class:`ShardMissing` where a shard or a context is not there."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def open(self, node: str, query: Query) -> Opened:
        return decode(await self._ask(node, OPEN, query), Opened)

    async def query(self, node: str, query: Query) -> Queried:
        return decode(await self._ask(node, QUERY, query), Queried)

    async def statistics(self, node: str, query: Query) -> Opened:
        """What each shard has of the terms by which the query scores, and where the readers are kept that tell it."""
        return decode(await self._ask(node, STATISTICS, query), Opened)

    async def whole(self, node: str, query: Query) -> Whole:
        return decode(await self._ask(node, WHOLE, query), Whole)

    async def fetch(self, node: str, fetch: Fetch) -> list[Part]:
        return decode(await self._ask(node, FETCH, fetch), list[Part])

    async def count(self, node: str, query: Query) -> list[Part]:
        """The number of matches of each shard, as text."""
        return decode(await self._ask(node, COUNT, query), list[Part])

    async def can_match(self, node: str, query: Query) -> list[bool]:
        """Whether each shard may have a match."""
        return decode(await self._ask(node, CAN_MATCH, query), list[bool])

    async def explain(self, node: str, explain: Explain) -> bytes | None:
        return decode(await self._ask(node, EXPLAIN, explain), Explained).explanation

    async def free(self, node: str, contexts: list[str]) -> None:
        """Ends contexts; where that is not heard, their time ends them."""
        await self._ask(node, FREE, contexts, _FREE_SECONDS)

    async def cancel(self, node: str, tasks: list[str]) -> None:
        """Ends searches."""
        await self._ask(node, CANCEL, tasks, _FREE_SECONDS)

    def silence(self, node: str) -> float:
        """See :meth:`Transport.silence`."""
        return self._transport.silence(node)

    async def _ask(self, node: str, action: str, message: Any, seconds: float = SECONDS) -> bytes:
        try:
            return await self._transport.call(node, action, encode(message), seconds)
        except Remote as error:
            if error.type == MISSING:
                raise ShardMissing(error.reason) from None
            raise
        except TransportError as error:
            raise from_transport(error, node, action) from None
