"""A pod's processes: a sandbox that holds its network, and containers on a root folder of their own.

A container sees the machine's files through an overlay, so that what it writes beside its volumes stays its own and is gone with it.
Its first process is number 1 of a process namespace: everything it started ends with it. All end when the kubelet does.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.kube.network import Network

_WITH_PARENT = ("setpriv", "--pdeathsig", "KILL")
# The first child is number 1 of the new process namespace. The shell tells its exit code, also of one that a signal ended, for which
# `unshare --fork` has no reliable answer; what it says about that is nothing of the container's.
_FIRST = 'exec 3>&2 2>/dev/null; (exec setpriv --pdeathsig KILL -- sh "$1" 2>&3 3>&-); exit $?'
_DISKS = ("ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "overlay", "9p", "virtiofs", "fuse", "nfs", "nfs4")
_HIDDEN = ("/proc", "/sys", "/dev", "/run", "/tmp")


@dataclass(frozen=True)
class Mount:
    """A folder or file of this machine at a path of the container."""

    source: Path
    path: str
    read_only: bool = False


@dataclass(frozen=True)
class User:
    """Whom a container's processes run as."""

    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()
    no_new_privileges: bool = False

    def command(self) -> list[str]:
        """What a command is begun with, to be run as this user. A change of the user forgets whose death ends it."""
        if self == User():
            return []
        groups = ["--groups", ",".join(map(str, self.groups))] if self.groups else ["--clear-groups"]
        more = ["--no-new-privs"] if self.no_new_privileges else []
        return ["setpriv", f"--reuid={self.uid}", f"--regid={self.gid}", *groups, *more, "--pdeathsig", "KILL", "--"]


class Sandbox:
    """The network, host name and folder that the containers of a pod share."""

    def __init__(self, network: Network, address: str, hostname: str, folder: Path) -> None:
        self._network = network
        self.address = address
        self.hostname = hostname
        self.folder = folder
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        """Raises OSError."""
        script = 'hostname "$1" && echo ready && exec sleep infinity'
        command = [*_WITH_PARENT, "--", "unshare", "--net", "--ipc", "--uts", "sh", "-c", script, "sh", self.hostname]
        self._process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, start_new_session=True
        )
        assert self._process.stdout is not None
        if await self._process.stdout.readline() != b"ready\n":
            raise OSError("the sandbox cannot be started")
        await self._network.plug(self.address, self.pid)

    async def stop(self) -> None:
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        self._network.give_back(self.address)

    async def run(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        mounts: Sequence[Mount],
        *,
        work: str = "/",
        read_only: bool = False,
        user: User = User(),
        log: Path,
    ) -> Running:
        """Starts a container. Raises OSError."""
        root = self.folder / "roots" / name
        root.mkdir(parents=True, exist_ok=True)
        script = self.folder / f"{name}.sh"
        script.write_text(_script(root, self.folder / "etc", mounts, command, work, read_only, user))
        outer = [*_WITH_PARENT, "--", "nsenter", "-t", str(self.pid), "--net", "--ipc", "--uts"]
        outer += ["unshare", "--mount", "--propagation", "private", "--pid", "sh", "-c", _FIRST, "sh", str(script)]
        with log.open("ab") as out:
            process = await asyncio.create_subprocess_exec(
                *outer,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=dict(environment),
                start_new_session=True,
            )
        running = Running(process)
        await running.begun()
        return running


