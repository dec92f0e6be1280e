"""The target's side of a recovery: makes a copy here what the primary is, and tells how far that is.

By operations alone where the history that lies here goes on in the primary's; else by files first, of which only those are carried over
that are not here already. What was received before a failure is not asked for again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

import msgspec

from quidditch.datanode.recovery.throttle import Throttle
from quidditch.datanode.replication.engine import Engine, Peers, Run
from quidditch.lib.clock import Clock
from quidditch.model.errors import ApiError
from quidditch.reconcile.backoff import Backoff
from quidditch.transport import recovery as wire
from quidditch.transport.api import TransportError
from quidditch.transport.errors import MISSING

log = logging.getLogger("quidditch.recovery")
_AGAIN = (wire.DELAY, wire.UNKNOWN, MISSING, "already_closed_exception", "rejected_execution_exception")
"""Errors of a source that is not ready or has changed: another attempt may succeed."""
_SHORT_SECONDS = 10.0
"""What a source answers at once: so long it is silent before it is given up. Every call may be made again."""
_LONG_SECONDS = 60.0
"""Likewise for what it flushes, throttles or waits for first."""
T = TypeVar("T")


class Restore(Protocol):
    """The kernel's `Restore`: a shard folder that is being received."""

    def needed(self) -> list[tuple[str, int, int]]: ...
    def reused(self) -> tuple[int, int]: ...
    def write(self, name: str, offset: int, data: bytes) -> None: ...
    def finish(self) -> None: ...


class TargetCopy(Protocol):
    """The copy that is being built, as its node has it."""

    async def open(self) -> Engine | None:
        """Opens what lies here, as a replica that nobody sends anything yet; None if nothing does, or nothing that can be opened."""

    async def close(self) -> None:
        """Closes it again, if it is open, and takes no operations for it."""

    async def restore(self, manifest: bytes) -> Restore:
        """Begins to receive files. What lies here is nobody's copy from now on."""

    async def serve(self, primary_term: int) -> Engine:
        """The opened copy takes operations of the primary from now on."""

    async def mapped(self, version: int) -> None:
        """Returns once the mapping here has that version."""

    async def keep(self) -> None:
        """The data is that of this copy from now on; durable on return."""

    async def take_over(self, told: wire.HandedOver) -> None:
        """Makes the copy ready to be the primary; it takes no writes yet."""

    async def began(self) -> None:
        """The source has left its place: the copy is the primary."""


class Settings(msgspec.Struct, frozen=True):
    """`action` and `activity`: seconds for one call, and without any progress. `chunk`: bytes of a file. `chunks`: how many of them are
    on their way. `appliers`: how many chunks of operations are applied side by side.
    """

    action: float = 900.0
    activity: float = 1800.0
    chunk: int = 512 << 10
    chunks: int = 2
    appliers: int = 2


class Failed(ValueError):
    """The recovery does not succeed; the message says why."""


