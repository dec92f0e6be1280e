"""A cluster of real processes on this machine, for trying things: started, killed, started again, looked at.

All of it lives in one folder: `cluster.json` names the nodes and their ports, each node has a data folder and a log.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import ssl
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from quidditch.cli.access import Access
from quidditch.cli.config import ConfigError, load
from quidditch.cli.guard import tls_files

HOST = "127.0.0.1"
ROLES = ("master", "data", "coordinator")
FIRST_PORT = 9200
"""Below the ports that the system gives to outgoing connections: a node that ended finds its own free again."""
_START_SECONDS = 120.0
_STOP_SECONDS = 40.0


class ClusterProblem(Exception):
    """What cannot be done; the message is one sentence for the user."""


@dataclass(slots=True)
class Member:
    """One node: its command (master, data, coordinator), address, ports, and the pid it was started with last. One that `joins` was
    added to the running cluster.
    """

    name: str
    role: str
    http: int
    transport: int
    etcd: int = 0
    pid: int = 0
    joins: bool = False
    host: str = HOST
    tls: bool = False

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.http}"


class LocalCluster:
    """The nodes that `cluster.json` in `folder` names."""

    def __init__(self, folder: Path, members: Sequence[Member]) -> None:
        self.folder = folder
        self.members = list(members)

    @classmethod
    def create(
        cls, folder: Path, masters: int, data: int, coordinators: int, first_port: int = FIRST_PORT
    ) -> LocalCluster:
        """Chooses names and ports that are free now, from `first_port` on; nothing runs yet. Raises :class:`ClusterProblem`."""
        if cls.is_in(folder):
            raise ClusterProblem(f"there is a cluster in {folder} already")
        if masters < 1 or data < 0 or coordinators < 0:
            raise ClusterProblem("a cluster has at least one master")
        if masters % 2 == 0:
            raise ClusterProblem(f"{masters} masters survive no more losses than {masters - 1}: take 1, 3 or 5")
        counts = (("master", masters), ("data", data), ("coordinator", coordinators))
        ports = _free_ports(first_port)
        members = [
            Member(f"{role}-{number}", role, next(ports), next(ports), next(ports) if role == "master" else 0)
            for role, count in counts
            for number in range(1, count + 1)
        ]
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ClusterProblem(f"cannot use {folder}: {error.strerror}") from None
        cluster = cls(folder, members)
        cluster.save()
        return cluster

    @staticmethod
    def is_in(folder: Path) -> bool:
        return (folder / "cluster.json").exists()

    @classmethod
    def load(cls, folder: Path) -> LocalCluster:
        file = folder / "cluster.json"
        try:
            return cls(folder, [Member(**member) for member in json.loads(file.read_bytes())["members"]])
        except FileNotFoundError:
            raise ClusterProblem(f"there is no cluster in {folder}; `quidditch cluster up` starts one") from None
        except (ValueError, KeyError, TypeError) as error:
            raise ClusterProblem(f"{file} is damaged: {error}") from None

    def save(self) -> None:
        temporary = self.folder / "cluster.json.tmp"
        temporary.write_text(json.dumps({"members": [asdict(member) for member in self.members]}, indent=1))
        temporary.replace(self.folder / "cluster.json")

    def check_counts(self, counts: Mapping[str, int | None]) -> None:
        """Raises :class:`ClusterProblem` if there are other numbers of nodes than `counts` says by role (None: any)."""
        for role, wanted in counts.items():
            have = sum(member.role == role for member in self.members)
            if wanted not in (None, have):
                raise ClusterProblem(
                    f"the cluster in {self.folder} has {have} {role} nodes, not {wanted}; `quidditch cluster up --dir "
                    f"{self.folder}` alone goes on with it, `cluster add {role}` makes it larger, another --dir begins anew"
                )

    def add(self, role: str) -> Member:
        """Chooses name and ports of one more node, which is not started yet. Raises :class:`ClusterProblem`."""
        if role not in ROLES:
            raise ClusterProblem(f"a node is a {', '.join(ROLES[:-1])} or {ROLES[-1]}, not a [{role}]")
        numbers = [int(each.name.rpartition("-")[2]) for each in self.members if each.role == role]
        ports = _free_ports(max(max(each.http, each.transport, each.etcd) for each in self.members) + 2)
        etcd = next(ports) if role == "master" else 0
        member = Member(f"{role}-{max(numbers, default=0) + 1}", role, next(ports), next(ports), etcd, joins=True)
        self.members.append(member)
        self.save()
        return member

    def __getitem__(self, name: str) -> Member:
        for member in self.members:
            if member.name == name:
                return member
        raise ClusterProblem(
            f"there is no node [{name}]; there are {', '.join(member.name for member in self.members)}"
        )

    # --- processes --------------------------------------------------------------------------------------------------

    def start(self, member: Member) -> None:
        """Starts the process unless it runs; does not wait for it."""
        if running(member):
            return
        masters = [each for each in self.members if each.role == "master"]
        command = [sys.executable, "-m", "quidditch.cli.main", member.role]
        command += ["--name", member.name, "--data-dir", str(self.folder / member.name)]
        command += ["--http-port", str(member.http), "--transport-port", str(member.transport)]
        command += ["--set", f"http.host={member.host}", "--set", f"transport.host={member.host}"]
        command += ["--seed-hosts", ",".join(f"{each.host}:{each.transport}" for each in masters)]
        if member.role == "master":
            command += ["--set", f"raft.client_port={member.etcd}"]
            if member.joins:
                others = [each for each in masters if each is not member and running(each)]
                command += ["--join", ",".join(f"{each.host}:{each.etcd}" for each in others)]
            else:
                first = [each for each in masters if not each.joins]
                command += ["--peers", ",".join(f"{each.name}={each.host}:{each.etcd + 1}" for each in first)]
        member.tls = _answers_by_tls()
        member.pid = _spawn(command, self.log(member))
        self.save()

    def log(self, member: Member) -> Path:
        return self.folder / f"{member.name}.log"

    def wait(
        self, members: Sequence[Member], timeout: float = _START_SECONDS, access: Access | None = None
    ) -> Iterator[Member]:
        """Each node once it answers and has joined. Raises :class:`ClusterProblem` for one that ended or takes too long."""
        deadline = time.monotonic() + timeout
        left = list(members)
        while left:
            for member in list(left):
                if joined(member, access):
                    left.remove(member)
                    yield member
                elif (now := state(member)) != "running":
                    raise ClusterProblem(self._why_not(member, now))
            if left and time.monotonic() > deadline:
                names = ", ".join(member.name for member in left)
                raise ClusterProblem(f"no answer from {names} within {timeout:g} s; the logs are in {self.folder}")
            time.sleep(0.05)

    def _why_not(self, member: Member, now: str) -> str:
        if now == "stopped":
            return f"{member.name} is stopped by a signal; `quidditch cluster kill {member.name} --signal CONT` lets it go on"
        return f"{member.name} ended: {_tail(self.log(member))} (more in {self.log(member)})"

    def stop(self) -> None:
        """SIGTERM to all, data nodes and coordinators first; SIGKILL to who does not go."""
        for role in ("coordinator", "data", "master"):
            some = [member for member in self.members if member.role == role and running(member)]
            for member in some:
                with contextlib.suppress(ClusterProblem):  # it may end at any time
                    send(member, signal.SIGTERM)
                    send(member, signal.SIGCONT)  # one that is stopped would not hear it
            deadline = time.monotonic() + _STOP_SECONDS
            for member in some:
                while running(member):
                    if time.monotonic() > deadline:
                        with contextlib.suppress(ClusterProblem):
                            send(member, signal.SIGKILL)
                    time.sleep(0.02)


def _spawn(command: list[str], log: Path) -> int:
    """Starts a process of its own session, which outlives this one and shares no open files (a lock, say) with it; its pid."""
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    others = sorted(int(name) for name in os.listdir("/proc/self/fd") if int(name) > 2)
    files = [
        *((os.POSIX_SPAWN_CLOSE, number) for number in others),
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), append, 0o644),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    pid = os.posix_spawn(command[0], command, os.environ, file_actions=files, setsid=True)
    # For a moment the new process has no command line, by which it is known as this node's.
    while not _words(pid) and os.waitpid(pid, os.WNOHANG) == (0, 0):
        time.sleep(0.001)
    return pid


def running(member: Member) -> bool:
    """Whether the process lives: the pid is there, and it is still this node's."""
    if not member.pid:
        return False
    with contextlib.suppress(ChildProcessError):
        os.waitpid(member.pid, os.WNOHANG)  # one that this process started itself would stay behind as a zombie
    return member.name.encode() in _words(member.pid)


