"""Commands in the leader's queue, and how they are answered."""

from __future__ import annotations

import asyncio
from typing import TypeAlias

import msgspec

from quidditch.controlplane.core.commands import Command, Result
from quidditch.controlplane.core.draft import Decision
from quidditch.controlplane.describe import describe
from quidditch.lib.clock import Clock
from quidditch.model.errors import ApiError
from quidditch.store import api

Verdict: TypeAlias = Decision | Exception
"""What became of a command when it was decided: what is to be written and answered, or why it cannot be."""


class Task(msgspec.Struct, eq=False):
    """A command in the queue, as `_cluster/pending_tasks` shows it."""

    command: Command
    future: asyncio.Future[Result]
    insert_order: int
    since: float
    clock: Clock
    executing: bool = False
    attempts: int = 0

    @property
    def priority(self) -> str:
        return describe(self.command)[0]

    @property
    def time_in_queue_ms(self) -> int:
        return int((self.clock.monotonic() - self.since) * 1000)

    @property
    def source(self) -> str:
        return describe(self.command)[1]

    def answer(self, verdict: Verdict) -> None:
        """Nothing for who was answered already."""
        if self.future.done():
            return
        if isinstance(verdict, Exception):
            self.future.set_exception(verdict)
        else:
            self.future.set_result(verdict.result)

    def fail(self, error: api.StoreError) -> None:
        """The store did not take it; whether it was written may be unknown."""
        self.answer(_too_large(str(error)) if isinstance(error, api.TooLarge) else _unavailable(str(error)))


def timed_out(task: Task, timeout: float) -> ApiError:
    return ApiError(
        503,
        "process_cluster_event_timeout_exception",
        f"failed to process cluster event ({task.source}) within {_seconds(timeout)}",
    )


def closing() -> ApiError:
    return _unavailable("the node is closing")


def _seconds(timeout: float) -> str:
    return f"{int(timeout)}s" if timeout == int(timeout) else f"{int(timeout * 1000)}ms"


def _too_large(reason: str) -> ApiError:
    return ApiError(400, "illegal_argument_exception", reason)


def _unavailable(reason: str) -> ApiError:
    return ApiError(503, "cluster_manager_not_discovered_exception", reason)
