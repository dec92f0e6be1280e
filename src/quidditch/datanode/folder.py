"""The data folder of a node: who uses it, who the node is, where shards live.

node.lock                              held by the process that uses the folder; says its pid
node.json                              the lasting id of the node
cluster.json                           the uuid of the cluster that it belongs to, once it has joined one
nodes/0/indices/<uuid>/<shard>/        one shard; beside it whose data it is (datanode/allocations.py)
nodes/0/indices/.deleted-<uuid>/       an index on its way out
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from quidditch.datanode.allocations import Allocations
from quidditch.lib.durable import keep_file, sync_folder
from quidditch.model.objects import Copy

FORMAT = 1
_DELETED = ".deleted-"
_BESIDE = (".recovering", ".replaced")
"""Folders that the kernel makes beside a shard's: what is received, and what that took the place of."""


class FolderError(Exception):
    """The folder cannot be used; the message says why, in a sentence for the user."""


class DataFolder:
    """An opened data folder. Only one process can have it open."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.exists() and not path.is_dir():
            raise FolderError(f"cannot use the data folder {path}: it is not a folder")
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(path / "node.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise FolderError(f"cannot use the data folder {path}: {error.strerror}") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.pread(self._lock, 64, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._lock)
            raise FolderError(f"the data folder {path} is in use by the process with pid {owner}") from None
        try:
            os.ftruncate(self._lock, 0)
            os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0)
            self.indices = path / "nodes" / "0" / "indices"
            self.indices.mkdir(parents=True, exist_ok=True)
            for folder in (path, self.indices.parent.parent, self.indices.parent):
                sync_folder(folder)
            self.node_id = self._identity()
            for left in self.indices.glob(f"{_DELETED}*"):
                shutil.rmtree(left, ignore_errors=True)
            self.allocations = Allocations(self.indices)
        except OSError as error:
            self.close()
            raise FolderError(f"cannot write to the data folder {path}: {error.strerror}") from None
        except FolderError:
            self.close()
            raise

    def _identity(self) -> str:
        file = self.path / "node.json"
        if file.exists():
            return str(_content(file, "id"))
        node_id = secrets.token_urlsafe(16)
        keep_file(file, {"format": FORMAT, "id": node_id})
        return node_id

    @property
    def cluster_uuid(self) -> str:
        """The cluster that the data here belongs to; empty if it has not joined one. Raises :class:`FolderError`."""
        file = self.path / "cluster.json"
        return str(_content(file, "uuid")) if file.exists() else ""

    def join(self, uuid: str) -> None:
        """Keeps the uuid of the cluster that took this node in. Raises :class:`FolderError` for another than before."""
        known = self.cluster_uuid
        if known and known != uuid:
            raise FolderError(f"the data folder {self.path} belongs to the cluster with the uuid {known}, not {uuid}")
        if not known:
            keep_file(self.path / "cluster.json", {"format": FORMAT, "uuid": uuid})

    def shard(self, uuid: str, shard: int) -> Path:
        return self.indices / uuid / str(shard)

    def uuids(self) -> Iterator[str]:
        """The indices that have data here."""
        for entry in sorted(self.indices.iterdir()):
            if entry.is_dir() and not entry.name.startswith("."):
                yield entry.name

    def remove(self, uuid: str) -> None:
        """Deletes all data of an index; interrupted, it is completed at the next start."""
        gone = self.indices / f"{_DELETED}{uuid}"
        try:
            (self.indices / uuid).rename(gone)
        except FileNotFoundError:
            return
        sync_folder(self.indices)
        self.allocations.forget(uuid)
        shutil.rmtree(gone, ignore_errors=True)

    def remove_shard(self, uuid: str, shard: int) -> None:
        """Deletes one shard that has moved away, or is to be made anew."""
        folder = self.shard(uuid, shard)
        gone = self.indices / f"{_DELETED}{uuid}-{shard}"
        self.allocations.void(uuid, shard)
        shutil.rmtree(gone, ignore_errors=True)
        for suffix in _BESIDE:
            shutil.rmtree(folder.with_name(f"{shard}{suffix}"), ignore_errors=True)
        try:
            folder.rename(gone)
        except FileNotFoundError:
            return
        sync_folder(folder.parent)
        self.allocations.forget(uuid, shard)
        shutil.rmtree(gone, ignore_errors=True)

    def prepare(self, uuid: str, shard: int, copy: Copy) -> None:
        """Makes the shard's folder ready to be opened as this copy. A copy that had data finds its own, or that which a user has
        `forced` on it; one that begins empty finds nothing. Raises ValueError for data that is missing or another copy's.
        """
        path, ids = self.shard(uuid, shard), self.allocations.of(uuid, shard)
        if copy.recovery == "EMPTY_STORE":
            if ids is not None and copy.allocation_id not in ids:
                self.remove_shard(uuid, shard)
            return
        if not path.is_dir():
            raise ValueError(f"the data of the shard is not there: {path} is missing")
        if ids is None or copy.allocation_id in ids or copy.forced:
            return
        whose = f"that of allocation [{ids[0]}]" if ids else "no complete copy"
        raise ValueError(f"the data in {path} is {whose}, not that of [{copy.allocation_id}]: it is not served")

    def close(self) -> None:
        os.close(self._lock)


def _content(file: Path, member: str) -> object:
    """A member of a file that :func:`keep_file` wrote. Raises :class:`FolderError`."""
    try:
        content = json.loads(file.read_bytes())
        version = int(content["format"])
        if version > FORMAT:
            raise FolderError(f"{file} has format {version}, this version reads up to {FORMAT}")
        return content[member]
    except (ValueError, KeyError, TypeError):
        raise FolderError(f"{file} is damaged: it should hold the {file.stem}'s {member}") from None