def state(member: Member) -> str:
    """`running`, `stopped` (by a signal) or `ended`."""
    if not running(member):
        return "ended"
    with contextlib.suppress(OSError, IndexError):
        if Path(f"/proc/{member.pid}/stat").read_text().rpartition(")")[2].split()[0] in ("T", "t"):
            return "stopped"
    return "running"


def _words(pid: int) -> list[bytes]:
    """The command line of a process; empty if it has ended."""
    try:
        return [word for word in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0") if word]
    except OSError:
        return []


def send(member: Member, number: int) -> None:
    """Sends a signal. Raises :class:`ClusterProblem` if the node does not run."""
    if not running(member):
        raise ClusterProblem(f"{member.name} does not run")
    os.kill(member.pid, number)


def joined(member: Member, access: Access | None = None) -> bool:
    """Whether the node answers and belongs to a cluster. Raises :class:`ClusterProblem` where it does not let in who asks, or where
    he does not trust it.
    """
    access = access or Access()
    try:
        with contextlib.closing(access.connection(member.url, timeout=5)) as connection:
            connection.request("GET", "/", headers=access.headers)
            response = connection.getresponse()
            body = json.loads(response.read())
            if response.status in (401, 429):
                raise ClusterProblem(f"{member.name}: {body['error']['reason']} (--user, --password)")
            return bool(body["cluster_uuid"] != "_na_")
    except ssl.SSLCertVerificationError as error:
        problem = f"the certificate of {member.name} is not trusted: {error.verify_message} (--cacert)"
        raise ClusterProblem(problem) from None
    except (OSError, http.client.HTTPException, ValueError, KeyError):
        return False


def _answers_by_tls() -> bool:
    """Whether nodes with the settings of this environment do. Raises :class:`ClusterProblem`."""
    try:
        return bool(tls_files(load(None, os.environ, {})))
    except ConfigError as error:
        raise ClusterProblem(str(error)) from None


def parse_signal(text: str) -> int:
    """A signal by name (`KILL`, `SIGSTOP`) or number. Raises :class:`ClusterProblem`."""
    name = text.upper()
    try:
        return int(text) if text.isdigit() else signal.Signals[name if name.startswith("SIG") else f"SIG{name}"]
    except KeyError:
        raise ClusterProblem(f"[{text}] is no signal") from None


def _free_ports(first: int) -> Iterator[int]:
    """Ports that are free now, each with the one after it. Raises :class:`ClusterProblem` when there are no more."""
    for port in range(first, 65535, 2):
        with socket.socket() as one, socket.socket() as two:
            try:
                one.bind((HOST, port))
                two.bind((HOST, port + 1))
            except OSError:
                continue
        yield port
    raise ClusterProblem(f"no free ports from {first} on")


def _tail(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1] if lines else "its log is empty"
