"""One search under way over several nodes: what each shard answered, who was asked, who is asked next."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import orjson

from quidditch.coordinator.search_errors import ShardFailure
from quidditch.coordinator.search_plans import CompiledPlan
from quidditch.coordinator.search_prepared import Elsewhere, Prepared
from quidditch.coordinator.search_stop import Stop
from quidditch.model.errors import ApiError
from quidditch.model.objects import Index
from quidditch.transport import errors
from quidditch.transport.breakers import Breaker
from quidditch.transport.searches import Part, Query, Wanted
from quidditch_kernel import Cancel, KernelError, Reader

CANCELLED = "task_cancelled_exception"


@dataclass(slots=True)
class Source:
    """Where the hits of a shard are fetched from: a node's context and the place there; no node: this process."""

    node: str
    context: str = ""
    at: int = 0


@dataclass(slots=True)
class Run:
    """Places count in the readers of `prepared`. `tried`: the nodes that were asked for each place; `task` is the search's name on
    other nodes, `asked` those that may work on it.
    """

    prepared: Prepared
    plan: CompiledPlan
    cursor: bytes | None = None
    hold_ms: float = 0
    stop: Stop | None = None
    task: str = ""
    blocks: dict[int, bytes] = field(default_factory=dict)
    sources: dict[int, Source] = field(default_factory=dict)
    errors: dict[int, ApiError] = field(default_factory=dict)
    tried: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    unfetched: set[tuple[str, str]] = field(default_factory=set)
    opened: set[tuple[str, str]] = field(default_factory=set)
    """Contexts that hold readers for this search only."""
    statistics: dict[int, bytes] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)
    spent_ms: float = 0.0
    """What threads took for all shards together."""
    memory: Breaker | None = None
    held: int = 0
    refused: ApiError | None = None
    """Why there is no memory for what the shards answered."""
    reduced: bytes | None = None
    """What the shards that are not in `blocks` any more answered, merged."""
    reducing: bool = False
    broken: KernelError | None = None
    """Why what was answered cannot be merged."""

    @property
    def cancel(self) -> Cancel | None:
        """What ends calls of the kernel for this search."""
        return None if self.stop is None else self.stop.kernel

    @property
    def gathers(self) -> bool:
        """Whether the statistics of the shards are still to be found."""
        return self.prepared.gathers and self.prepared.statistics is None

    @property
    def fetches(self) -> bool:
        return bool(self.plan.body.get("size", 10))

    def again(self) -> Run:
        """The search from its beginning, with what is known of copies that do not answer."""
        return replace(self, blocks={}, sources={}, errors={}, unfetched=set(), spent_ms=0.0, held=0, reduced=None)

    @property
    def answered(self) -> bool:
        return bool(self.blocks) or self.reduced is not None

    def answers(self) -> tuple[list[int], list[bytes]]:
        """What was answered so far, in the order of the shards, and the places; that of what is merged already says nothing."""
        places = sorted(self.blocks)
        blocks = [self.blocks[at] for at in places]
        return (places, blocks) if self.reduced is None else ([0, *places], [self.reduced, *blocks])

    def starts_reducing(self) -> bool:
        """Whether what was answered fills a batch that nobody merges yet; the pages of a scroll are merged as they are."""
        full = len(self.blocks) + (self.reduced is not None) >= self.prepared.batch
        if not full or self.reducing or self.broken is not None or self.prepared.batch >= len(self.prepared.readers):
            return False
        self.reducing = self.cursor is None and not self.hold_ms
        return self.reducing

    def replace_by(self, places: Sequence[int], reduced: bytes) -> None:
        """The answers of these places are merged with what was merged before."""
        released = sum(len(self.blocks.pop(at)) for at in places if at in self.blocks) + len(self.reduced or b"")
        self.reduced = reduced
        if self.memory is not None:
            self.memory.give(released)
            self.held -= released
            self._take(len(reduced))

    def plan_of(self, at: int) -> CompiledPlan:
        return self.plan if self.prepared.plans is None else self.prepared.plans[at]

    def is_away(self, at: int) -> bool:
        return isinstance(self.prepared.readers[at][3], Elsewhere)

    def here(self, at: int) -> Reader:
        found = self.prepared.readers[at][3]
        assert not isinstance(found, Elsewhere)
        return found

    def elsewhere(self, at: int) -> Elsewhere:
        found = self.prepared.readers[at][3]
        assert isinstance(found, Elsewhere)
        return found

    def index_of(self, at: int) -> Index | None:
        """The index whose other copies may be asked for this place; None where only the one that keeps the reader may."""
        indices = self.prepared.indices
        return None if indices is None or self.cursor is not None else indices.get(self.prepared.readers[at][0])

    def groups(self) -> dict[tuple[str, str], list[int]]:
        """The places by node and context; those of this node's own readers have no context, and come last: others are to work
        meanwhile. Those that failed are left out.
        """
        found: dict[tuple[str, str], list[int]] = defaultdict(list)
        own: list[int] = []
        for at, (_, _, node, reader) in enumerate(self.prepared.readers):
            if at in self.errors:
                continue
            if not isinstance(reader, Elsewhere):
                own.append(at)
            elif not reader.gone:
                found[node, reader.context].append(at)
        return {**found, **({(self.prepared.readers[own[0]][2], ""): own} if own else {})}

    def message(self, places: Sequence[int]) -> Query:
        """The query of these shards, which are all on one node and in one context there."""
        plans: dict[int, int] = {}
        bodies: list[bytes] = []
        shards = []
        for at in places:
            index, number, _, _ = self.prepared.readers[at]
            plan = self.plan_of(at)
            if id(plan) not in plans:
                plans[id(plan)] = len(bodies)
                bodies.append(orjson.dumps(plan.body))
            where = self.elsewhere(at)
            shards.append(Wanted(index, number, where.uuid, plans[id(plan)], at, where.at))
        context = self.elsewhere(places[0]).context if places else ""
        groups = list(self.plan.groups)
        width, statistics = self.prepared.width, self.prepared.statistics
        return Query(
            shards,
            bodies,
            context,
            self.hold_ms,
            self.fetches,
            groups,
            self.cursor,
            self.task,
            width,
            statistics,
            self.gathers,
            self.prepared.kind,
        )

    def keep(self, places: Sequence[int], node: str, held: str) -> None:
        """Notes who answered, and where its readers are kept."""
        for position, at in enumerate(places):
            index, number, _, _ = self.prepared.readers[at]
            where = self.elsewhere(at)
            if held and held != where.context:
                where = replace(where, context=held, at=position)
            self.prepared.readers[at] = (index, number, node, where)

    def take(self, places: Sequence[int], parts: Sequence[Part]) -> None:
        for at, part in zip(places, parts, strict=True):
            if part.error is not None:
                self.fail(at, errors.decode(part.error))
            else:
                self.add(at, part.data)

    def tell(self, places: Sequence[int], parts: Sequence[Part]) -> None:
        """Notes what the shards have of the query's terms."""
        for at, part in zip(places, parts, strict=True):
            if part.error is not None:
                self.fail(at, errors.decode(part.error))
            else:
                self.errors.pop(at, None)
                self.statistics[at] = part.data

    def add(self, at: int, block: bytes) -> None:
        """What the shard answered, as long as there is memory for it."""
        self.errors.pop(at, None)
        self.blocks[at] = block
        self._take(len(block))

    def _take(self, count: int) -> None:
        if self.memory is not None:
            try:
                self.memory.take(count, "<reduce_aggs>")
                self.held += count
            except ApiError as error:
                self.refused = error

    def release(self) -> None:
        """What was answered is not held any more."""
        if self.memory is not None:
            self.memory.give(self.held)
        self.held = 0

    def fail(self, at: int, error: ApiError) -> None:
        """The shard did not answer."""
        if error.type == errors.MISSING:
            index, number, _, reader = self.prepared.readers[at]
            uuid = reader.uuid if isinstance(reader, Elsewhere) else "_na_"
            shown = {"index": index, "shard": str(number), "index_uuid": uuid}
            error = ApiError(404, errors.MISSING, "no such shard", shown)
        self.errors[at] = error

    def failed(self, places: Sequence[int]) -> list[int]:
        return [at for at in places if at in self.errors]

    def failures(self) -> list[ShardFailure]:
        readers = self.prepared.readers
        return [ShardFailure(*readers[at][:3], error) for at, error in sorted(self.errors.items())]

    def leave_out(self) -> None:
        """A scroll goes on without the shards that failed; the places of the others stay."""
        for at in self.errors:
            index, number, node, reader = self.prepared.readers[at]
            if isinstance(reader, Elsewhere):
                self.prepared.readers[at] = (index, number, node, replace(reader, gone=True))
