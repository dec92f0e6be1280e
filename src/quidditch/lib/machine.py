"""What the machine and this process look like from inside: memory, processor, disk, files. -1 or None where it cannot be told."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import threading
import time
from functools import cache
from pathlib import Path

import msgspec


class Memory(msgspec.Struct, frozen=True):
    """Bytes. `available` counts what the system would free."""

    total: int
    available: int
    swap_total: int
    swap_free: int

    @property
    def used(self) -> int:
        return self.total - self.available

    @property
    def used_percent(self) -> int:
        return round(100 * self.used / self.total) if self.total else 0


class Disk(msgspec.Struct, frozen=True):
    """Bytes. `available` is what this user may take."""

    total: int
    free: int
    available: int

    @property
    def used(self) -> int:
        return self.total - self.available


def memory() -> Memory:
    values: dict[str, int] = {}
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            name, _, rest = line.partition(":")
            values[name] = int(rest.split()[0]) * 1024
    except (OSError, ValueError, IndexError):
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return Memory(total, total, 0, 0)
    return Memory(
        values.get("MemTotal", 0),
        values.get("MemAvailable", values.get("MemFree", 0)),
        values.get("SwapTotal", 0),
        values.get("SwapFree", 0),
    )


def disk(path: Path) -> Disk:
    """The file system that holds the path or, if it is not there yet, its nearest parent."""
    while not path.exists() and path != path.parent:
        path = path.parent
    usage = shutil.disk_usage(path)
    stat = os.statvfs(path)
    return Disk(usage.total, stat.f_bfree * stat.f_frsize, stat.f_bavail * stat.f_frsize)


def mount(path: Path) -> tuple[str, str]:
    """Where the file system of the path is mounted, and its type; empty where it cannot be told."""
    wanted = str(path.absolute())
    best = ("", "")
    try:
        lines = Path("/proc/mounts").read_text().splitlines()
    except OSError:
        return best
    for line in lines:
        device, point, kind = line.split()[:3]
        inside = wanted == point or wanted.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best[0].partition(" ")[0]):
            best = (f"{point} ({device})", kind)
    return best


def load() -> tuple[float, float, float]:
    try:
        return os.getloadavg()
    except OSError:
        return -1.0, -1.0, -1.0


def resident_bytes() -> int:
    """This process's memory."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def virtual_bytes() -> int:
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return -1


def open_files() -> int:
    try:
        return len(os.listdir("/proc/self/fd"))
    except OSError:
        return -1


def max_files() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def processor_ms() -> int:
    """Processor time of this process so far."""
    return int(time.process_time() * 1000)


def threads() -> int:
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return threading.active_count()


def processors() -> int:
    return os.cpu_count() or 1


def allowed_processors() -> int:
    """How many of them this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        return processors()


@cache
def system() -> tuple[str, str, str, str]:
    """Name, pretty name, architecture and version of the operating system."""
    pretty = platform.system()
    try:
        pretty = platform.freedesktop_os_release().get("PRETTY_NAME", pretty)
    except OSError:
        pass
    machine = {"x86_64": "amd64"}.get(platform.machine(), platform.machine())
    return platform.system(), pretty, machine, platform.release()


class ProcessorLoad:
    """Percent of the processors in use since it was last asked, by the machine and by this process."""

    def __init__(self) -> None:
        self._last = (time.monotonic(), *_ticks(), time.process_time())
        self._answer = (0, 0)

    def percent(self) -> tuple[int, int]:
        """(machine, process); asked again within a second it answers the same."""
        now, busy, total, own = time.monotonic(), *_ticks(), time.process_time()
        then, busy_then, total_then, own_then = self._last
        if now - then < 1:
            return self._answer
        machine = round(100 * (busy - busy_then) / (total - total_then)) if total > total_then else 0
        process = round(100 * (own - own_then) / (now - then) / processors())
        self._last = (now, busy, total, own)
        self._answer = (machine, min(100, process))
        return self._answer


def _ticks() -> tuple[int, int]:
    """(busy, all) ticks of all processors."""
    try:
        values = [int(value) for value in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    except (OSError, ValueError, IndexError):
        return 0, 0
    return sum(values) - values[3] - values[4], sum(values)
