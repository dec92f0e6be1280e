"""A real Quidditch process for tests: started on a free port, waited for, killed on request, stopped at the end."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

from tests.support.client import Client
from tests.support.process import Process


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Node(Process):
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
        super().__init__("test-node", [], data, {**os.environ, **(env or {})})

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

    def start(self, timeout: float = 60.0) -> Node:
        self.data.mkdir(parents=True, exist_ok=True)
        self.command = [sys.executable, "-m", "quidditch.cli.main", "run", "--data-dir", str(self.data / "data")]
        self.command += ["--http-port", str(self.port), *self.args]
        self.spawn()
        self._wait(timeout)
        return self

    def _wait(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            self.check()
            with contextlib.suppress(OSError, http.client.HTTPException), self.client(timeout=5) as client:
                if client.call("GET", "/", repeat=False).status == 200:
                    return
            time.sleep(0.02)
        self.kill()
        raise RuntimeError(f"the node did not answer within {timeout} s: {self.tail()}")

    def __enter__(self) -> Node:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
