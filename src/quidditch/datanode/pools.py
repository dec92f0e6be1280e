"""Threads of one kind, with a bounded number of calls that wait for one: what is beyond is refused at once, with 429."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from quidditch.model.errors import rejected

T = TypeVar("T")
_BEHIND = 10
"""How much nicer than the event loop's thread all others are, alike among themselves. With less a thread that wakes waits for the
tick of the scheduler (4 ms and more) when all cores are busy, from here on it is let in at once.
"""


class Pool:
    """Used from the event loop's thread. `places`: calls that may wait, -1 for as many as come. The threads stand back behind the
    event loop: heartbeats and short requests go on beside whatever they do.
    """

    def __init__(self, name: str, threads: int, places: int = -1) -> None:
        self.name = name
        self.threads = threads
        self.places = places
        self.completed = 0
        self.rejected = 0
        self.largest = 0
        self._under_way = 0
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name, initializer=_stand_back)

    @property
    def active(self) -> int:
        """Threads that work."""
        return min(self._under_way, self.threads)

    @property
    def queue(self) -> int:
        """Calls that wait for a thread."""
        return max(0, self._under_way - self.threads)

    def admit(self) -> None:
        """Raises rejected_execution_exception when all places are taken."""
        if self._under_way >= self.threads + self.places >= self.threads:
            self.rejected += 1
            raise rejected(
                f"rejected execution of a call on [{self.name}]: all [{self.threads}] threads are busy and the queue capacity of "
                f"[{self.places}] is used up"
            )

    async def run(self, function: Callable[..., T], *args: Any) -> T:
        """The function's answer, from another thread. Raises what :meth:`admit` does."""
        self.admit()
        return await self.run_anyway(function, *args)

    async def run_anyway(self, function: Callable[..., T], *args: Any) -> T:
        """Likewise, for what may wait however many do."""
        self._under_way += 1
        self.largest = max(self.largest, self.active)
        future = self._executor.submit(function, *args)
        try:
            return await asyncio.wrap_future(future)
        finally:
            if future.done():
                self._ended()
            else:  # nobody waits any more, but the thread works on
                loop = asyncio.get_running_loop()
                future.add_done_callback(lambda _: _tell(loop, self._ended))

    def _ended(self) -> None:
        self._under_way -= 1
        self.completed += 1

    def close(self) -> None:
        """Waits for what is under way."""
        self._executor.shutdown(wait=True)


def _stand_back() -> None:
    if sys.platform == "linux":  # which counts niceness by thread
        thread = threading.get_native_id()
        with contextlib.suppress(OSError):  # forbidden in some sandboxes
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + _BEHIND)


def _tell(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
    with contextlib.suppress(RuntimeError):  # the loop has ended
        loop.call_soon_threadsafe(callback)
