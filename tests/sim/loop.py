"""An event loop whose time is simulated: when nothing is left to do, it is the time of the next timer.

Everything runs in one thread, in an order that depends on nothing but the seed. What runs belongs to a :class:`Life`, one start of
one process, known by the context that tasks and callbacks hand on: a paused life's callbacks wait, a dead one's never run.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import heapq
import itertools
import os
import random
import time
from asyncio import base_events, events
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from unittest import mock

T = TypeVar("T")
EPOCH_MS = 1_700_000_000_000
"""What the clock on the wall shows at the start."""


class Deadlock(Exception):
    """Nothing is left that could happen."""


class Life:
    """One start of one process."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self.paused_at: float | None = None
        self.held: deque[_Call | _Timer] = deque()
        self.context = contextvars.copy_context()
        self.context.run(_LIFE.set, self)


_LIFE: contextvars.ContextVar[Life | None] = contextvars.ContextVar("life", default=None)


class _Future(asyncio.Future[Any]):
    """Sets of futures go by their hash; this one is the same in every run: most never need it, it counts those that do."""

    _number = -1

    def __hash__(self) -> int:
        if self._number < 0:
            loop: Any = self.get_loop()
            self._number = next(loop.numbers)
        return self._number


class _Task(asyncio.Task[Any]):
    _number = -1
    __hash__ = _Future.__hash__  # type: ignore[assignment]


class _Timer:
    """As asyncio's, without what is for debugging: there are very many."""

    __slots__ = ("_when", "args", "callback", "context", "over")

    def __init__(self, when: float, callback: Callable[..., Any], args: Any, context: contextvars.Context) -> None:
        self._when = when
        self.callback = callback
        self.args = args
        self.context = context
        self.over = False

    def when(self) -> float:
        return self._when

    def cancel(self) -> None:
        """It is left out when its time comes."""
        self.over = True
        self.callback = self.args = None  # type: ignore[assignment]

    def cancelled(self) -> bool:
        return self.over


_Call = tuple[contextvars.Context, Callable[..., Any], tuple[Any, ...]]
"""What is to be called next, and where."""


