"""Who may work on a copy: many operations at once, or one change of what the copy is, alone."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator


class Permits:
    """Operations wait while somebody is alone; whoever wants to be alone waits until those under way have ended."""

    def __init__(self) -> None:
        self._active = 0
        self._blocking = 0
        self._closed: Exception | None = None
        self._alone = asyncio.Lock()
        self._waiting: list[asyncio.Future[None]] = []
        self._idle: asyncio.Future[None] | None = None

    @property
    def active(self) -> int:
        """Operations under way."""
        return self._active

    @property
    def closed(self) -> bool:
        return self._closed is not None

    @contextlib.asynccontextmanager
    async def operation(self) -> AsyncIterator[None]:
        """Raises what :meth:`close` was given."""
        while self._blocking and self._closed is None:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn
        self.check()
        self._active += 1
        try:
            yield
        finally:
            self._active -= 1
            if not self._active and self._idle is not None and not self._idle.done():
                self._idle.set_result(None)

    @contextlib.asynccontextmanager
    async def alone(self, timeout: float) -> AsyncIterator[None]:
        """Nobody else is at work inside. Raises TimeoutError when those under way do not end within `timeout` seconds."""
        self._blocking += 1
        try:
            async with self._alone:
                if self._active:
                    self._idle = asyncio.get_running_loop().create_future()
                    async with asyncio.timeout(timeout):
                        await self._idle
                yield
        finally:
            self._idle = None
            self._blocking -= 1
            if not self._blocking:
                self._release()

    def close(self, error: Exception) -> None:
        """From now on every operation is refused with `error`, those that wait too."""
        if self._closed is None:
            self._closed = error
            self._release()

    def check(self) -> None:
        """Raises what :meth:`close` was given."""
        if self._closed is not None:
            raise self._closed

    def _release(self) -> None:
        waiting, self._waiting = self._waiting, []
        for turn in waiting:
            if not turn.done():
                turn.set_result(None)