class Running:
    """A container's process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = 0

    async def begun(self) -> None:
        """Until it has its own root folder, or has ended."""
        here = os.stat("/")
        while self._process.returncode is None:
            self.pid = self.pid or _child(self._process.pid)
            with contextlib.suppress(OSError):
                root = os.stat(f"/proc/{self.pid}/root") if self.pid else here
                if (root.st_dev, root.st_ino) != (here.st_dev, here.st_ino):
                    return
            await asyncio.sleep(0.005)

    async def ended(self) -> int:
        """Its exit code, 128 and the signal's number for one that a signal ended."""
        code = await self._process.wait()
        return 128 - code if code < 0 else code

    def signal(self, number: signal.Signals) -> None:
        if self._process.returncode is None and self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    async def execute(self, command: Sequence[str], environment: Mapping[str, str], timeout: float) -> tuple[int, str]:
        """Runs a command in the container: its exit code and what it printed. Raises TimeoutError."""
        inside = [
            "nsenter",
            "-t",
            str(self.pid),
            "-m",
            "-n",
            "-p",
            "-i",
            "-u",
            f"--root=/proc/{self.pid}/root",
            f"--wd=/proc/{self.pid}/cwd",
        ]
        process = await asyncio.create_subprocess_exec(
            *_WITH_PARENT, "--", *inside, "--", *command,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            env=dict(environment), start_new_session=True,
        )  # fmt: skip
        try:
            output, _ = await asyncio.wait_for(process.communicate(), timeout)
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        return process.returncode or 0, output.decode(errors="replace").strip()


def _child(pid: int) -> int:
    """The process that the shell forked; 0 before that."""
    with contextlib.suppress(OSError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(children[0]) if children else 0
    return 0


def _script(
    root: Path, etc: Path, mounts: Sequence[Mount], command: Sequence[str], work: str, read_only: bool, user: User
) -> str:
    quoted = shlex.quote
    base, inside = quoted(str(root)), quoted(str(root / "root"))
    lines = ["set -e", f"mount -t tmpfs -o mode=755 none {base}", f"mkdir {base}/upper {base}/work {inside}"]
    lines.append(f"mount -t overlay -o lowerdir=/,upperdir={base}/upper,workdir={base}/work none {inside}")
    if user.uid:
        # Programs may lie in somebody's home, which only the copy in the overlay lets others pass.
        lines += [f"chmod a+x {inside}{quoted(path)}" for path in _ways()]
    lines += [f"mount --bind {quoted(path)} {inside}{quoted(path)}" for path in _disks()]
    if not any(path.startswith("/tmp/") for path in (sys.prefix, str(Path(__file__)))):
        lines.append(f"mount -t tmpfs -o mode=1777 none {inside}/tmp")
    lines += [
        f"mount -t proc none {inside}/proc",
        f"mount --rbind /dev {inside}/dev",
        f"mount --rbind /sys {inside}/sys",
    ]
    lines += _bind(Mount(etc, "/run/pod"), inside)
    for name in ("hosts", "resolv.conf"):
        lines += [f"rm -f {inside}/etc/{name}", f"ln -s /run/pod/{name} {inside}/etc/{name}"]
    for mount in sorted(mounts, key=lambda each: each.path):
        lines += _bind(mount, inside)
    lines.append(f"mkdir -p {inside}{quoted(os.path.realpath(work))}")
    if read_only:
        lines.append(f"mount -o remount,bind,ro {inside}")
    words = " ".join(quoted(word) for word in [*user.command(), "env", "-C", work, "--", *command])
    lines.append(f"exec chroot {inside} {words}")
    return "\n".join(lines) + "\n"


def _bind(mount: Mount, inside: str) -> list[str]:
    # A link on the way, as /var/run, would lead out of the root folder; what is below it begins as this machine's files.
    path = os.path.realpath(mount.path)
    source, target = shlex.quote(str(mount.source)), inside + shlex.quote(path)
    make = f"mkdir -p {target}"
    if mount.source.is_file():
        make = f"mkdir -p {inside}{shlex.quote(os.path.dirname(path))} && : >> {target}"
    bound = [make, f"mount --bind {source} {target}"]
    return [*bound, f"mount -o remount,bind,ro {target}"] if mount.read_only else bound


def _ways() -> list[str]:
    """The folders above this Python and this code."""
    ends = (Path(sys.prefix), Path(sys.base_prefix).resolve(), Path(__file__).resolve())
    return sorted({str(folder) for end in ends for folder in end.parents if folder != Path("/")})


def _disks() -> list[str]:
    """Where other file systems of this machine are, which an overlay over / leaves out."""
    found = []
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, path, kind, *_ = line.split()
        hidden = path == "/" or any(path == top or path.startswith(f"{top}/") for top in _HIDDEN)
        if kind.partition(".")[0] in _DISKS and not hidden and os.path.isdir(path):
            found.append(path)
    return found
