"""What this node works on: requests to shards are tasks while they run, and so is work that goes on after its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Literal

from quidditch.lib.clock import Clock
from quidditch.model import wildcard


@dataclass(slots=True)
class Task:
    """One piece of work. `started_ms` is wall-clock time, `started` and `ended` are seconds that only go forward.

    `cancel` asks it to end early; None if it cannot. `describe` is asked only when somebody looks. `parent` is the id of the task, on
    whichever node, that this one is part of; `kind` says how it came here.
    """

    number: int
    action: str
    describe: Callable[[], str]
    started_ms: int
    started: float
    cancel: Callable[[], None] | None = None
    opaque_id: str | None = None
    ended: float | None = None
    cancelled: bool = False
    parent: str = ""
    kind: Literal["transport", "direct"] = "transport"
    over: asyncio.Event | None = None
    """There once somebody waits for the end."""

    async def wait(self) -> None:
        """Until it has ended."""
        if self.ended is None:
            self.over = self.over or asyncio.Event()
            await self.over.wait()

    def abandon(self) -> None:
        """Asks the work to end early, if it can."""
        if self.cancel is not None:
            self.cancelled = True
            self.cancel()


@dataclass(slots=True)
class Tasks:
    """The running tasks of one node, by number. Used from the event loop only."""

    clock: Clock
    running: dict[int, Task] = field(default_factory=dict)
    _numbers: count[int] = field(default_factory=lambda: count(1))

    def begin(
        self,
        action: str,
        describe: Callable[[], str],
        cancel: Callable[[], None] | None = None,
        opaque_id: str | None = None,
    ) -> Task:
        number = next(self._numbers)
        task = Task(number, action, describe, self.clock.now_ms(), self.clock.monotonic(), cancel, opaque_id)
        self.running[number] = task
        return task

    def end(self, task: Task) -> None:
        task.ended = self.clock.monotonic()
        self.running.pop(task.number, None)
        if task.over is not None:
            task.over.set()

    @contextmanager
    def during(
        self, action: str, describe: Callable[[], str], opaque_id: str | None = None, parent: str = ""
    ) -> Iterator[Task]:
        """A task for as long as the block runs."""
        task = self.begin(action, describe, None, opaque_id)
        task.parent = parent
        try:
            yield task
        finally:
            self.end(task)

    def chosen(self, actions: list[str] | None, parent: str | None = None) -> list[Task]:
        """Running tasks whose action fits one of the patterns, the oldest first; with `parent` only those that are part of it."""
        return [
            task
            for task in self.running.values()
            if (parent is None or task.parent == parent) and (not actions or wildcard.matches_any(actions, task.action))
        ]
