"""What processes of this machine take: processor time, memory of their own, and the bare copy of files over a loopback connection."""

from __future__ import annotations

import os
import socket
import threading
import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

_TICKS = os.sysconf("SC_CLK_TCK")
_LOOK_EVERY = 0.02
_BLOCK = 512 << 10


def cpu_seconds(pid: int) -> float:
    """Processor time that the process took so far, its children's not counted."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def own_memory(pid: int) -> float:
    """MiB that only this process has: files that are mapped into it do not count."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) / 1024
    return float("nan")


class Watch:
    """Looks at processes until its block ends: `cpu`, seconds that each took; `grown`, MiB that each had more at most than before."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._pids = pids
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.cpu = [cpu_seconds(pid) for pid in pids]
        self._before = [own_memory(pid) for pid in pids]
        self._most = list(self._before)
        self.grown = [0.0] * len(pids)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        if error is None:
            self.cpu = [cpu_seconds(pid) - before for pid, before in zip(self._pids, self.cpu, strict=True)]
            self.grown = [most - before for most, before in zip(self._most, self._before, strict=True)]

    def _look(self) -> None:
        while not self._stop.wait(_LOOK_EVERY):
            self._most = [max(most, own_memory(pid)) for most, pid in zip(self._most, self._pids, strict=True)]


def bare_copy(source: Path, target: Path) -> tuple[float, float]:
    """Copies a folder's files by two processes over a loopback connection, each file checked by CRC-32 at both ends and synced, and
    does nothing else. Seconds, and MB.
    """
    files = sorted(path for path in source.rglob("*") if path.is_file())
    sizes = [path.stat().st_size for path in files]
    target.mkdir()
    began = time.perf_counter()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        child = os.fork()
        if not child:
            os._exit(_send(files, sizes, listening.getsockname()))
        connection, _ = listening.accept()
        with connection:
            for number, size in enumerate(sizes):
                _receive(connection, target / str(number), size)
    _, status = os.waitpid(child, 0)
    if status:
        raise RuntimeError("the sender of the bare copy failed")
    return time.perf_counter() - began, sum(sizes) / 1e6


def _send(files: Sequence[Path], sizes: Sequence[int], address: tuple[str, int]) -> int:
    try:
        with socket.create_connection(address) as connection:
            for path, size in zip(files, sizes, strict=True):
                check = 0
                with path.open("rb") as file:
                    while size:
                        block = file.read(min(_BLOCK, size))
                        check = zlib.crc32(block, check)
                        connection.sendall(block)
                        size -= len(block)
                connection.sendall(check.to_bytes(4, "little"))
    except Exception:
        return 1
    return 0


def _receive(connection: socket.socket, path: Path, size: int) -> None:
    check = 0
    buffer = memoryview(bytearray(_BLOCK))
    with path.open("wb") as file:
        while size:
            block = buffer[: _fill(connection, buffer[: min(_BLOCK, size)])]
            check = zlib.crc32(block, check)
            file.write(block)
            size -= len(block)
        _fill(connection, buffer[:4])
        if int.from_bytes(buffer[:4], "little") != check:
            raise RuntimeError(f"{path} came otherwise than it was sent")
        file.flush()
        os.fsync(file.fileno())


def _fill(connection: socket.socket, into: memoryview) -> int:
    got = 0
    while got < len(into):
        count = connection.recv_into(into[got:])
        if not count:
            raise ConnectionError("the sender of the bare copy hung up")
        got += count
    return got
