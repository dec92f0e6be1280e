"""What is wrong with data of shards on this node's disk: what opening it found, and what a look at data that nobody has open finds."""

from __future__ import annotations

import asyncio

import quidditch_kernel
from quidditch.datanode.folder import DataFolder
from quidditch.datanode.pools import Pool
from quidditch_kernel import KernelError

_CORRUPT = "corruption_exception"
_Key = tuple[str, int]


class Faults:
    """Shards by the uuid of their index and their number. Used from the event loop's thread."""

    def __init__(self, folder: DataFolder, aside: Pool) -> None:
        self._folder = folder
        self._aside = aside
        self._found: dict[_Key, str] = {}
        self._looking: dict[_Key, asyncio.Future[str | None]] = {}

    def note(self, uuid: str, number: int, error: BaseException) -> None:
        """The data could not be opened; only that it is corrupt says something about it."""
        reason = _reason(error)
        if reason is not None:
            self._found[uuid, number] = reason

    def sound(self, uuid: str, number: int) -> None:
        """The data was opened, or is another."""
        self._found.pop((uuid, number), None)

    def known(self, uuid: str, number: int) -> str | None:
        """Why the data could not be opened when that was tried last; None if it could, or nobody tried."""
        return self._found.get((uuid, number))

    async def look(self, uuid: str, number: int) -> str | None:
        """What is wrong with data that nobody opens now. Whoever is to open it waits for :meth:`looked` first: an interrupted exchange
        of the folder is brought to its end.
        """
        key = (uuid, number)
        if key not in self._looking:
            self._looking[key] = asyncio.ensure_future(self._look(key))
            self._looking[key].add_done_callback(lambda _: self._looking.pop(key, None))
        return await asyncio.shield(self._looking[key])

    async def _look(self, key: _Key) -> str | None:
        try:
            await self._aside.run_anyway(quidditch_kernel.inspect_shard, str(self._folder.shard(*key)))
        except KernelError as error:
            return _reason(error)
        return self._found.get(key)

    async def looked(self, uuid: str, number: int) -> None:
        """Until nobody looks at the data."""
        looking = self._looking.get((uuid, number))
        if looking is not None:
            await asyncio.wait([looking])


def _reason(error: BaseException) -> str | None:
    corrupt = isinstance(error, KernelError) and error.args and error.args[0] == _CORRUPT
    return str(error.args[1]) if corrupt else None
