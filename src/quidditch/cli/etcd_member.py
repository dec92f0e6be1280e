"""A master's own etcd member: a child process, started with the cluster's first peers, watched, started again when it dies."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import shutil
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from quidditch.cli.config import ConfigError
from quidditch.reconcile.backoff import Backoff

_log = structlog.get_logger(__name__)
_STOP_SECONDS = 10.0
_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Plan:
    """How to run it: `client` and `peer` are how others reach it, on `host` it listens. `peers` are the first members of the cluster
    by name; `joins`: the cluster is there already.
    """

    binary: str
    name: str
    folder: Path
    host: str
    client: str
    peer: str
    peers: dict[str, str]
    token: str
    heartbeat_ms: int = 100
    election_ms: int = 1000
    joins: bool = False
    tls: dict[str, str] = field(default_factory=dict)

    @property
    def peer_url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.peer}"

    def _listening(self, address: str) -> str:
        """The address on this machine behind one that others dial. etcd binds to no names."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{address.rpartition(':')[2]}"

    def command(self) -> list[str]:
        """argv of etcd. Its own flags for the first start are passed over once it has data."""
        scheme = "https" if self.tls else "http"
        peers = self.peers or {self.name: self.peer}
        options = {
            "name": self.name,
            "data-dir": str(self.folder),
            "listen-client-urls": f"{scheme}://{self._listening(self.client)}",
            "advertise-client-urls": f"{scheme}://{self.client}",
            "listen-peer-urls": f"{scheme}://{self._listening(self.peer)}",
            "initial-advertise-peer-urls": f"{scheme}://{self.peer}",
            "initial-cluster": ",".join(f"{name}={scheme}://{address}" for name, address in peers.items()),
            "initial-cluster-token": self.token,
            "initial-cluster-state": "existing" if self.joins else "new",
            "heartbeat-interval": str(self.heartbeat_ms),
            "election-timeout": str(self.election_ms),
            "auto-compaction-retention": "0",
            "logger": "zap",
            "log-level": "warn",
        }
        if self.tls:
            options |= {
                "trusted-ca-file": self.tls["ca"],
                "cert-file": self.tls["cert"],
                "key-file": self.tls["key"],
                "peer-trusted-ca-file": self.tls["ca"],
                "peer-cert-file": self.tls["cert"],
                "peer-key-file": self.tls["key"],
                "client-cert-auth": "true",
                "peer-client-cert-auth": "true",
            }
        return [self.binary, *(f"--{name}={value}" for name, value in options.items())]


def find_binary(configured: str) -> str:
    """The configured etcd, the one on PATH, or the newest that `make etcd` has built. Raises :class:`ConfigError`."""
    if configured:
        if not os.access(configured, os.X_OK):
            raise ConfigError(f"[raft.etcd] is {configured}, which is no program")
        return configured
    found = shutil.which("etcd")
    if found:
        return found
    cache = Path(os.environ.get("QUIDDITCH_CACHE") or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    built = [path for path in (cache / "quidditch" / "bin").glob("etcd-*") if os.access(path, os.X_OK)]
    if built:
        return str(max(built, key=lambda path: path.stat().st_mtime))
    raise ConfigError(
        "a master needs etcd 3.5.21 or later: install it (the distribution's package, etcd's releases, or `make etcd` in a clone), "
        "name it by [raft.etcd], or name a running cluster by [raft.endpoints]"
    )


class EtcdMember:
    """The child. It dies with this process, however that ends."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._backoff = Backoff(0.1, 5.0)

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    async def start(self) -> None:
        """Raises :class:`ConfigError` if the program cannot be started at all."""
        self._process = await self._spawn()
        self._keeper = asyncio.create_task(self._keep(), name="etcd")

    async def stop(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), _STOP_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()

    async def _spawn(self) -> asyncio.subprocess.Process:
        command = self._plan.command()
        self._plan.folder.parent.mkdir(parents=True, exist_ok=True)
        log = self._plan.folder.with_suffix(".log").open("ab")
        try:
            return await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log, preexec_fn=_die_with_parent)
        except OSError as error:
            raise ConfigError(f"etcd ({self._plan.binary}) cannot be started: {error.strerror}") from None
        finally:
            log.close()

    async def _keep(self) -> None:
        """Starts it again whenever it ends."""
        while True:
            assert self._process is not None
            code = await self._process.wait()
            pause = self._backoff.failed("etcd")
            _log.error(
                "etcd ended", code=code, log=str(self._plan.folder.with_suffix(".log")), again_in=f"{pause:.1f} s"
            )
            await asyncio.sleep(pause)
            self._process = await self._spawn()


def parse_peers(words: Sequence[str]) -> dict[str, str]:
    """`name=host:port` each. Raises :class:`ConfigError`."""
    peers = {}
    for word in words:
        name, equals, address = word.partition("=")
        host, colon, port = address.rpartition(":")
        if not (name and equals and host and colon and port.isdigit()):
            raise ConfigError(f"[raft.peers] must be a list of name=host:port, not [{word}]")
        peers[name] = address
    return peers


def _die_with_parent() -> None:
    ctypes.CDLL(None, use_errno=True).prctl(_SET_PDEATHSIG, signal.SIGKILL)
