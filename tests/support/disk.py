"""A small disk of its own for a test, and what fills it."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def mounted(path: Path, megabytes: int) -> Iterator[None]:
    """A file system of this size in a new folder. Skips the test where mounting is not allowed."""
    path.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(path)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting a file system needs a right that this user lacks")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


def free(path: Path) -> int:
    """Bytes."""
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


def leave_free(path: Path, megabytes: int) -> None:
    """Makes the ballast of the disk that size that so much stays free."""
    ballast = path / "ballast"
    ballast.touch()
    size = ballast.stat().st_size + free(path) - (megabytes << 20)
    with ballast.open("r+b") as file:
        if size < ballast.stat().st_size:
            file.truncate(size)
        else:
            os.posix_fallocate(file.fileno(), 0, size)


def fill(path: Path) -> Path:
    """Leaves nothing free; the file that takes the room."""
    ballast = path / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            with contextlib.suppress(OSError):
                while file.write(b"\0" * size) == size:
                    pass
    return ballast
