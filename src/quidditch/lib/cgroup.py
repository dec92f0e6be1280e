"""The control group of this process, as Linux shows it: what a container may use and has used. Versions 1 and 2 of the interface."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

_CONTROLLERS = ("cpuacct", "cpu", "memory")
_UNIFIED = ""
"""The name under which version 2 lists the one group of a process."""


class Group(msgspec.Struct, frozen=True):
    """`groups`: the path of the group by controller. Times are nanoseconds, period and quota (-1: none) microseconds.

    The limit of memory is text: bytes, or `max`.
    """

    groups: Mapping[str, str]
    usage: int
    period: int
    quota: int
    periods: int
    throttled_periods: int
    throttled: int
    memory_limit: str
    memory_used: str


def own(proc: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")) -> Group | None:
    """None where there is no such group, or it cannot be read."""
    try:
        groups = _groups(proc.read_text())
        return _version_1(root, groups) if "memory" in groups else _version_2(root, groups[_UNIFIED])
    except (OSError, ValueError, KeyError):
        return None


def _groups(text: str) -> dict[str, str]:
    found = {}
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            found[controller] = path
    return found


def _version_1(root: Path, groups: Mapping[str, str]) -> Group:
    def read(controller: str, name: str) -> str:
        """A container may see its own group as the root."""
        folder = root / controller
        inside = folder / groups[controller].lstrip("/") / name
        return (inside if inside.exists() else folder / name).read_text().strip()

    stat = _table(read("cpu", "cpu.stat"))
    return Group(
        groups={controller: groups[controller] for controller in _CONTROLLERS},
        usage=int(read("cpuacct", "cpuacct.usage")),
        period=int(read("cpu", "cpu.cfs_period_us")),
        quota=int(read("cpu", "cpu.cfs_quota_us")),
        periods=stat["nr_periods"],
        throttled_periods=stat["nr_throttled"],
        throttled=stat["throttled_time"],
        memory_limit=read("memory", "memory.limit_in_bytes"),
        memory_used=read("memory", "memory.usage_in_bytes"),
    )


def _version_2(root: Path, path: str) -> Group:
    folder = root / path.lstrip("/")
    stat = _table((folder / "cpu.stat").read_text())
    quota, period = (folder / "cpu.max").read_text().split()
    return Group(
        groups=dict.fromkeys(_CONTROLLERS, path),
        usage=stat["usage_usec"] * 1000,
        period=int(period),
        quota=-1 if quota == "max" else int(quota),
        periods=stat.get("nr_periods", 0),
        throttled_periods=stat.get("nr_throttled", 0),
        throttled=stat.get("throttled_usec", 0) * 1000,
        memory_limit=(folder / "memory.max").read_text().strip(),
        memory_used=(folder / "memory.current").read_text().strip(),
    )


def _table(text: str) -> dict[str, int]:
    return {name: int(value) for name, value in (line.split() for line in text.splitlines())}
