"""Real etcd processes for tests: one member or a cluster of three on free loopback ports, killed, paused and started again at will."""

from __future__ import annotations

import contextlib
import functools
import http.client
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.support.node import free_port

_GET = Path(__file__).parents[2] / "tools" / "kube" / "get.sh"


class Missing(Exception):
    """There is no such binary on this machine, and no Go to build it."""


@functools.cache
def binary(name: str = "etcd", build: bool = True) -> Path:
    """Raises :class:`Missing`; also when it would have to be built and `build` is off."""
    got = subprocess.run(
        ["sh", str(_GET), *([] if build else ["--built"]), name], capture_output=True, text=True, check=False
    )
    if got.returncode == 3:
        raise Missing(got.stderr.strip())
    if got.returncode != 0:
        raise RuntimeError(f"{name} cannot be built: {got.stderr[-3000:]}")
    return Path(got.stdout.strip())


def required() -> Path:
    """Skips the test where there is no etcd."""
    try:
        return binary()
    except Missing as missing:
        pytest.skip(str(missing))


class Member:
    """One etcd process; keeps its folder and ports when it is started again."""

    def __init__(self, name: str, folder: Path, args: Sequence[str] = (), tls: bool = False) -> None:
        self.name = name
        self.folder = folder
        self.client_port = free_port()
        self.peer_port = free_port()
        self.metrics_port = free_port()
        self.args = list(args)
        self.scheme = "https" if tls else "http"
        self.process: subprocess.Popen[bytes] | None = None
        self.log = folder / f"{name}.log"

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.client_port}"

    @property
    def peer_url(self) -> str:
        return f"http://127.0.0.1:{self.peer_port}"

    def spawn(self, cluster: Sequence[Member]) -> None:
        """Starts the process without waiting for it."""
        client = f"{self.scheme}://{self.address}"
        command = [str(binary()), "--name", self.name, "--data-dir", str(self.folder / self.name)]
        command += ["--listen-client-urls", client, "--advertise-client-urls", client]
        command += ["--listen-peer-urls", self.peer_url, "--initial-advertise-peer-urls", self.peer_url]
        command += ["--initial-cluster", ",".join(f"{member.name}={member.peer_url}" for member in cluster)]
        # Health is asked there, so that it needs no certificate.
        command += ["--listen-metrics-urls", f"http://127.0.0.1:{self.metrics_port}"]
        command += ["--logger", "zap", "--log-level", "warn", *self.args]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def healthy(self) -> bool:
        """Whether it answers and knows a leader."""
        if self.process is not None and self.process.poll() is not None:
            raise RuntimeError(f"etcd ended with {self.process.returncode}: {self.tail()}")
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", self.metrics_port, timeout=2)
            with contextlib.closing(connection):
                connection.request("GET", "/health")
                return connection.getresponse().status == 200
        return False

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-3000:] if self.log.exists() else ""

    def kill(self) -> None:
        """SIGKILL: nothing is flushed, nobody is told."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def pause(self) -> None:
        """SIGSTOP: connections stay open, nothing is answered."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def _end(self, with_signal: signal.Signals) -> None:
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(with_signal)
            self.process.send_signal(signal.SIGCONT)
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None


class Cluster:
    """Members that form one etcd. Timers are short by default, so that a lost leader costs a test little.

    `fsync=False` is for tests that kill processes, not machines: what a process wrote survives it.
    """

    def __init__(
        self,
        folder: Path,
        members: int = 1,
        *,
        args: Sequence[str] = (),
        fsync: bool = False,
        tls: bool = False,
        timers: tuple[int, int] = (50, 500),
    ) -> None:
        heartbeat, election = timers
        options = ["--heartbeat-interval", str(heartbeat), "--election-timeout", str(election), *args]
        if not fsync:
            options.append("--unsafe-no-fsync")
        self.members = [Member(f"m{number}", folder, options, tls) for number in range(members)]

    @classmethod
    @contextlib.contextmanager
    def temporary(
        cls,
        members: int = 1,
        *,
        args: Sequence[str] = (),
        fsync: bool = False,
        tls: bool = False,
        timers: tuple[int, int] = (50, 500),
    ) -> Iterator[Cluster]:
        """A running cluster, gone at the end; the test is skipped where there is no etcd."""
        required()
        folder = Path(tempfile.mkdtemp(prefix="quidditch-etcd-"))
        cluster = cls(folder, members, args=args, fsync=fsync, tls=tls, timers=timers)
        try:
            cluster.start()
            yield cluster
        finally:
            for member in cluster.members:
                member.kill()
            shutil.rmtree(folder, ignore_errors=True)

    @property
    def endpoints(self) -> list[str]:
        return [member.address for member in self.members]

    def start(self) -> None:
        """All members, until each knows a leader."""
        for member in self.members:
            member.spawn(self.members)
        for member in self.members:
            self.wait_for(member)

    def restart(self, member: Member) -> None:
        """A member that was killed or stopped, on its folder and ports."""
        member.spawn(self.members)
        self.wait_for(member)

    def wait_for(self, member: Member, timeout: float = 60.0) -> None:
        deadline = time.monotonic() + timeout
        while not member.healthy():
            if time.monotonic() > deadline:
                raise RuntimeError(f"etcd {member.name} is not healthy after {timeout} s: {member.tail()}")
            time.sleep(0.01)
