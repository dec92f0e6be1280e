"""A search ready to run: the readers of its shards, here or elsewhere, and their plans."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from quidditch.coordinator.search_errors import ShardFailure, shards_section
from quidditch.coordinator.search_plans import CompiledPlan
from quidditch.coordinator.search_stop import Stop
from quidditch.model.objects import Index

if TYPE_CHECKING:
    from quidditch_kernel import Reader

T = TypeVar("T")
DEFAULT_WIDTH = 5
"""`max_concurrent_shard_requests` where the request does not say."""


class LocalShards(Protocol):
    """The node's own shards."""

    @property
    def id(self) -> str: ...

    def reader(self, uuid: str, number: int) -> Reader:
        """A point in time of one shard. Raises :class:`ShardMissing`."""

    def segments(self, uuid: str, number: int) -> bytes:
        """The segments of a shard as JSON, for who has just taken a reader. Raises as :meth:`reader`."""

    def call(self, function: Callable[..., T], *args: Any) -> Awaitable[T]:
        """Runs a kernel call in a thread."""

    @property
    def queued(self) -> int:
        """Searches that wait for a thread."""

    def searched(self, shards: Iterable[tuple[str, int]], millis: float, groups: Sequence[str] = ()) -> None:
        """Counts one search over these shards, by name of index and number."""

    def failed(self, shards: Iterable[tuple[str, int]]) -> None:
        """Counts searches that these shards could not answer."""

    def keep(self, kind: str, shards: Iterable[tuple[str, int]]) -> Callable[[], None]:
        """Counts readers of these shards as kept, until what is answered is called."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A shard that another node searches. `context` keeps its reader there, in place `at`, empty if the reader is opened for the
    query. `gone`: a scroll goes on without it.
    """

    uuid: str
    context: str = ""
    at: int = 0
    gone: bool = False


ShardReader = tuple[str, int, str, "Reader | Elsewhere"]
"""Index, shard, node id, reader: what the kernel's `search` takes, where all readers are here."""


def own_shards(readers: Iterable[ShardReader]) -> list[tuple[str, int]]:
    """Those whose readers are here, by name of index and number."""
    return [(index, number) for index, number, _, reader in readers if not isinstance(reader, Elsewhere)]


def is_away(readers: Iterable[ShardReader]) -> bool:
    """Whether some of the shards are on other nodes."""
    return any(isinstance(reader, Elsewhere) for _, _, _, reader in readers)


@dataclass(slots=True)
class Prepared:
    """Readers, their plans where they differ, what failed on the way. `away`: some shard is on another node. `cancel` gives what
    ends the search. `indices` by name, of which other copies may be asked where one fails, as `preference` wants it; None: the
    readers are those of a point in time. `width`: shards that are searched at a time on a node. `gathers`: shards score by what all
    of them have together, which is found first and then is in `statistics`.
    """

    readers: list[ShardReader]
    plan: CompiledPlan | None
    plans: list[CompiledPlan] | None
    failures: list[ShardFailure]
    total: int
    skipped: int = 0
    batch: int = 512
    away: bool = False
    cancel: Callable[[], Stop] | None = None
    indices: dict[str, Index] | None = None
    preference: str | None = None
    width: int = DEFAULT_WIDTH
    gathers: bool = False
    statistics: bytes | None = None
    kind: str = ""
    """What readers are kept for, where they are: `scroll` or `point_in_time`."""
    phase: str = "query"
    """What is done first with the shards, as errors tell it."""

    def plan_of(self, at: int) -> CompiledPlan:
        """The plan of the shard at this place."""
        assert self.plan is not None
        return self.plan if self.plans is None else self.plans[at]

    def keep(self, may_match: Sequence[bool]) -> None:
        """Leaves out the shards that cannot match; one stays, to give the empty answer its form."""
        kept = [at for at, may in enumerate(may_match) if may] or [0]
        self.skipped = len(self.readers) - len(kept)
        self.readers = [self.readers[at] for at in kept]
        if self.plans is not None:
            self.plans = [self.plans[at] for at in kept]

    @property
    def reduce_phases(self) -> int:
        """How often OpenSearch would reduce the results of so many shards, taken in batches."""
        count = len(self.readers)
        if self.plan is not None and not self.plan.body.get("size", 10) and "aggs" not in self.plan.body:
            return 1  # nothing but counts to add up
        return 1 if count <= self.batch else 1 + -(-(count - self.batch) // (self.batch - 1))

    @property
    def sections(self) -> dict[str, Any]:
        return shards_section(self.total, self.failures, self.skipped)