class Target:
    """One recovery. `source` answers the node of the primary, None while there is none; `moves`: the copy takes the place of the
    primary. `progress` is kept up to date.
    """

    def __init__(
        self,
        copy: TargetCopy,
        start: wire.Start,
        *,
        source: Callable[[], str | None],
        moves: bool,
        run: Run,
        peers: Peers,
        clock: Clock,
        throttle: Throttle,
        settings: Callable[[], Settings],
        progress: wire.Progress,
        backoff: Backoff | None = None,
        attempts: int = 5,
    ) -> None:
        self.progress = progress
        self._copy = copy
        self._start = start
        self._source = source
        self._moves = moves
        self._call = run
        self._peers = peers
        self._clock = clock
        self._throttle = throttle
        self._settings = settings
        self._backoff = backoff or Backoff(0.1, 5.0)
        self._attempts = attempts
        self._node = ""
        self._recovery = ""
        self._listed: dict[str, wire.File] = {}
        self._moved = clock.monotonic()
        """When there was progress last."""

    async def recover(self) -> None:
        """Returns when the copy is in sync (and, where it moves, the primary). Raises :class:`Failed`; ended by cancellation, it leaves
        the copy closed.
        """
        self.progress.started = self._clock.now_ms()
        failures = 0
        try:
            while True:
                before = self._moved
                try:
                    await self._attempt()
                    break
                except (ApiError, TransportError) as error:
                    failures = self._count(error, failures if self._moved == before else 0)
                    log.info("[%s] recovers anew: %s", self._start.allocation_id, error)
                await self._give_back()
                self.progress.retries += 1
                await asyncio.sleep(self._backoff.failed("attempt"))
        except BaseException:
            await self._give_back()
            raise
        self.progress.stage = "DONE"
        self.progress.stopped = self._clock.now_ms()
        await self._end()

    def _count(self, error: Exception, failures: int) -> int:
        """Raises :class:`Failed` where another attempt makes no sense."""
        if isinstance(error, ApiError) and error.type not in _AGAIN:
            raise Failed(f"{error.type}: {error.reason}") from error
        waits = isinstance(error, ApiError) and error.type == wire.DELAY
        failures += not waits
        if failures >= self._attempts or self._clock.monotonic() - self._moved > self._settings().activity:
            raise Failed(f"no progress in recovery: {error}") from error
        return failures

    async def _give_back(self) -> None:
        await self._copy.close()
        await self._end()

    async def _end(self) -> None:
        """The source need not hold anything any more. That it does not hear it does no harm: it gives up by itself."""
        if self._recovery:
            message, self._recovery = wire.Recovery(self._recovery), ""
            try:
                await self._peers.call(self._node, wire.END, message, type(None), 1.0)
            except (ApiError, TransportError) as error:
                log.debug("the source does not hear of the end: %s", error)

    async def _ask(self, action: str, message: object, answer: type[T], seconds: float = _SHORT_SECONDS) -> T:
        return await self._peers.call(self._node, action, message, answer, min(seconds, self._settings().action))

    async def _run(self, function: Callable[..., T], *args: object) -> T:
        """Does not leave what was begun under way when the recovery is cancelled: nobody else may find it at work."""
        work = asyncio.ensure_future(self._call(function, *args))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            await asyncio.wait([work])
            raise

    # --- one attempt ------------------------------------------------------------------------------------------------------

    async def _attempt(self) -> None:
        progress = self.progress
        progress.stage = "INIT"
        node = self._source()
        if node is None:
            raise ApiError(503, wire.DELAY, "the shard has no started primary")
        self._node = progress.source = node
        plan = await self._begin()
        if plan.manifest:
            await self._copy.close()
            await self._files(plan)
            if await self._copy.open() is None:
                raise Failed("the files that were received cannot be opened")
        await self._follow_operations(plan)
        if self._moves:
            await self._take_over()

    async def _begin(self) -> wire.Plan:
        """What lies here decides what is asked for."""
        engine = await self._copy.open()
        history, first = "", 0
        if engine is not None:
            history, first = engine.history_uuid(), engine.checkpoints()[2] + 1
        start = msgspec.structs.replace(self._start, history_uuid=history, from_seq_no=first)
        plan = await self._ask(wire.START, start, wire.Plan, _LONG_SECONDS)
        self._recovery = plan.recovery
        return plan

    # --- files ------------------------------------------------------------------------------------------------------------

    async def _files(self, plan: wire.Plan) -> None:
        progress = self.progress
        progress.stage = "INDEX"
        began = self._clock.monotonic()
        restore = await self._copy.restore(plan.manifest)
        needed = await self._run(restore.needed)
        self._list(plan.manifest, needed, *await self._run(restore.reused))
        await self._receive(restore, needed)
        progress.index_millis += int((self._clock.monotonic() - began) * 1000)
        progress.stage = "VERIFY_INDEX"
        began = self._clock.monotonic()
        await self._run(restore.finish)
        progress.verify_millis += int((self._clock.monotonic() - began) * 1000)
        self._moved = self._clock.monotonic()

    def _list(self, manifest: bytes, needed: list[tuple[str, int, int]], reused: int, reused_bytes: int) -> None:
        files = msgspec.json.decode(manifest)["files"]
        missing = {name: length for name, _, length in needed}
        details = [wire.File(each["name"], each["length"], each["name"] not in missing) for each in files]
        for file in details:
            file.recovered = 0 if file.reused else file.length - missing[file.name]
        total, earlier = sum(file.length for file in details), sum(file.recovered for file in details)
        whole = len(files) - len(needed) - reused
        self.progress.details = details
        self._listed = {file.name: file for file in details}
        self.progress.files = wire.Counts(len(files), reused, whole)
        self.progress.bytes = wire.Counts(
            total, reused_bytes, total - reused_bytes - sum(missing.values()) if whole else earlier
        )

    async def _receive(self, restore: Restore, needed: list[tuple[str, int, int]]) -> None:
        """Several chunks are asked for at once, of one file and the next; while one is written so many are on their way."""
        coming: deque[tuple[str, int, asyncio.Task[bytes]]] = deque()
        try:
            for name, offset, size in self._chunks(needed):
                come = await self._first(coming) if len(coming) >= self._settings().chunks else None
                coming.append((name, offset, asyncio.ensure_future(self._chunk(name, offset, size))))
                if come is not None:
                    await self._write(restore, *come)
            while coming:
                await self._write(restore, *await self._first(coming))
        finally:
            for _, _, task in coming:
                task.cancel()

    def _chunks(self, needed: list[tuple[str, int, int]]) -> Iterator[tuple[str, int, int]]:
        """Name, offset and size of each, in the order in which they are written."""
        chunk = self._settings().chunk
        for name, begin, length in needed:
            for offset in range(begin, begin + length, chunk):
                yield name, offset, min(chunk, begin + length - offset)

    async def _first(self, coming: deque[tuple[str, int, asyncio.Task[bytes]]]) -> tuple[str, int, bytes]:
        """Name, offset and bytes of the chunk that was asked for first."""
        name, offset, task = coming.popleft()
        return name, offset, await task

    async def _write(self, restore: Restore, name: str, offset: int, data: bytes) -> None:
        await self._run(restore.write, name, offset, data)
        file, progress = self._listed[name], self.progress
        file.recovered += len(data)
        progress.bytes.recovered += len(data)
        progress.files.recovered += file.recovered == file.length
        self._moved = self._clock.monotonic()

    async def _chunk(self, name: str, offset: int, size: int) -> bytes:
        waited = await self._throttle.take(size)
        message = wire.Read(self._recovery, name, offset, size)
        chunk = await self._ask(wire.READ, message, wire.Chunk, _LONG_SECONDS)
        if len(chunk.data) != size:
            raise Failed(f"the source has {len(chunk.data)} bytes of [{name}] from {offset} on, not {size}")
        self.progress.target_throttled += int(waited * 1000)
        self.progress.source_throttled += chunk.waited
        return chunk.data

    # --- operations -------------------------------------------------------------------------------------------------------

    async def _follow_operations(self, plan: wire.Plan) -> None:
        """From here on the primary sends new operations by itself; those before are asked for."""
        progress = self.progress
        progress.stage = "TRANSLOG"
        began = self._clock.monotonic()
        engine = await self._copy.serve(plan.primary_term)
        prepared = await self._ask(wire.PREPARE, wire.Recovery(self._recovery), wire.Prepared)
        await self._run(engine.trim_above, prepared.max_seq_no)
        tracked = await self._ask(wire.TRACK, wire.Recovery(self._recovery), wire.Tracked)
        progress.operations, progress.operations_recovered = tracked.operations, 0
        await self._replay(engine, plan.primary_term, tracked.operations)
        progress.translog_millis += int((self._clock.monotonic() - began) * 1000)
        progress.stage = "FINALIZE"
        await self._run(engine.sync)
        await self._run(engine.refresh)
        finished = await self._finish(engine)
        engine.set_global_checkpoint(finished.global_checkpoint)
        await self._run(engine.sync)
        await self._copy.keep()

    async def _finish(self, engine: Engine) -> wire.Finished:
        """Asked again until it is answered: a copy that may be in sync cannot begin anew, what has come for it must not be void."""
        for attempt in range(self._attempts):
            try:
                message = wire.Finish(self._recovery, engine.checkpoints()[2])
                return await self._ask(
                    wire.FINISH, message, wire.Finished, _LONG_SECONDS if attempt else _SHORT_SECONDS
                )
            except TransportError as error:
                log.info("[%s] asks again whether it is in sync: %s", self._start.allocation_id, error)
                await asyncio.sleep(0.05 * 2**attempt)
        raise Failed("the source does not say whether the copy is in sync")

    async def _replay(self, engine: Engine, term: int, total: int) -> None:
        """Several chunks are applied side by side, in whatever order they end, while the next is on its way."""
        number = 0
        coming = asyncio.ensure_future(self._records(number))
        applying: deque[asyncio.Task[None]] = deque()
        try:
            while (records := await coming).records:
                number += 1
                coming = asyncio.ensure_future(self._records(number))
                await self._copy.mapped(records.mapping_version)
                if len(applying) >= self._settings().appliers:
                    await applying.popleft()
                applying.append(asyncio.ensure_future(self._apply(engine, records, term, total)))
            while applying:
                await applying.popleft()
            self.progress.operations_recovered = total
        finally:
            coming.cancel()
            for task in applying:
                task.cancel()
            await asyncio.gather(*applying, return_exceptions=True)

    async def _apply(self, engine: Engine, records: wire.Records, term: int, total: int) -> None:
        await self._run(engine.apply, records.records, term, False)
        self.progress.operations_recovered = max(self.progress.operations_recovered, total - records.left)
        self._moved = self._clock.monotonic()

    async def _records(self, chunk: int) -> wire.Records:
        return await self._ask(wire.OPERATIONS, wire.Next(self._recovery, chunk), wire.Records, _LONG_SECONDS)

    # --- a primary that moves -----------------------------------------------------------------------------------------------

    async def _take_over(self) -> None:
        """Once the source has been told that this copy takes over, it must not be asked to go on: then there is no way back."""
        message = wire.Recovery(self._recovery)
        told = await self._ask(wire.HAND_OVER, message, wire.HandedOver)
        await self._copy.take_over(told)
        for attempt in range(self._attempts):
            try:
                await self._ask(wire.HANDED, message, type(None), 3.0)
                break
            except TransportError as error:
                if attempt == self._attempts - 1:
                    raise Failed(f"the source does not say whether it has left its place: {error}") from error
                await asyncio.sleep(0.05 * 2**attempt)
            except ApiError as error:
                raise Failed(f"the source stays the primary: {error.reason}") from error
        await self._copy.began()
