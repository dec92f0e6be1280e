"""Real etcd processes for tests: one member or a cluster of three on free loopback ports, killed, paused and started again at will."""

from __future__ import annotations

import contextlib
import functools
import http.client
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.support.node import free_port
from tests.support.process import Process

_GET = Path(__file__).parents[2] / "tools" / "kube" / "get.sh"


class Missing(Exception):
    """What is needed is not there on this machine, and cannot be built."""


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


class Member(Process):
    """One etcd process; keeps its folder and ports when it is started again."""

    def __init__(self, name: str, folder: Path, args: Sequence[str] = (), tls: bool = False) -> None:
        self.client_port = free_port()
        self.peer_port = free_port()
        self.metrics_port = free_port()
        client = f"{'https' if tls else 'http'}://{self.address}"
        command = [str(binary()), "--name", name, "--data-dir", str(folder / name)]
        command += ["--listen-client-urls", client, "--advertise-client-urls", client]
        command += ["--listen-peer-urls", self.peer_url, "--initial-advertise-peer-urls", self.peer_url]
        # Health is asked there, so that it needs no certificate.
        command += ["--listen-metrics-urls", f"http://127.0.0.1:{self.metrics_port}"]
        super().__init__(name, [*command, "--logger", "zap", "--log-level", "warn", *args], folder)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.client_port}"

    @property
    def peer_url(self) -> str:
        return f"http://127.0.0.1:{self.peer_port}"

    def healthy(self) -> bool:
        """Whether it answers and knows a leader."""
        self.check()
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", self.metrics_port, timeout=2)
            with contextlib.closing(connection):
                connection.request("GET", "/health")
                return connection.getresponse().status == 200
        return False


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
        peers = ",".join(f"{member.name}={member.peer_url}" for member in self.members)
        for member in self.members:
            member.command += ["--initial-cluster", peers]

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
            member.spawn()
        for member in self.members:
            self.wait_for(member)

    def restart(self, member: Member) -> None:
        """A member that was killed or stopped, on its folder and ports."""
        member.spawn()
        self.wait_for(member)

    def wait_for(self, member: Member, timeout: float = 60.0) -> None:
        deadline = time.monotonic() + timeout
        while not member.healthy():
            if time.monotonic() > deadline:
                raise RuntimeError(f"etcd {member.name} is not healthy after {timeout} s: {member.tail()}")
            time.sleep(0.01)
