"""Simulated disks: what was written but not synced is lost, in part or whole, when the node crashes."""

from __future__ import annotations

import json
import random
import zlib
from dataclasses import dataclass, field
from typing import NamedTuple

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

    def sync(self) -> None:
        self.synced = len(self.log)

    def records(self) -> dict[int, Record]:
        """What the log holds by number: of two the later counts, and none that was voided."""
        found: dict[int, Record] = {}
        for entry in self.log:
            if isinstance(entry, Record):
                found[entry.seq_no] = entry
            elif isinstance(entry, Trim):
                for seq_no in [seq_no for seq_no in found if seq_no > entry.max_seq_no]:
                    del found[seq_no]
        return found

    def global_checkpoint(self) -> int:
        return max((entry.global_checkpoint for entry in self.log if isinstance(entry, Told)), default=-1)


@dataclass
class Disk:
    """The disk of one node: shard folders, folders that are being received, and small files that are written whole."""

    name: str
    folders: dict[str, Folder] = field(default_factory=dict)
    attempts: dict[str, dict[str, bytearray]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    _minted: int = 0

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


def pack(records: list[Record]) -> bytes:
    """Records as they travel."""
    return b"".join(json.dumps(record, separators=(",", ":")).encode() + b"\n" for record in records)


def unpack(data: bytes) -> list[Record]:
    return [Record(*json.loads(line)) for line in data.splitlines()]


def checksum(data: bytes) -> int:
    return zlib.crc32(data)
