"""Works through a key queue: each key is handed to a reconciler, which looks at the world as it is and brings it in order.

Outcomes: nothing: the key rests until it is added again; :class:`Again`: it comes back then; an exception: it comes back
after a wait that grows with every failure.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

import msgspec
import structlog

from quidditch.reconcile.backoff import Backoff
from quidditch.reconcile.queue import Closed, KeyQueue

_log = structlog.get_logger(__name__)
K = TypeVar("K", bound=Hashable)


class Again(msgspec.Struct, frozen=True):
    """Come back to the key after so many seconds."""

    after: float


class Controller(Generic[K]):
    """`workers` keys at a time, never one key twice at once. `quiet` exceptions are expected and not logged with a traceback."""

    def __init__(
        self,
        name: str,
        reconcile: Callable[[K], Awaitable[Again | None]],
        *,
        workers: int = 1,
        backoff: Backoff | None = None,
        quiet: tuple[type[Exception], ...] = (),
    ) -> None:
        self.name = name
        self.queue: KeyQueue[K] = KeyQueue()
        self._reconcile = reconcile
        self._workers = workers
        self._backoff = backoff or Backoff()
        self._quiet = quiet
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [
            asyncio.create_task(self._work(), name=f"{self.name}-{number}") for number in range(self._workers)
        ]

    async def stop(self) -> None:
        """Lets the keys in work finish; the others are forgotten."""
        self.queue.close()
        if self._tasks:
            await asyncio.gather(*self._tasks)

    def add(self, key: K) -> None:
        self.queue.add(key)

    def add_after(self, key: K, seconds: float) -> None:
        self.queue.add_after(key, seconds)

    async def _work(self) -> None:
        while True:
            try:
                key = await self.queue.take()
            except Closed:
                return
            try:
                await self._one(key)
            finally:
                self.queue.done(key)

    async def _one(self, key: K) -> None:
        try:
            outcome = await self._reconcile(key)
        except Exception as error:
            wait = self._backoff.failed(key)
            failures = self._backoff.failures(key)
            if isinstance(error, self._quiet):
                _log.info("reconciling failed", controller=self.name, key=key, failures=failures, error=str(error))
            else:
                _log.exception("reconciling failed", controller=self.name, key=key, failures=failures)
            self.queue.add_after(key, wait)
            return
        self._backoff.succeeded(key)
        if outcome is not None:
            self.queue.add_after(key, outcome.after)
