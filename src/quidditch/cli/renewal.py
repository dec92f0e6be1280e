"""Files that a running node reads again when they change: certificates, keys, users."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

import structlog

from quidditch.cli.config import ConfigError
from quidditch.lib.tasks import ended

_log = structlog.get_logger(__name__)
INTERVAL_SECONDS = 1.0
T = TypeVar("T")
_Stamp = tuple[int, int, int, int] | None


class Renewed(Generic[T]):
    """What `load` makes of files, loaded at once (raises what it raises), and again, while it is watched, after each change of one.

    What `load` refuses later is logged, and the last good value stays. `use` is given every later value, on the event loop.
    """

    def __init__(self, files: Iterable[str], load: Callable[[], T]) -> None:
        self._files = tuple(files)
        self._load = load
        self._seen = _stamps(self._files)
        self.value = load()
        self.use: Callable[[T], None] = lambda _: None
        self._task: asyncio.Task[None] | None = None

    def start(self, interval: float = INTERVAL_SECONDS) -> None:
        self._task = asyncio.create_task(self._watch(interval), name="renewal")

    async def stop(self) -> None:
        await ended(self._task)

    async def _watch(self, interval: float) -> None:
        while True:
            await asyncio.sleep(interval)
            await self.look()

    async def look(self) -> None:
        """Loads the files if they have changed; on a thread, as they may lie on a slow disk."""
        seen = await asyncio.to_thread(_stamps, self._files)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self.value = await asyncio.to_thread(self._load)
        except (ConfigError, OSError) as error:
            _log.error("a changed file cannot be used, what was read before stays in force", problem=str(error))
            return
        self.use(self.value)
        _log.info("changed files are in use", files=", ".join(self._files))


def _stamps(files: Sequence[str]) -> list[_Stamp]:
    """Tells whether a file, or what a link leads to, is another than before, or may now be read by others."""
    return [_stamp(file) for file in files]


def _stamp(file: str) -> _Stamp:
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
