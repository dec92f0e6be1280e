"""Has the pure core decide what waits, and lets everything else on the event loop go on meanwhile: heartbeats are answered
however much there is to decide.

What costs little is decided here, with a pause now and then. What may concern every index of many goes aside, to a thread where
there is one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Protocol, TypeVar, cast

import structlog

from quidditch.controlplane.core.commands import (
    Command,
    CreateIndex,
    GrowMapping,
    NoteHealth,
    Rollover,
    ShardFailed,
    ShardStarted,
)
from quidditch.controlplane.core.decide import decide, decide_started
from quidditch.controlplane.core.draft import Decision, Env
from quidditch.controlplane.tasks import Task, Verdict
from quidditch.lib.clock import Clock
from quidditch.model.errors import ApiError
from quidditch.model.state import ClusterState

_log = structlog.get_logger(__name__)
_NARROW = (CreateIndex, Rollover, ShardStarted, ShardFailed, GrowMapping, NoteHealth)
"""Commands whose decision costs the same however many indices there are."""
_MANY = 500
"""Indices from which on a decision that may concern all of them goes aside."""
_SLICE_SECONDS = 0.01
T = TypeVar("T")


class Aside(Protocol):
    """Runs a function elsewhere (`asyncio.to_thread`)."""

    def __call__(self, function: Callable[[], T], /) -> Awaitable[T]: ...


class Decisions:
    """`env` makes the circumstances of a decision; `count` is told each command's kind and what became of it. `free` is held while
    something is decided aside: the memory of allocations is in use.
    """

    def __init__(
        self, clock: Clock, env: Callable[[], Env], count: Callable[[str, str], None], aside: Aside | None
    ) -> None:
        self._clock = clock
        self._env = env
        self._count = count
        self._aside = aside
        self.free = asyncio.Lock()

    async def on(self, state: ClusterState, tasks: Sequence[Task]) -> list[tuple[Task, Verdict]]:
        """What becomes of each, one decided after the other; starts of shards that stand side by side are decided together."""
        verdicts: list[tuple[Task, Verdict]] = []
        began = self._clock.monotonic()
        for together in _grouped(tasks):
            for task, verdict in zip(together, await self._decided(state, together), strict=True):
                if isinstance(verdict, Decision):
                    state = verdict.state
                verdicts.append((task, verdict))
            if self._clock.monotonic() - began > _SLICE_SECONDS:
                await asyncio.sleep(0)
                began = self._clock.monotonic()
        return verdicts

    async def wide(self, state: ClusterState, step: Callable[[], T]) -> T:
        """What `step` answers, which may look at everything in `state`."""
        if self._aside is None or len(state.indices) < _MANY:
            return step()
        async with self.free:
            return await self._aside(step)

    async def _decided(self, state: ClusterState, tasks: Sequence[Task]) -> Sequence[Verdict]:
        commands: list[Command] = [task.command for task in tasks]
        env = self._env()

        def step() -> Sequence[Verdict]:
            if len(commands) > 1:
                return decide_started(state, cast("list[ShardStarted]", commands), env)
            return [decide(state, commands[0], env)]

        narrow = isinstance(commands[0], _NARROW) and not env.memory.doubts(env.info)
        try:
            verdicts = step() if narrow else await self.wide(state, step)
        except Exception as error:
            if len(tasks) == 1:
                return [self._refused(tasks[0], error)]
            found: list[Verdict] = []  # each by itself: one that cannot be decided is nobody else's fault
            for task in tasks:
                found += await self._decided(state, [task])
                last = found[-1]
                state = last.state if isinstance(last, Decision) else state
            return found
        for command in commands:
            self._count(type(command).__name__, "decided")
        return verdicts

    def _refused(self, task: Task, error: Exception) -> Exception:
        refused = isinstance(error, ApiError)
        if not refused:
            _log.error("command cannot be decided", command=task.source, exc_info=error)
        self._count(type(task.command).__name__, "refused" if refused else "failed")
        return error


def _grouped(tasks: Sequence[Task]) -> Iterator[Sequence[Task]]:
    """The tasks in their order, starts of shards that follow each other as one."""
    started: list[Task] = []
    for task in tasks:
        if isinstance(task.command, ShardStarted):
            started.append(task)
            continue
        if started:
            yield started
            started = []
        yield [task]
    if started:
        yield started
