"""A running cluster from outside: started, asked, steered and ended. What `make kube-up` and the tests both use."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.support.kube import WithKubectl

from tools.kube.cluster import INFO, PIDS, SOCKET
from tools.kube.network import Network, started

_START_SECONDS = 180.0
_END_SECONDS = 60.0
_SUPERVISOR = "supervisor.json"


class Failed(Exception):
    """The cluster cannot be started, or does not do what it was told."""


class Running(WithKubectl):
    """The cluster in a folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def info(self) -> dict[str, Any]:
        """What is needed to clear up after it. Raises :class:`Failed` while it does not run."""
        try:
            return dict(json.loads((self.folder / INFO).read_text()))
        except OSError as error:
            raise Failed(f"no cluster runs in {self.folder}") from error

    def start(self, arguments: Sequence[str] = (), *, with_parent: bool = False) -> None:
        """Until its nodes are registered. `with_parent` ends it with the process that started it. Raises :class:`Failed`."""
        if self.alive():
            raise Failed(f"a cluster runs in {self.folder} already")
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "tools.kube", "run", "--dir", str(self.folder), *arguments]
        if with_parent:
            command = ["setpriv", "--pdeathsig", "TERM", "--", *command]
        root = Path(__file__).parents[2]
        path = os.pathsep.join([str(root), str(root / "src"), str(root / "kernel" / "python")])
        environment = os.environ | {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
        with (self.folder / "supervisor.log").open("ab") as log:
            process = subprocess.Popen(
                command,
                cwd=root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        (self.folder / _SUPERVISOR).write_text(json.dumps([process.pid, started(process.pid)]))
        self._process = process
        self.wait(lambda: (self.folder / INFO).exists() and self._nodes() >= 1, _START_SECONDS, "nodes")

    def _nodes(self) -> int:
        return self.run_kubectl("get", "serviceaccount", "default", "-o", "name").stdout.count("\n")

    def wait(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        """Raises :class:`Failed` with the log's end."""
        deadline = time.monotonic() + seconds
        while not condition():
            if not self.alive():
                raise Failed(f"the cluster ended: {self.tail()}")
            if time.monotonic() > deadline:
                raise Failed(f"no {what} after {seconds:g} s: {self.tail()}")
            time.sleep(0.1)

    def tail(self) -> str:
        log = self.folder / "supervisor.log"
        return log.read_text(errors="replace")[-3000:] if log.exists() else ""

    def alive(self) -> bool:
        pid = self._supervisor()
        return pid is not None and _state(pid) not in ("", "Z")

    def _supervisor(self) -> int | None:
        with contextlib.suppress(OSError, ValueError):
            pid, since = json.loads((self.folder / _SUPERVISOR).read_text())
            return int(pid) if started(pid) == since else None
        return None

    def stop(self) -> None:
        """Ends exactly what was started here, also what a killed supervisor left behind."""
        if (pid := self._supervisor()) is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            deadline = time.monotonic() + _END_SECONDS
            while self.alive() and time.monotonic() < deadline:
                time.sleep(0.02)
            if self.alive():
                os.kill(pid, signal.SIGKILL)
        if self._process is not None:
            self._process.wait()
        with contextlib.suppress(OSError, ValueError):
            for pid, since in json.loads((self.folder / PIDS).read_text()).values():
                if started(pid) == since:
                    os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(Failed, ValueError, KeyError):
            Network(self.info["bridge"]).bury()

    def ask(self, do: str, **asked: Any) -> dict[str, Any]:
        """What the supervisor answers. Raises :class:`Failed`."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(120)
                connection.connect(str(self.folder / SOCKET))
                connection.sendall(json.dumps({"do": do, **asked}).encode() + b"\n")
                answer = dict(json.loads(connection.makefile().readline()))
        except (OSError, ValueError) as error:
            raise Failed(f"the cluster in {self.folder} does not answer: {error}") from error
        if "error" in answer:
            raise Failed(str(answer["error"]))
        return answer

    def status(self) -> dict[str, Any]:
        """Nodes, pods with their addresses, processes and logs, and the control plane's processes."""
        return self.ask("status")

    def node(self, name: str, state: str) -> None:
        """`up`, `paused`, `down` or `off`: see :class:`tools.kube.kubelet.node.Node`."""
        self.ask("node", name=name, state=state)

    def api(self, action: str) -> None:
        """`kill`, `stop`, `start`, `pause` or `resume` the API server."""
        self.ask("api", action=action)

    def pids(self, namespace: str, name: str) -> dict[str, int]:
        """The first process of each container that runs."""
        for pod in self.status()["pods"]:
            if (pod["namespace"], pod["name"]) == (namespace, name):
                return dict(pod["pids"])
        return {}


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""
