"""A cluster leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from tools.kube.network import started
from tools.kube.running import Running

from tests.kube.support import Namespace, pod, until

pytestmark = pytest.mark.slow


def _left(folder: Path) -> list[int]:
    """Processes whose arguments name the folder."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and str(folder).encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def test_nothing_is_left_of_a_cluster_whose_supervisor_was_killed(kube: Running, tmp_path: Path) -> None:
    running = Running(tmp_path / "cluster")
    try:
        running.start(["--nodes", "1"], with_parent=True)
        namespace = Namespace(running, "leftovers")
        namespace.apply(pod("asleep", "sleep", "infinity", securityContext={"runAsUser": 1234}))
        until(lambda: namespace.ready("asleep"), "the pod is ready")
        (process,) = running.pids("leftovers", "asleep").values()
        since = started(process)
        bridge = f"qk{running.info['bridge']}"
        (supervisor,) = [
            pid for pid in _left(running.folder) if b"tools.kube" in Path(f"/proc/{pid}/cmdline").read_bytes()
        ]
        os.kill(supervisor, signal.SIGKILL)
        until(lambda: started(process) != since, "the pod's process ends with the kubelet")
    finally:
        running.stop()
    assert _left(running.folder) == []
    assert subprocess.run(["ip", "link", "show", bridge], capture_output=True, check=False).returncode != 0
    assert kube.alive()


def test_a_cluster_that_is_stopped_ends_its_pods(kube: Running, tmp_path: Path) -> None:
    running = Running(tmp_path / "cluster")
    try:
        running.start(["--nodes", "1"], with_parent=True)
        namespace = Namespace(running, "leftovers")
        namespace.apply(pod("asleep", "sleep", "infinity"))
        until(lambda: namespace.ready("asleep"), "the pod is ready")
        (process,) = running.pids("leftovers", "asleep").values()
        since = started(process)
    finally:
        running.stop()
    assert started(process) != since
    assert _left(running.folder) == []
    assert kube.alive()
