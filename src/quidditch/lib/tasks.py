"""Tasks that run for as long as their owner."""

from __future__ import annotations

import asyncio
import contextlib


async def ended(task: asyncio.Task[None] | None) -> None:
    """Cancels the task, if there is one, and waits for its end. Raises what it raised."""
    if task is not None:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
