"""The pods' network: a bridge with a range of addresses of its own, and the range of cluster IPs answered on this machine.

The API server takes no loopback addresses in EndpointSlices, so that pods cannot live in 127.0.0.0/8. Nothing of this range leaves
the machine: there is no route out of the bridge and nothing is forwarded.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
from pathlib import Path

from tests.support.etcd import Missing

_NUMBERS = range(200, 240)
_TOOLS = ("ip", "nsenter", "unshare", "setpriv", "chroot", "mount")


def required() -> None:
    """Raises :class:`Missing` where pods cannot be run."""
    for tool in _TOOLS:
        if shutil.which(tool) is None:
            raise Missing(f"there is no `{tool}` on this machine")
    if os.geteuid() != 0:
        raise Missing("pods in namespaces need root")
    script = (
        'mount -t tmpfs t "$1" && cd "$1" && mkdir u w m && mount -t overlay o -o lowerdir=/,upperdir=u,workdir=w m'
    )
    tried = subprocess.run(
        ["unshare", "--mount", "--net", "--pid", "--fork", "sh", "-c", script, "sh", "/mnt"],
        capture_output=True,
        text=True,
    )
    if tried.returncode != 0:
        raise Missing(f"namespaces or overlays cannot be made: {tried.stderr.strip()}")


class Network:
    """10.N.0.0/16 on the bridge qkN; the upper sixteenth are the cluster IPs."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.bridge = f"qk{number}"
        self.gateway = f"10.{number}.0.1"
        self.services = f"10.{number}.240.0/20"
        self.kubernetes = f"10.{number}.240.1"
        self._next = 0
        self._taken: set[str] = set()

    @classmethod
    def make(cls) -> Network:
        """Raises :class:`Missing`. The bridge's name keeps two clusters apart; one that nobody owns any more is taken away."""
        required()
        for number in _NUMBERS:
            network = cls(number)
            network.bury()
            if re.search(rf"\b10\.{number}\.", _ip("-4", "route", "show", "table", "all")):
                continue
            if (
                subprocess.run(["ip", "link", "add", network.bridge, "type", "bridge"], capture_output=True).returncode
                == 0
            ):
                network._set_up()
                return network
        raise Missing("no range of addresses is free")

    def _set_up(self) -> None:
        _ip("link", "set", self.bridge, "alias", _identity(os.getpid()))
        _ip("addr", "add", f"{self.gateway}/17", "dev", self.bridge)
        _ip("link", "set", self.bridge, "up")
        _ip("route", "add", "local", self.services, "dev", "lo")

    def bury(self) -> None:
        """Takes away what a process left behind that is no more."""
        alias = Path(f"/sys/class/net/{self.bridge}/ifalias")
        try:
            owner = alias.read_text().strip()
        except OSError:
            return
        if owner and owner != _identity(int(owner.split(":")[0])):
            self.close()

    def close(self) -> None:
        subprocess.run(["ip", "link", "del", self.bridge], capture_output=True, check=False)
        subprocess.run(["ip", "route", "del", "local", self.services, "dev", "lo"], capture_output=True, check=False)

    def add_node(self, position: int) -> str:
        """The address of a node."""
        address = f"10.{self.number}.0.{10 + position}"
        _ip("addr", "add", f"{address}/32", "dev", self.bridge)
        return address

    def take(self) -> str:
        """An address for a pod; one that was given back comes again as late as possible."""
        while True:
            self._next = self._next % (126 * 256) + 1
            high, low = divmod(self._next, 256)
            address = f"10.{self.number}.{high + 1}.{low}"
            if low not in (0, 255) and address not in self._taken:
                self._taken.add(address)
                return address

    def give_back(self, address: str) -> None:
        self._taken.discard(address)

    def _device(self, address: str) -> str:
        _, _, high, low = address.split(".")
        return f"{self.bridge}-{int(high) * 256 + int(low)}"

    async def plug(self, address: str, pid: int) -> None:
        """Gives the network namespace of a process this address."""
        device = self._device(address)
        await _batch(
            [], f"link add {device} type veth peer name eth0 netns {pid}\nlink set {device} master {self.bridge} up\n"
        )
        inside = (
            f"link set lo up\naddr add {address}/17 dev eth0\nlink set eth0 up\nroute add default via {self.gateway}\n"
        )
        await _batch(["nsenter", "-t", str(pid), "-n"], inside)

    async def switch(self, address: str, on: bool) -> None:
        """Pulls the plug of a pod, or puts it back: nobody is told."""
        await _batch([], f"link set {self._device(address)} {'up' if on else 'down'}\n")


def _ip(*arguments: str) -> str:
    return subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True).stdout


async def _batch(prefix: list[str], commands: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *prefix, "ip", "-batch", "-", stdin=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate(commands.encode())
    if process.returncode != 0:
        raise OSError(f"ip: {errors.decode().strip()}")


def _identity(pid: int) -> str:
    """Names a process for good: its number may come again, not with the same start."""
    return f"{pid}:{started(pid)}"


def started(pid: int) -> str:
    """When a process started in clock ticks since boot; "" if there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""
