"""The source's side of recoveries: the primary gives files and operations, and begins to track the copy that takes them.

The order carries the safety. What the target may keep of its own is told (`PREPARE`) before it is tracked; it is tracked before the last
operation to be asked for is sampled (`TRACK`), so that every later one reaches it by itself; it counts as in sync only once it has all
that is below the global checkpoint (`FINISH`). A moving primary holds all operations off from `HAND_OVER` until the target has taken
over (`HANDED`), and only then is it the primary no longer.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from typing import Any, Protocol

import msgspec

from quidditch.datanode.recovery.throttle import Throttle
from quidditch.datanode.replication.engine import Engine, Files, History, Run
from quidditch.datanode.replication.permits import Permits
from quidditch.datanode.replication.tracker import ReplicationTracker, TrackerError
from quidditch.lib.clock import Clock
from quidditch.model.errors import ApiError
from quidditch.model.objects import Copy
from quidditch.transport import recovery as wire

log = logging.getLogger("quidditch.recovery")
OPERATIONS_BYTES = 512 << 10
_PAUSE = 0.01
_SAFE_SECONDS = 1.0


class SourceShard(Protocol):
    """The primary of a shard, as recoveries see it; see :class:`quidditch.datanode.replication.primary.Primary`."""

    tracker: ReplicationTracker
    engine: Engine
    permits: Permits
    primary_term: int
    term_start: int

    def look(self) -> None:
        """Takes notice of how far the copies are, and tells it."""


class SourceNode(Protocol):
    """What recoveries ask of the node; shards by the uuid of their index and their number."""

    def primary(self, uuid: str, number: int) -> SourceShard | None:
        """The primary here that takes writes."""

    def target(self, uuid: str, number: int, allocation_id: str) -> Copy | None:
        """The copy that is being built under this id, by the routing applied here."""

    def mapping_version(self, uuid: str) -> int:
        """Which mapping operations need that are here now."""

    def relocated(self, uuid: str, number: int, target: str) -> None:
        """The target has taken over: the primary here refuses all operations from now on, so that they are tried there."""


class Limits(msgspec.Struct, frozen=True):
    """Seconds. `idle`: after that a target that asks for nothing is given up. `alone`: what operations under way get to end in when a
    primary moves. `handed`: what the target gets to take over in; operations wait so long at most. `in_sync`: what a target gets to
    reach the global checkpoint in.
    """

    idle: float = 900.0
    alone: float = 30.0
    handed: float = 10.0
    in_sync: float = 60.0


class _Session:
    """One recovery of one target, and what is held for it."""

    def __init__(self, id: str, shard: SourceShard, start: wire.Start) -> None:
        self.id = id
        self.shard = shard
        self.start = start
        self.from_seq_no = start.from_seq_no
        self.files: Files | None = None
        self.history: History | None = None
        self.lock = asyncio.Lock()
        self.chunk = -1
        self.records = b""
        self.sent = 0
        """Bytes of the history that have been given."""
        self.tracked: wire.Tracked | None = None
        self.held = contextlib.AsyncExitStack()
        self.state: wire.HandedOver | None = None
        self.handed = False
        self.over = asyncio.Event()
        """The hand-over has ended, one way or the other."""
        self.in_sync = False
        self.used = 0.0

    @property
    def target(self) -> str:
        return self.start.allocation_id


class Source:
    """Recoveries from the primaries of this node."""

    def __init__(
        self,
        node: SourceNode,
        run: Run,
        clock: Clock,
        throttle: Throttle,
        limits: Limits = Limits(),  # noqa: B008  (frozen)
    ) -> None:
        self._node = node
        self._run = run
        self._clock = clock
        self._throttle = throttle
        self._begun = 0
        self._limits = limits
        self._sessions: dict[str, _Session] = {}
        self._newest: dict[str, _Session] = {}
        """By the allocation id of the target, what it has begun last."""
        self._ending: dict[asyncio.Task[None], None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self.throttled: dict[tuple[str, int], float] = {}
        """Milliseconds that what each shard here gave had to wait for its share of the node's bytes."""

    def sessions(self, uuid: str, number: int) -> int:
        """The recoveries under way from the shard here."""
        return sum((each.start.uuid, each.start.number) == (uuid, number) for each in self._sessions.values())

    @property
    def total(self) -> int:
        """The recoveries under way from this node."""
        return len(self._sessions)

    # --- what the target asks for ---------------------------------------------------------------------------------------

    async def start(self, message: wire.Start) -> wire.Plan:
        """Raises an :class:`ApiError` of type `DELAY` where this node is not (yet) the source of such a recovery."""
        shard = self._node.primary(message.uuid, message.number)
        if shard is None:
            raise _delay(f"[{message.uuid}][{message.number}] has no started primary on this node")
        session = _Session(self._new_id(message.allocation_id), shard, message)
        self._newest[message.allocation_id] = session
        for known in [each for each in self._sessions.values() if each.target == session.target]:
            await self._close(known)  # its target has begun anew
        async with shard.permits.operation():
            self._check_routed(session)
            if session.target in shard.tracker.in_sync:
                raise ApiError(500, "recovery_failed_exception", f"[{session.target}] is in sync and cannot begin anew")
            plan = await self._plan(session)
            self._check_routed(session)
            shard.tracker.retain(message.node, session.from_seq_no, self._clock.monotonic())
        if self._newest.get(session.target) is not session:
            raise _unknown(session.id)  # it has begun anew meanwhile
        session.used = self._clock.monotonic()
        self._sessions[session.id] = session
        self._watch()
        return plan

    def _new_id(self, target: str) -> str:
        """None that this or an earlier process has given: what is late may not be taken for another recovery's."""
        self._begun += 1
        return f"{target}.{self._clock.now_ms()}.{self._begun}"

    def _routed(self, session: _Session) -> bool:
        return self._node.target(session.start.uuid, session.start.number, session.target) is not None

    def _check_routed(self, session: _Session) -> None:
        if not self._routed(session):
            raise _delay(f"the routing applied here has no copy [{session.target}] that is being built")

    async def _plan(self, session: _Session) -> wire.Plan:
        """Operations if they are enough, else files. What is chosen is held from now on."""
        shard, start = session.shard, session.start
        engine, manifest = shard.engine, b""
        known = start.from_seq_no <= engine.checkpoints()[0] + 1
        if known and start.history_uuid and start.history_uuid == engine.history_uuid():
            session.history = await self._run(engine.history, start.from_seq_no)
        if session.history is None:
            await self._flush(shard)
            session.files = await self._run(engine.files)
            manifest = await self._run(session.files.manifest)
            session.from_seq_no = int(msgspec.json.decode(manifest)["local_checkpoint"]) + 1
            session.history = await self._run(engine.history, session.from_seq_no)
            if session.history is None:
                raise ApiError(
                    500, "recovery_failed_exception", "the primary has not kept the operations after its files"
                )
        return wire.Plan(session.id, shard.primary_term, manifest, session.from_seq_no, len(session.history))

    async def _flush(self, shard: SourceShard) -> None:
        """Makes a commit, and waits a little until the copies in sync have all of it: only such a commit may be given away, and
        what is not in one goes as operations.
        """
        await self._run(shard.engine.flush, False, True)
        newest = shard.engine.checkpoints()[0]
        for _ in range(int(_SAFE_SECONDS / _PAUSE)):
            if shard.tracker.global_checkpoint >= newest:
                break
            await asyncio.sleep(_PAUSE)
        shard.engine.set_global_checkpoint(shard.tracker.global_checkpoint)

    async def read(self, message: wire.Read) -> wire.Chunk:
        session = self._session(message.recovery)
        if session.files is None:
            raise ApiError(400, "illegal_argument_exception", "this recovery has no files")
        waited = await self._take(session, message.length)
        data = await self._run(session.files.read, message.name, message.offset, message.length)
        return wire.Chunk(data, int(waited * 1000))

    async def prepare(self, message: wire.Recovery) -> wire.Prepared:
        session = self._session(message.recovery)
        if session.tracked is not None:
            raise _unknown(message.recovery)  # what has come since would be void
        shard = session.shard
        return wire.Prepared(shard.engine.checkpoints()[0], shard.term_start, shard.tracker.global_checkpoint)

    async def track(self, message: wire.Recovery) -> wire.Tracked:
        session = self._session(message.recovery)
        async with session.lock:
            if session.tracked is None:
                shard = session.shard
                async with shard.permits.operation():
                    self._check_routed(session)
                    with _sensible():
                        shard.tracker.initiate_tracking(session.target)
                    session.history = await self._run(shard.engine.history, session.from_seq_no)
                session.files = None
                if session.history is None:
                    raise ApiError(500, "recovery_failed_exception", "the primary has not kept the operations")
                session.tracked = wire.Tracked(session.history.max_seq_no, len(session.history))
            return session.tracked

    async def operations(self, message: wire.Next) -> wire.Records:
        session = self._session(message.recovery)
        async with session.lock:
            history = session.history
            if session.tracked is None or history is None or message.chunk not in (session.chunk, session.chunk + 1):
                raise _unknown(message.recovery)
            if message.chunk > session.chunk:
                await self._take(session, len(session.records))
                session.records = await self._run(history.next, OPERATIONS_BYTES)
                session.chunk = message.chunk
                session.sent += len(session.records)
            left = len(history) * max(0, history.bytes - session.sent) // max(history.bytes, 1)
            return wire.Records(session.records, left, self._node.mapping_version(session.start.uuid))

    async def _take(self, session: _Session, size: int) -> float:
        """Waits for the share of so many bytes; the seconds that took."""
        waited = await self._throttle.take(size)
        key = (session.start.uuid, session.start.number)
        self.throttled[key] = self.throttled.get(key, 0.0) + waited * 1000
        return waited

    async def finish(self, message: wire.Finish) -> wire.Finished:
        """Returns once the target is in sync. One that does not get there is given up: the global checkpoint waits for it."""
        session = self._session(message.recovery)
        try:
            await self._in_sync(session, message.local_checkpoint)
        except BaseException:
            await self._close(session)
            raise
        session.in_sync = True
        session.shard.look()
        return wire.Finished(session.shard.tracker.global_checkpoint)

    async def _in_sync(self, session: _Session, local_checkpoint: int) -> None:
        shard, target = session.shard, session.target
        async with shard.permits.operation():
            self._check_routed(session)
            with _sensible():
                shard.tracker.mark_in_sync(target, local_checkpoint)
        deadline = self._clock.monotonic() + self._limits.in_sync
        while target not in shard.tracker.in_sync:
            self._session(session.id)
            if self._clock.monotonic() > deadline:
                raise ApiError(500, "recovery_failed_exception", f"[{target}] does not reach the global checkpoint")
            await asyncio.sleep(_PAUSE)

    async def hand_over(self, message: wire.Recovery) -> wire.HandedOver:
        """No operation is taken here from now on, until the target has taken over or the time for that is up."""
        session = self._session(message.recovery)
        async with session.lock:
            if session.state is None:
                shard = session.shard
                try:
                    await session.held.enter_async_context(shard.permits.alone(self._limits.alone))
                except TimeoutError:
                    raise _delay("operations under way on the primary do not end") from None
                try:
                    self._check_routed(session)
                    with _sensible():
                        told = shard.tracker.hand_over(session.target)
                except BaseException:
                    await session.held.aclose()
                    raise
                session.state = wire.HandedOver(msgspec.msgpack.encode(told), shard.term_start)
                self._follow(self._end_hand_over(session))
            return session.state

    async def _end_hand_over(self, session: _Session) -> None:
        """A target that does not take over in time takes over no more."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(session.over.wait(), self._limits.handed)
        if not session.handed:
            log.warning("[%s] has not taken over in time: the primary stays where it is", session.target)
            await self._close(session)

    async def handed(self, message: wire.Recovery) -> None:
        """The target has taken over; asked again, the answer is the same."""
        session = self._session(message.recovery)
        if session.state is None:
            raise _unknown(message.recovery)
        if not session.handed:
            session.handed = True
            session.over.set()
            self._node.relocated(session.start.uuid, session.start.number, session.target)
            await session.held.aclose()

    async def end(self, message: wire.Recovery) -> None:
        session = self._sessions.get(message.recovery)
        if session is not None:
            await self._close(session)

    # --- life -----------------------------------------------------------------------------------------------------------

    def _session(self, id: str) -> _Session:
        session = self._sessions.get(id)
        if session is None:
            raise _unknown(id)
        session.used = self._clock.monotonic()
        return session

    def _watch(self) -> None:
        if self._timer is None and self._sessions:
            self._timer = asyncio.get_running_loop().call_later(self._limits.idle / 4, self._again)

    def _again(self) -> None:
        self._timer = None
        self.look()
        self._watch()

    def look(self) -> None:
        """Ends recoveries whose target is no longer in the routing, whose primary is none any more, or that nobody goes on with."""
        now = self._clock.monotonic()
        for session in list(self._sessions.values()):
            start = session.start
            here = self._node.primary(start.uuid, start.number) is session.shard
            wanted = here and self._routed(session)
            if not (wanted or session.handed) or now - session.used > self._limits.idle:
                self._follow(self._close(session))

    async def _close(self, session: _Session) -> None:
        self._sessions.pop(session.id, None)
        if self._newest.get(session.target) is session:
            del self._newest[session.target]
        session.over.set()
        session.files = session.history = None
        if session.handed:
            return
        if session.state is not None:
            session.state = None
            session.shard.tracker.keep()
            await session.held.aclose()
        if not session.in_sync:
            session.shard.tracker.stop_tracking(session.target)

    def _follow(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._ending[task] = None
        task.add_done_callback(lambda done: self._ending.pop(done, None))

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for session in list(self._sessions.values()):
            await self._close(session)
        for task in list(self._ending):
            if task is not asyncio.current_task():
                await asyncio.wait([task])


@contextlib.contextmanager
def _sensible() -> Iterator[None]:
    """What the tracker does not take now it may take later, or of another source."""
    try:
        yield
    except TrackerError as error:
        raise _delay(str(error)) from None


def _delay(reason: str) -> ApiError:
    return ApiError(503, wire.DELAY, reason)


def _unknown(id: str) -> ApiError:
    return ApiError(404, wire.UNKNOWN, f"recovery [{id}] is not known (any more)")