class SimulatedLoop(base_events.BaseEventLoop):
    """`seed` decides how long work given to threads takes; it runs in the loop's own thread all the same."""

    def __init__(self, seed: int) -> None:
        self._now = 0.0
        super().__init__()
        self.numbers = itertools.count()
        self.turns = 0
        self.work_seconds = 0.0005
        """What work given to a thread takes on average."""
        self.chance = random.Random(seed)
        self.faults: list[dict[str, Any]] = []
        """What nobody caught."""
        self._clock_resolution = 1e-9
        self._order = itertools.count()
        self._timers: list[tuple[float, int, _Timer]] = []
        self._ready: deque[_Call | _Timer] = deque()
        self._kept: list[_Task] = []
        self._prune_at = 1000
        self.set_exception_handler(self._uncaught)

    # --- time -------------------------------------------------------------------------------------------------------

    def time(self) -> float:
        return self._now

    def now_ms(self) -> int:
        """With :meth:`monotonic`: this loop as a `quidditch.lib.clock.Clock`."""
        return EPOCH_MS + int(self._now * 1000)

    def monotonic(self) -> float:
        return self._now

    def wall(self) -> float:
        return self.now_ms() / 1000

    def wall_ns(self) -> int:
        return self.now_ms() * 1_000_000

    def _run_once(self) -> None:
        """Callbacks, one by one, until somebody ends the loop. Timers that are due at the same time come in the order in which they were
        set.
        """
        ready, timers = self._ready, self._timers
        while not self._stopping:  # type: ignore[attr-defined]
            while timers and (not ready or timers[0][0] <= self._now):
                when, _, timer = heapq.heappop(timers)
                if not timer.over:
                    self._now = max(self._now, when)
                    ready.append(timer)
            if not ready:
                raise Deadlock(f"nothing left to do at {self._now:.3f} s")
            entry = ready.popleft()
            if entry.__class__ is tuple:
                context, callback, args = entry
            else:
                if entry.over:  # type: ignore[union-attr]
                    continue
                context, callback, args = entry.context, entry.callback, entry.args  # type: ignore[union-attr]
            life = context.get(_LIFE)
            if life is not None:
                if not life.alive:
                    continue
                if life.paused_at is not None:
                    life.held.append(entry)
                    continue
            self.turns += 1
            try:
                context.run(callback, *args)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:
                self.faults.append({"message": f"{callback} fails", "exception": error})

    def call_soon(self, callback: Callable[..., Any], *args: Any, context: Any = None) -> Any:
        """Nobody here keeps what asyncio's returns."""
        self._ready.append((contextvars.copy_context() if context is None else context, callback, args))

    call_soon_threadsafe = call_soon

    def call_at(self, when: float, callback: Callable[..., Any], *args: Any, context: Any = None) -> Any:
        timer = _Timer(when, callback, args, contextvars.copy_context() if context is None else context)
        heapq.heappush(self._timers, (when, next(self._order), timer))
        return timer

    def call_later(self, delay: float, callback: Callable[..., Any], *args: Any, context: Any = None) -> Any:
        return self.call_at(self._now + delay, callback, *args, context=context)

    # --- lives ------------------------------------------------------------------------------------------------------

    def spawn(self, life: Life, work: Coroutine[Any, Any, T], name: str | None = None) -> asyncio.Task[T]:
        return self.create_task(work, name=name, context=life.context)

    def kill(self, life: Life) -> None:
        """Nothing of it happens any more, not even an ending."""
        life.alive = False
        life.held.clear()

    def pause(self, life: Life) -> None:
        life.paused_at = self._now

    def resume(self, life: Life) -> None:
        life.paused_at = None
        self._ready.extend(life.held)
        life.held.clear()

    # --- what a loop has --------------------------------------------------------------------------------------------

    def create_future(self) -> asyncio.Future[Any]:
        return _Future(loop=self)

    get_debug = staticmethod(bool)
    """No; asked for every future and task."""

    def create_task(self, coro: Any, *, name: str | None = None, context: Any = None) -> Any:
        task = _Task(coro, loop=self, name=name or "task", context=context)
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        self._kept.append(task)  # a dead life's coroutine must not end when the garbage collector likes
        if len(self._kept) > self._prune_at:
            self._kept = [each for each in self._kept if not each.done()]
            self._prune_at = 2 * len(self._kept) + 1000
        return task

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]
        """Done after a moment, as by a thread."""
        del executor
        future = self.create_future()

        def work() -> None:
            if future.cancelled():
                return
            try:
                future.set_result(func(*args))
            except Exception as error:
                future.set_exception(error)

        self.call_later(self.chance.expovariate(1 / self.work_seconds), work)
        return future

    def _write_to_self(self) -> None:
        """Whoever calls in from a thread is in this thread already."""

    def _uncaught(self, _loop: Any, context: dict[str, Any]) -> None:
        self.faults.append(context)

    def dispose(self) -> None:
        """Ends what is left of all lives; what their endings do has no effect any more."""
        events._set_running_loop(self)
        try:
            for task in self._kept:
                if not task.done():
                    coro: Any = task.get_coro()
                    try:
                        coro.close()
                    except BaseException:
                        pass
        finally:
            events._set_running_loop(None)
        self._kept.clear()
        self._ready.clear()
        self._timers.clear()
        self.close()


def _pass_over(_task: object) -> None:
    """Nobody asks which tasks there are."""


@contextmanager
def simulated(seed: int) -> Iterator[SimulatedLoop]:
    """A loop, and its time and chance in place of the system's: for code that asks the system, or a library that does."""
    loop = SimulatedLoop(seed)
    chance = random.Random(~seed)
    collecting = gc.isenabled()
    gc.disable()
    random.seed(seed)
    patches = [
        mock.patch.object(time, "monotonic", loop.time),
        mock.patch.object(time, "time", loop.wall),
        mock.patch.object(time, "time_ns", loop.wall_ns),
        mock.patch.object(os, "urandom", chance.randbytes),
        mock.patch.object(random, "_urandom", chance.randbytes),
        mock.patch.object(asyncio.tasks._all_tasks, "add", _pass_over, create=True),  # type: ignore[attr-defined]
    ]
    for patch in patches:
        patch.start()
    try:
        yield loop
    finally:
        for patch in reversed(patches):
            patch.stop()
        loop.dispose()
        if collecting:
            gc.enable()
