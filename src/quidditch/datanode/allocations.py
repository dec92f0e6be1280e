"""Whose data lies in the shard folders: the allocation id of each, in a small file beside the folder.

nodes/0/indices/<uuid>/<shard>.allocation.json

The control plane's in-sync allocation ids say which data may become a primary; the file says whether the data here is it. It is written
before the control plane is told that a copy is ready, and made void before data that it speaks of is given up.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import msgspec

from quidditch.controlplane.core.commands import HeldShard
from quidditch.lib.durable import keep_file, sync_folder

log = logging.getLogger("quidditch.datanode")
FORMAT = 1
_SUFFIX = ".allocation.json"


class _File(msgspec.Struct, frozen=True):
    format: int
    ids: tuple[str, ...]


class Allocations:
    """The allocation ids that the data of each shard answers to: its own, and the one under which it lay here before, until the
    control plane has the new one. None: a folder of a version that kept none. Safe to use from threads, one for each shard.
    """

    def __init__(self, indices: Path) -> None:
        self._indices = indices
        self._ids: dict[str, dict[int, tuple[str, ...]]] = {}
        for file in sorted(indices.glob(f"*/*{_SUFFIX}")):
            number = file.name.removesuffix(_SUFFIX)
            if number.isdigit():
                self._ids.setdefault(file.parent.name, {})[int(number)] = _read(file)

    def of(self, uuid: str, shard: int) -> tuple[str, ...] | None:
        """The ids that the shard's data here answers to; empty for data that is not whole or nobody's."""
        return self._ids.get(uuid, {}).get(shard)

    def shards(self, uuid: str) -> list[int]:
        """The shards of the index that have been here, in order."""
        return sorted(self._ids.get(uuid, ()))

    def keep(self, uuid: str, shard: int, *ids: str) -> None:
        """The data answers to these ids from now on; durable on return. None: to nobody's."""
        if self.of(uuid, shard) == ids:
            return
        file = self._file(uuid, shard)
        made = not file.parent.is_dir()
        file.parent.mkdir(parents=True, exist_ok=True)
        keep_file(file, {"format": FORMAT, "ids": ids})
        if made:
            sync_folder(self._indices)
        self._ids.setdefault(uuid, {})[shard] = ids

    def void(self, uuid: str, shard: int) -> None:
        """What lies there is nobody's from now on, or was never anybody's."""
        if self.of(uuid, shard) or self._indices.joinpath(uuid, str(shard)).exists():
            self.keep(uuid, shard)

    def forget(self, uuid: str, shard: int | None = None) -> None:
        """The shard's folder has been removed; None: the whole index's, and with it the files."""
        if shard is None:
            self._ids.pop(uuid, None)
            return
        self._file(uuid, shard).unlink(missing_ok=True)
        self._ids.get(uuid, {}).pop(shard, None)

    def held(self) -> tuple[HeldShard, ...]:
        """All shards that have a folder here, in order."""
        return tuple(self._folders())

    def _folders(self) -> Iterator[HeldShard]:
        for folder in sorted(self._indices.glob("[!.]*/[0-9]*")):
            if folder.name.isdigit() and folder.is_dir():
                uuid, number = folder.parent.name, int(folder.name)
                yield HeldShard(uuid, number, self.of(uuid, number))

    def _file(self, uuid: str, shard: int) -> Path:
        return self._indices / uuid / f"{shard}{_SUFFIX}"


def _read(file: Path) -> tuple[str, ...]:
    """A file that cannot be read vouches for nothing."""
    try:
        found = msgspec.json.decode(file.read_bytes(), type=_File)
    except (OSError, msgspec.DecodeError) as error:
        log.error("%s is damaged, the shard beside it is not opened: %s", file, error)
        return ()
    if found.format > FORMAT:
        log.error("%s has format %d, this version reads up to %d", file, found.format, FORMAT)
        return ()
    return found.ids
