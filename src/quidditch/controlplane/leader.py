"""The leader: one queue of commands, decided by the pure core on the newest state, written to the store, published.

Commands that wait together are decided one after the other and written together. The state that others see moves only when a
whole batch is in the store. What another writer changes arrives by the watch and is brought in order by `upkeep`.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, overload

import structlog

from quidditch.controlplane import overflow
from quidditch.controlplane.api import Subscriber
from quidditch.controlplane.candidate import Candidate
from quidditch.controlplane.core.allocation.delay import next_look_ms
from quidditch.controlplane.core.allocation.memory import Memory
from quidditch.controlplane.core.commands import (
    Acknowledged,
    Acknowledging,
    Command,
    CreateIndex,
    IndexCreated,
    NodeLeft,
    PutClusterSettings,
    Query,
    Reroute,
    Rerouted,
    Result,
    Rollover,
    SettingsChanged,
    Told,
    Upkeep,
)
from quidditch.controlplane.core.decide import bootstrap, upkeep
from quidditch.controlplane.core.draft import Checks, Decision, Env, Ids, Op, ParsedMappings
from quidditch.controlplane.core.measures import Measures
from quidditch.controlplane.decisions import Aside, Decisions
from quidditch.controlplane.foreign import Foreign
from quidditch.controlplane.publisher import Publisher
from quidditch.controlplane.tasks import Task, Verdict, closing, timed_out
from quidditch.controlplane.wire import not_leading
from quidditch.controlplane.writer import Outcome, Writer
from quidditch.lib.clock import Clock
from quidditch.lib.metrics import Metrics
from quidditch.model.errors import ApiError
from quidditch.model.state import Change, ClusterState, Deleted
from quidditch.reconcile.backoff import Backoff
from quidditch.reconcile.controller import Again, Controller
from quidditch.store import api

_log = structlog.get_logger(__name__)
_BATCH = 256
_ATTEMPTS = 5
_STOP_SECONDS = 1.5
"""How long a standby that ends waits for the store in all."""
_LOOK_SECONDS = 0.5
"""How often it is looked whether a disk has passed a watermark."""


class Leader:
    """A control plane in this process; use it through :class:`quidditch.controlplane.api.ControlPlane`.

    `holder` names this process in the lease (`node id`, or `node id@host:port` where others may look after it); `lease_seconds` is
    how long others wait for it after it died. A `standby` is one of several candidates: it starts without the lead and, when it
    loses it, leaves what is queued to the next leader. `gone` looks for a while whether another leader has died: then nobody waits for
    its lease to run out. `may_lead` says whether this one is a
    candidate at all. `copies`: whether nodes can copy shards from each other. `measures` takes what they say of themselves. `aside`
    runs what takes long in a thread; without it everything is decided on the event loop.
    """

    def __init__(
        self,
        store: api.Store,
        *,
        cluster_name: str,
        holder: str,
        clock: Clock,
        ids: Ids,
        checks: Checks | None = None,
        config: Mapping[str, Any] | None = None,
        copies: bool = False,
        lease_seconds: float = 15.0,
        upkeep_seconds: float = 60.0,
        standby: bool = False,
        gone: Callable[[api.Lease], Awaitable[bool]] | None = None,
        may_lead: Callable[[], bool] = lambda: True,
        metrics: Metrics | None = None,
        aside: Aside | None = None,
    ) -> None:
        self._store = store
        self._cluster_name = cluster_name
        self._candidate = Candidate(store, holder, clock, lease_seconds, gone, may_lead)
        self._clock = clock
        self._ids = ids
        self._checks = checks or Checks()
        self._config = dict(config or {})
        self._parsed = ParsedMappings()
        self.measures = Measures()
        self._copies = copies
        self._memory = Memory()
        self._publisher = Publisher()
        self._metrics = metrics or Metrics()
        self._commands = self._metrics.counter("commands", "commands decided, by kind and outcome", ("kind", "outcome"))
        self._decisions = Decisions(clock, self._env, self._counted, aside)
        self._writing = self._metrics.duration("state_write", "time to bring one batch of commands into the store")
        self._queue: deque[Task] = deque()
        self._wake = asyncio.Event()
        self._foreign = Foreign(store, self._wake.set)
        self._numbers = itertools.count(1)
        self._upkeep_seconds = upkeep_seconds
        self._standby = standby
        self._chores = Controller("chores", self._chore, workers=2, quiet=(api.StoreError, ApiError))
        self._backoff = Backoff(0.05, 5.0)
        self._tasks: list[asyncio.Task[None]] = []
        self._writer: Writer | None = None
        self._executing: list[Task] = []
        self._stopping = False
        self._leading = False

    # --- what a node sees -------------------------------------------------------------------------------------------

    @property
    def state(self) -> ClusterState:
        return self._publisher.state

    @property
    def leading(self) -> bool:
        """Whether it holds the lead and has published the state that it leads."""
        return self._leading

    @property
    def leader_id(self) -> str:
        return self._candidate.holder.partition("@")[0] if self._leading else ""

    @property
    def epoch(self) -> int:
        """Of the newest lease that this process held; 0 before the first."""
        return self._candidate.lease.epoch if self._candidate.lease is not None else 0

    def subscribe(self, callback: Subscriber) -> Callable[[], None]:
        return self._publisher.subscribe(callback)

    async def wait_for(self, predicate: Callable[[ClusterState], bool], timeout: float) -> bool:
        return await self._publisher.wait_for(predicate, timeout)

    async def pending_tasks(self, timeout: float | None = None) -> Sequence[Task]:  # noqa: ARG002
        return self.waiting()

    def waiting(self) -> list[Task]:
        """What waits here and what is worked on."""
        return [*self._executing, *self._queue]

    @overload
    async def submit(self, command: CreateIndex | Rollover, timeout: float | None = None) -> IndexCreated: ...
    @overload
    async def submit(self, command: PutClusterSettings, timeout: float | None = None) -> SettingsChanged: ...
    @overload
    async def submit(self, command: Reroute, timeout: float | None = None) -> Rerouted: ...
    @overload
    async def submit(self, command: Query, timeout: float | None = None) -> Told: ...
    @overload
    async def submit(self, command: Acknowledging, timeout: float | None = None) -> Acknowledged: ...
    async def submit(self, command: Command, timeout: float | None = None) -> Result:
        if self._stopping:
            # Where there are other candidates the sender asks again, and finds the next leader.
            raise not_leading(self._candidate.holder, "") if self._standby else closing()
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        task = Task(command, future, next(self._numbers), self._clock.monotonic(), self._clock)
        self._queue.append(task)
        self._wake.set()
        if timeout is None:
            return await future
        done, _ = await asyncio.wait([future], timeout=timeout)
        if not done and not task.executing:
            self._queue.remove(task)
            raise timed_out(task, timeout)
        return await future

    # --- life -------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Takes the lease, reads the store, finishes what a predecessor left half done, and begins to serve.

        Raises :class:`StoreError`. A standby returns at once and does all that when the lease falls to it.
        """
        if self._standby:
            self._wake.set()
        else:
            await self._lead()
        self._tasks = [asyncio.create_task(self._serve(), name="leader")]
        self._chores.start()
        self._chores.add_after("lease", self._candidate.seconds / 3)
        self._chores.add_after("upkeep", self._upkeep_seconds)
        self._chores.add("measures")

    async def stop(self) -> None:
        """Serves what is queued, then ends; the store stays open. A standby does not wait for a store that does not play along (of the
        last masters of a cluster none has a quorum any more): there are other candidates, and its lease runs out.
        """
        self._stopping = True
        self._wake.set()
        patience = _STOP_SECONDS if self._standby else None
        for task in self._tasks:
            patience = await self._ended(task, patience)
        self._hand_over()
        patience = await self._ended(self._chores.stop(), patience)
        await self._foreign.ended()
        await self._ended(self._candidate.release(), patience)

    async def _ended(self, part: Awaitable[None], patience: float | None) -> float | None:
        """Waits so many seconds (None: as long as it takes) for the part to end, then cancels it; the seconds that are left."""
        began = self._clock.monotonic()
        task = asyncio.ensure_future(part)
        await asyncio.wait([task], timeout=patience)
        while not task.done():
            # Again and again, since wait_for can lose a cancellation (before Python 3.12).
            task.cancel()
            await asyncio.wait([task], timeout=0.1)
        if not task.cancelled():
            task.result()
        return None if patience is None else max(0.1, patience - (self._clock.monotonic() - began))

    async def _lead(self) -> None:
        self._step_down()
        while True:
            lease = await self._candidate.acquire(self._leading)
            if lease is not None:
                break
            self._hand_over()
            await self._candidate.look_at_rival()
            if self._stopping:
                raise api.Unavailable("the node is closing")
        self._candidate.lease = lease
        self.measures = Measures()
        self._writer = Writer(self._store, lease.epoch)
        await self._resync()
        self._chores.add("delays")

    def _step_down(self) -> None:
        """What others write from now on is none of its business; it reads all anew when it leads again."""
        self._foreign.end()
        self._writer = None
        self._leading = False
        self._wake.set()

    def _hand_over(self) -> None:
        """A standby that another leads leaves its commands to that one: their senders ask again there."""
        if self._standby:
            for task in self.waiting():
                task.answer(not_leading(self._candidate.holder, ""))
            self._queue.clear()

    async def _resync(self) -> None:
        """Reads everything anew, starts a new watch from there, and brings the objects in order."""
        self._foreign.end()
        listing = await self._store.list()
        state = ClusterState().apply(overflow.join_all(listing.objects), _newest(listing))
        self._executing = []
        if self._writer is not None:
            self._writer.forget()
            self._writer.parts.reset(listing.objects)
        state = await self._settle(state, lambda s: bootstrap(s, self._cluster_name, self._env()))
        state = await self._settle(state, lambda s: upkeep(s, self._env()))
        self._leading = True
        self._publish(state)
        self._foreign.begin(listing.version)

    async def _settle(self, state: ClusterState, step: Callable[[ClusterState], Decision]) -> ClusterState:
        """Writes what `step` decides. Raises the store's error."""
        decision = await self._decisions.wide(state, lambda: step(state))
        if not decision.ops:
            return state
        (outcome,) = await self._require_writer().write(state, [decision.ops])
        if outcome.error is not None:
            raise outcome.error
        return _applied(state, outcome.changes)

    def _require_writer(self) -> Writer:
        if self._writer is None:
            raise api.Fenced("this node does not lead")
        return self._writer

    def _env(self) -> Env:
        return Env(
            self._clock.now_ms(),
            self._ids,
            self._checks,
            self._config,
            self._parsed,
            self.measures.info,
            self._copies,
            self._memory,
        )

    def _publish(self, state: ClusterState) -> None:
        self._publisher.publish(state)

    # --- the loop ---------------------------------------------------------------------------------------------------

    async def _serve(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue or (self._has_work() and not self._stopping):
                await self._turn()
            if self._stopping:
                return

    def _has_work(self) -> bool:
        return self._foreign.waiting or self._writer is None

    async def _turn(self) -> None:
        try:
            if self._writer is None:
                await self._recover(self._lead)
                return
            if self._foreign.lost:
                await self._resync()
            await self._take_foreign()
            await self._batch()
        except api.Fenced:
            await self._recover(self._lead)
        except api.StoreError:
            await self._recover(self._resync)
        except Exception as error:
            # A bug must not end the loop: its victims are answered, the rest goes on from what the store says.
            _log.exception("control plane failed")
            for task in self._executing:
                task.answer(error)
            await self._recover(self._resync)

    async def _recover(self, action: Callable[[], Any]) -> None:
        """Repeats the action until the store plays along; what is queued waits, or fails if the node is closing."""
        while True:
            try:
                await action()
                self._backoff.succeeded("store")
                return
            except api.Fenced:
                action = self._lead
            except api.StoreError as error:
                if self._stopping:
                    for task in self._queue:
                        task.fail(error)
                    self._queue.clear()
                    return
                await asyncio.sleep(self._backoff.failed("store"))

    async def _batch(self) -> None:
        """Decides, writes and publishes what waits. Nobody is answered before everything that the answer builds on is written."""
        writer = self._require_writer()
        tasks: list[Task] = []
        while self._queue and len(tasks) < _BATCH:
            task = self._queue.popleft()
            if not task.future.done():
                task.executing = True
                tasks.append(task)
        if tasks:
            self._executing = tasks
            await self._commit(writer, await self._decisions.on(self.state, tasks))
            self._executing = []

    def _counted(self, kind: str, outcome: str) -> None:
        self._commands.labels(kind, outcome).inc()

    async def _commit(self, writer: Writer, verdicts: Sequence[tuple[Task, Verdict]]) -> None:
        base = self.state
        began = self._clock.monotonic()
        outcomes = await writer.write(base, [_ops(verdict) for _, verdict in verdicts])
        self._writing.observe(self._clock.monotonic() - began)
        if any(outcome.error for outcome in outcomes):
            await self._retry(verdicts, outcomes)
            return
        changes = [change for outcome in outcomes for change in outcome.changes]
        if changes:
            self._publish(_applied(base, changes))
        for task, verdict in verdicts:
            task.answer(verdict)
        if any(isinstance(task.command, NodeLeft) for task, _ in verdicts):
            self._chores.add("delays")

    async def _retry(self, verdicts: Sequence[tuple[Task, Verdict]], outcomes: Sequence[Outcome]) -> None:
        """After a failed write the store is read anew; commands that met a conflict are decided again on what is there, and so are those
        that had nothing to write: they may have built on what failed.
        """
        again: list[Task] = []
        written: list[tuple[Task, Verdict]] = []
        worst: api.StoreError = next(outcome.error for outcome in outcomes if outcome.error)
        for (task, verdict), outcome in zip(verdicts, outcomes, strict=True):
            error = outcome.error
            if error is None and _ops(verdict):
                written.append((task, verdict))
                continue
            task.attempts += 1
            if task.attempts < _ATTEMPTS and isinstance(error, api.Conflict | api.NotFound | api.Fenced | None):
                task.executing = False
                again.append(task)
            elif self._standby and isinstance(error or worst, api.Unavailable):
                # Whether it is written is not known. The sender asks again: here, once the store plays along, or the next leader.
                task.answer(not_leading(self._candidate.holder, ""))
            else:
                task.fail(error or worst)
            worst = error if isinstance(error, api.Fenced) else worst
        self._queue.extendleft(reversed(again))
        deposed = isinstance(worst, api.Fenced)
        if deposed and self._standby:
            # What is written is the next leader's to tell: this one may not lead again for long.
            for task, _ in written:
                task.answer(not_leading(self._candidate.holder, ""))
        await self._recover(self._lead if deposed else self._resync)
        for task, verdict in written:
            task.answer(verdict)

    # --- other writers ----------------------------------------------------------------------------------------------

    async def _take_foreign(self) -> None:
        """Applies what others wrote."""
        changes = await self._foreign.changes(self._require_writer(), self.state)
        if changes:
            state = await self._settle(_applied(self.state, changes), lambda s: upkeep(s, self._env()))
            self._publish(state)

    async def _chore(self, chore: str) -> Again | None:
        """What is to be done again and again: hold the lease, look whether everything is in order."""
        if chore == "upkeep":
            if not self._stopping:
                await self.submit(Upkeep())
            return Again(self._upkeep_seconds)
        if chore == "delays":
            return await self._end_delays()
        if chore == "measures":
            return await self._look_at_disks()
        lease = await self._candidate.acquire(self._leading)
        if lease is None:
            self._step_down()
        elif self.leading and lease != self._candidate.lease:
            # Another led in between: what this process knows is old, it begins anew.
            self._step_down()
        return Again(self._candidate.seconds / 3)

    async def _look_at_disks(self) -> Again | None:
        """Where a disk has passed a watermark, everything is looked at again: blocks are set and taken off, copies move."""
        if self._stopping:
            return None
        if self.leading and self.measures.look(self.state, self._clock.monotonic()):
            await self.submit(Upkeep())
        return Again(_LOOK_SECONDS)

    async def _end_delays(self) -> Again | None:
        """Places the replicas of nodes that left once they have been waited for long enough."""
        if not self.leading:
            return None
        waiting = await self._next_look_ms()
        if waiting == 0 and not self._stopping:
            await self.submit(Reroute())
            waiting = await self._next_look_ms()
        return None if waiting is None or self._stopping else Again(max(waiting / 1000, 0.05))

    async def _next_look_ms(self) -> int | None:
        async with self._decisions.free:
            return next_look_ms(self._memory.follow(self.state, self._env()))


def _applied(state: ClusterState, changes: Sequence[Change]) -> ClusterState:
    versions = [_number(change.metadata.resource_version) for change in changes if not isinstance(change, Deleted)]
    return state.apply(changes, max([state.version + 1, *versions]))


def _newest(listing: api.Listing) -> int:
    """The number of a version that may be none: a store of several parts has several."""
    return max(_number(listing.version), *(_number(obj.metadata.resource_version) for obj in listing.objects), 0)


def _number(version: str) -> int:
    return int(version) if version.isdigit() else 0


def _ops(verdict: Verdict) -> Sequence[Op]:
    return verdict.ops if isinstance(verdict, Decision) else ()
