"""A real Quidditch process for tests: started on a free port, waited for, killed on request, stopped at the end."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

from tests.support.client import Client


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Node:
    """One `quidditch run` on a data folder; may be killed and started again on the same folder and port."""

    def __init__(
        self,
        data: Path,
        port: int | None = None,
        args: Sequence[str] = (),
        env: dict[str, str] | None = None,
        ca: Path | None = None,
        login: str = "",
    ) -> None:
        """`ca`, `login`: how it is asked where it has TLS and users."""
        self.data = data
        self.port = port or free_port()
        self.args = list(args)
        self.ca, self.login = ca, login
        self.client_certificate: tuple[Path, Path] | None = None
        self.env = {**os.environ, **(env or {})}
        self.process: subprocess.Popen[bytes] | None = None
        self.log = data / "test-node.log"

    @classmethod
    @contextlib.contextmanager
    def temporary(
        cls, args: Sequence[str] = (), env: dict[str, str] | None = None, ca: Path | None = None, login: str = ""
    ) -> Iterator[Node]:
        folder = Path(tempfile.mkdtemp(prefix="quidditch-test-"))
        try:
            with cls(folder, args=args, env=env, ca=ca, login=login) as node:
                yield node
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @property
    def url(self) -> str:
        return f"http{'s' if self.ca else ''}://127.0.0.1:{self.port}"

    def client(self, login: str | None = None, timeout: float = 60.0) -> Client:
        """A client that is logged in, unless another login (or none, by "") is given."""
        return Client(self.url, timeout, self.ca, self.login if login is None else login, self.client_certificate)

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self, timeout: float = 60.0) -> Node:
        self.data.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "quidditch.cli.main", "run", "--data-dir", str(self.data / "data")]
        command += ["--http-port", str(self.port), *self.args]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=self.env)
        self._wait(timeout)
        return self

    def _wait(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            assert self.process is not None
            if self.process.poll() is not None:
                raise RuntimeError(f"the node ended with {self.process.returncode}: {self.tail()}")
            with contextlib.suppress(OSError, http.client.HTTPException), self.client(timeout=5) as client:
                if client.call("GET", "/", repeat=False).status == 200:
                    return
            time.sleep(0.02)
        self.kill()
        raise RuntimeError(f"the node did not answer within {timeout} s: {self.tail()}")

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-3000:] if self.log.exists() else ""

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """SIGKILL: nothing is flushed, nobody is told."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM and wait; the exit code."""
        return self._end(signal.SIGTERM)

    def _end(self, with_signal: signal.Signals) -> int:
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(with_signal)
        try:
            code = self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self.process = None
        return code

    def __enter__(self) -> Node:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
