"""An in-process feed of changes for the stores whose only writer is this process."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from quidditch.store.api import Event


class Feed:
    """The newest events in order. Watchers read from a version on and wait for more; lives on one event loop."""

    def __init__(self, version: int, capacity: int) -> None:
        self._events: deque[Event] = deque()
        self._capacity = capacity
        self._waiting: set[asyncio.Future[None]] = set()
        self._closed = False
        self.start = version
        """Events after this version are here."""
        self.version = version

    @property
    def closed(self) -> bool:
        return self._closed

    def append(self, event: Event) -> None:
        self._events.append(event)
        self.version = int(event.version)
        if len(self._events) > self._capacity:
            self.start = int(self._events.popleft().version)
        self._wake()

    def since(self, version: int) -> Sequence[Event] | None:
        """The events after `version`; None if some of them are no longer here."""
        if version < self.start:
            return None
        if version >= self.version:
            return ()
        skipped = len(self._events) - (self.version - version)
        if skipped >= 0 and int(self._events[skipped].version) == version + 1:
            return [self._events[position] for position in range(skipped, len(self._events))]
        return [event for event in self._events if int(event.version) > version]

    async def wait(self, version: int) -> None:
        """Until there is something after `version`, or the feed is closed."""
        if self.version > version or self._closed:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            await future
        finally:
            self._waiting.discard(future)

    def close(self) -> None:
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
