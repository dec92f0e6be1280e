"""What goes from one copy of a shard to another in a recovery, for shards that are models: operations and files."""

from __future__ import annotations

from collections import deque
from typing import Any

import orjson

from quidditch_kernel import KernelError
from tests.sim.disk import Commit, Disk, Folder, Record, Told, checksum, pack


class History:
    """Operations on their way to another copy; see `Engine.history`."""

    def __init__(self, from_seq_no: int, max_seq_no: int, records: list[Record]) -> None:
        self.from_seq_no = from_seq_no
        self.max_seq_no = max_seq_no
        self._packed = deque(pack([record]) for record in records)
        self._size = len(records)
        self.bytes = sum(map(len, self._packed))

    def __len__(self) -> int:
        return self._size

    def next(self, max_bytes: int) -> bytes:
        taken, size = [], 0
        while self._packed and (not taken or size + len(self._packed[0]) <= max_bytes):
            taken.append(self._packed.popleft())
            size += len(taken[-1])
        return b"".join(taken)


class Files:
    """A commit on its way to another copy; see `Engine.files`."""

    def __init__(self, commit: Commit, history_uuid: str) -> None:
        self._commit = commit
        self._history_uuid = history_uuid

    def manifest(self) -> bytes:
        files = [
            {"name": name, "length": len(data), "checksum": f"{checksum(data):08x}"}
            for name, data in self._commit.files.items()
        ]
        numbers = {"local_checkpoint": self._commit.local_checkpoint, "max_seq_no": self._commit.max_seq_no}
        return orjson.dumps({"files": files, **numbers, "history_uuid": self._history_uuid})

    def read(self, name: str, offset: int, length: int) -> bytes:
        return self._commit.files[name][offset : offset + length]


class Restore:
    """A shard folder that is being received; see `quidditch_kernel.Restore`."""

    def __init__(self, disk: Disk, path: str, manifest: bytes) -> None:
        self._disk = disk
        self._path = path
        self._manifest = orjson.loads(manifest)
        wanted = {each["name"]: each for each in self._manifest["files"]}
        earlier = disk.attempts.get(path, {})
        self._parts = {name: data for name, data in earlier.items() if name in wanted}
        disk.attempts[path] = self._parts
        folder = disk.folder(path)
        here = {name: data for commit in folder.commits for name, data in commit.files.items()} if folder else {}
        self._here = {name: here[name] for name, each in wanted.items() if name in here and _fits(here[name], each)}

    def needed(self) -> list[tuple[str, int, int]]:
        answer = []
        for each in self._manifest["files"]:
            have = len(self._parts.get(each["name"], b""))
            if each["name"] not in self._here and have < each["length"]:
                answer.append((each["name"], have, each["length"] - have))
        return answer

    def reused(self) -> tuple[int, int]:
        return len(self._here), sum(len(data) for data in self._here.values())

    def write(self, name: str, offset: int, data: bytes) -> None:
        part = self._parts.setdefault(name, bytearray())
        if offset > len(part):
            raise KernelError("illegal_argument_exception", f"[{name}] has {len(part)} bytes, not {offset}", 400, b"{}")
        part[offset : offset + len(data)] = data

    def finish(self) -> None:
        files: dict[str, bytes] = {}
        for each in self._manifest["files"]:
            name = each["name"]
            data = self._here[name] if name in self._here else bytes(self._parts.get(name, b""))
            if not _fits(data, each):
                raise KernelError("corruption_exception", f"[{name}] is not as it was sent", 500, b"{}")
            files[name] = data
        numbers = self._manifest["local_checkpoint"], self._manifest["max_seq_no"]
        before = self._disk.folder(self._path)
        folder = Folder(self._manifest["history_uuid"], before.primary_term if before else 0)
        folder.commits.append(Commit(*numbers, files))
        folder.log.append(Told(numbers[1]))
        folder.sync()
        self._disk.put(self._path, folder)
        self._disk.attempts.pop(self._path, None)


def inspect_shard(disk: Disk, path: str) -> bytes | None:
    """See `quidditch_kernel.inspect_shard`."""
    folder = disk.folder(path)
    if folder is None:
        return None
    newest = folder.commits[-1]
    local = newest.local_checkpoint
    records = folder.records()
    while local + 1 in records:
        local += 1
    return orjson.dumps(
        {
            "history_uuid": folder.history_uuid,
            "max_seq_no": max([newest.max_seq_no, *records]),
            "local_checkpoint": local,
            "global_checkpoint": folder.global_checkpoint(),
            "primary_term": folder.primary_term,
        }
    )


def _fits(data: bytes, told: dict[str, Any]) -> bool:
    return len(data) == told["length"] and f"{checksum(data):08x}" == told["checksum"]
