"""What a disk was asked, from the numbers that Linux keeps of each block device."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

_SECTOR = 512


class BlockIo(msgspec.Struct, frozen=True):
    """Since the machine's start. `read_ms` and `write_ms`: time of the operations; `busy_ms`: while any was under way; `queue_ms`:
    the sum of both over what waited.
    """

    device: str
    reads: int
    writes: int
    read_bytes: int
    written_bytes: int
    read_ms: int
    write_ms: int
    busy_ms: int
    queue_ms: int


def of(path: Path, stats: Path = Path("/proc/diskstats")) -> BlockIo | None:
    """The device of the file system that holds the path; None where there is none, or the system does not tell."""
    try:
        number = path.stat().st_dev
        lines = stats.read_text().splitlines()
    except OSError:
        return None
    wanted = [str(os.major(number)), str(os.minor(number))]
    return next((_parse(line.split()) for line in lines if line.split()[:2] == wanted), None)


def _parse(fields: list[str]) -> BlockIo:
    reads, _, read_sectors, read_ms, writes, _, written_sectors, write_ms, _, busy_ms, queue_ms = map(int, fields[3:14])
    return BlockIo(
        device=fields[2],
        reads=reads,
        writes=writes,
        read_bytes=read_sectors * _SECTOR,
        written_bytes=written_sectors * _SECTOR,
        read_ms=read_ms,
        write_ms=write_ms,
        busy_ms=busy_ms,
        queue_ms=queue_ms,
    )
