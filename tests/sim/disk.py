"""Simulated disks: what was written but not synced is lost, in part or whole, when the node crashes."""

from __future__ import annotations

import itertools
import os
import random
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import orjson

Json = dict[str, object]


class Record(NamedTuple):
    """One operation of a shard's log. `kind` is index, delete or noop."""

    seq_no: int
    term: int
    kind: str
    id: str = ""
    version: int = 0
    source: str = ""


class Trim(NamedTuple):
    """Voids the records before it whose numbers are greater."""

    max_seq_no: int


class Told(NamedTuple):
    """The global checkpoint as it was known then."""

    global_checkpoint: int


Entry = Record | Trim | Told


class Commit(NamedTuple):
    """A commit point: files by name, and what they hold."""

    local_checkpoint: int
    max_seq_no: int
    files: dict[str, bytes]


@dataclass
class Folder:
    """One shard on disk. Commits are whole or not there; of the log the first `synced` entries are certain."""

    history_uuid: str
    primary_term: int = 0
    commits: list[Commit] = field(default_factory=list)
    log: list[Entry] = field(default_factory=list)
    synced: int = 0
    _certain: tuple[list[Entry], int, dict[int, Record]] = field(default_factory=lambda: ([], 0, {}))

    def sync(self) -> None:
        self.synced = len(self.log)

    def records(self) -> dict[int, Record]:
        """What the log holds by number: of two the later counts, and none that was voided."""
        found: dict[int, Record] = {}
        _take_in(found, self.log)
        return found

    def certain(self) -> Mapping[int, Record]:
        """Those of them that are there whatever happens next."""
        log, taken, found = self._certain
        if log is not self.log:
            taken, found = 0, {}
        _take_in(found, itertools.islice(self.log, taken, self.synced))
        self._certain = self.log, self.synced, found
        return found

    def global_checkpoint(self) -> int:
        return max((entry.global_checkpoint for entry in self.log if isinstance(entry, Told)), default=-1)


def _take_in(found: dict[int, Record], entries: Iterable[Entry]) -> None:
    for entry in entries:
        if isinstance(entry, Record):
            found[entry.seq_no] = entry
        elif isinstance(entry, Trim):
            for seq_no in [seq_no for seq_no in found if seq_no > entry.max_seq_no]:
                del found[seq_no]


@dataclass
class Disk:
    """The disk of one node: shard folders, and folders that are being received.

    `beside_files`: the rest of the node uses real files; an empty folder there stands for a shard's here, whoever removes it
    removes the shard.
    """

    name: str
    beside_files: bool = False
    folders: dict[str, Folder] = field(default_factory=dict)
    attempts: dict[str, dict[str, bytearray]] = field(default_factory=dict)
    assigned: Callable[[str, Record], None] = lambda _path, _record: None
    """Told of every operation that a primary here made, with the path of its shard."""
    _minted: int = 0

    def folder(self, path: str) -> Folder | None:
        if self.beside_files and not os.path.isdir(path):
            self.folders.pop(path, None)
        return self.folders.get(path)

    def durable(self, path: str) -> int | None:
        """Up to where the shard there has all on disk; None where there is none."""
        folder = self.folder(path)
        return durable_checkpoint(folder) if folder is not None else None

    def end(self) -> None:
        """Lets go of what lasts longer than a simulation."""

    def put(self, path: str, folder: Folder) -> None:
        self.folders[path] = folder
        if self.beside_files:
            Path(path).mkdir(parents=True, exist_ok=True)

    def mint(self) -> str:
        """An id that nobody else has."""
        self._minted += 1
        return f"{self.name}-history-{self._minted}"

    def crash(self, chance: random.Random) -> None:
        """Loses, of everything that was not synced, all from some point on."""
        for folder in self.folders.values():
            kept = chance.randint(folder.synced, len(folder.log))
            del folder.log[kept:]
        for attempt in self.attempts.values():
            for data in attempt.values():
                del data[chance.randint(0, len(data)) :]


def durable_checkpoint(folder: Folder) -> int:
    """Up to which number all operations are on disk, whatever happens next."""
    newest = max(folder.commits, key=lambda commit: commit.local_checkpoint)
    local = newest.local_checkpoint
    certain = folder.certain()
    while local + 1 in certain:
        local += 1
    return local


def pack(records: list[Record]) -> bytes:
    """Records as they travel."""
    return b"".join(orjson.dumps(tuple(record)) + b"\n" for record in records)


def unpack(data: bytes) -> list[Record]:
    return [Record(*orjson.loads(line)) for line in data.splitlines()]


def checksum(data: bytes) -> int:
    return zlib.crc32(data)
