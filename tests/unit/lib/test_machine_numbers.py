"""What Linux tells of control groups and disks, read from files like its own."""

from __future__ import annotations

import os
from pathlib import Path

from quidditch.lib import block_io, cgroup


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def test_a_group_of_version_2(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "proc": "0::/box/one\n",
            "sys/box/one/cpu.stat": "usage_usec 7\nuser_usec 3\nnr_periods 5\nnr_throttled 2\nthrottled_usec 9\n",
            "sys/box/one/cpu.max": "50000 100000\n",
            "sys/box/one/memory.max": "max\n",
            "sys/box/one/memory.current": "4096\n",
        },
    )
    found = cgroup.own(tmp_path / "proc", tmp_path / "sys")
    assert found is not None
    assert found.groups == {"cpuacct": "/box/one", "cpu": "/box/one", "memory": "/box/one"}
    assert (found.usage, found.period, found.quota) == (7_000, 100_000, 50_000)
    assert (found.periods, found.throttled_periods, found.throttled) == (5, 2, 9_000)
    assert (found.memory_limit, found.memory_used) == ("max", "4096")


def test_a_group_of_version_1_that_sees_itself_as_the_root(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "proc": "4:memory:/outside/x\n2:cpuacct,cpu:/\n1:name=systemd:/\n0::/\n",
            "sys/cpu/cpu.stat": "nr_periods 1\nnr_throttled 0\nthrottled_time 3\n",
            "sys/cpu/cpu.cfs_period_us": "100000\n",
            "sys/cpu/cpu.cfs_quota_us": "-1\n",
            "sys/cpuacct/cpuacct.usage": "12345\n",
            "sys/memory/memory.limit_in_bytes": "1048576\n",
            "sys/memory/memory.usage_in_bytes": "77\n",
        },
    )
    found = cgroup.own(tmp_path / "proc", tmp_path / "sys")
    assert found is not None
    assert found.groups == {"cpuacct": "/", "cpu": "/", "memory": "/outside/x"}
    assert (found.usage, found.quota, found.throttled) == (12345, -1, 3)
    assert (found.memory_limit, found.memory_used) == ("1048576", "77")


def test_no_group(tmp_path: Path) -> None:
    assert cgroup.own(tmp_path / "proc", tmp_path) is None
    write(tmp_path, {"proc": "nonsense\n", "root": "0::/\n"})
    assert cgroup.own(tmp_path / "proc", tmp_path) is None
    assert cgroup.own(tmp_path / "root", tmp_path) is None


def test_the_device_of_a_folder(tmp_path: Path) -> None:
    number = tmp_path.stat().st_dev
    line = f"{os.major(number):4} {os.minor(number):7} vda 10 1 200 30 40 2 800 50 0 60 70 0 0 0 0 0 0\n"
    write(tmp_path, {"stats": f"  99999   0 loop0 0 0 0 0 0 0 0 0 0 0 0\n{line}"})
    found = block_io.of(tmp_path, tmp_path / "stats")
    assert found == block_io.BlockIo("vda", 10, 40, 102_400, 409_600, 30, 50, 60, 70)
    assert block_io.of(tmp_path, tmp_path / "missing") is None
    write(tmp_path, {"other": "  99999   0 loop0 0 0 0 0 0 0 0 0 0 0 0\n"})
    assert block_io.of(tmp_path, tmp_path / "other") is None
