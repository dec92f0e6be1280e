"""Nodes on networks of their own, to cut them off as a broken switch does: nothing passes, and nobody is told.

Each node lives in a network namespace with an address of its own, by default of 127.9.0.0/24, all plugged into one bridge in a
namespace of its own, so that nothing of it is seen outside. Only the calling thread enters a namespace, with the processes and
threads that it starts from there.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

_NEW_NETWORK = 0x40000000
_HUB = "hub"


class Missing(Exception):
    """There are no network namespaces for this user on this machine."""


def required() -> None:
    """Raises :class:`Missing`."""
    if shutil.which("ip") is None:
        raise Missing("there is no `ip` (iproute2) on this machine")
    if os.geteuid() != 0:
        raise Missing("network namespaces need root")


class Networks:
    """`prefix` keeps the names of several apart; `subnet` begins every address."""

    def __init__(self, prefix: str, subnet: str) -> None:
        self._prefix = prefix
        self._subnet = subnet
        self._plugged: dict[str, str] = {}

    @classmethod
    @contextlib.contextmanager
    def temporary(cls, subnet: str = "127.9.0") -> Iterator[Networks]:
        """Raises :class:`Missing`."""
        required()
        networks = cls(f"q{os.getpid()}", subnet)
        try:
            networks._make()
            yield networks
        finally:
            for name in (*networks._plugged, _HUB):
                subprocess.run(["ip", "netns", "del", networks._space(name)], check=False, capture_output=True)

    def _make(self) -> None:
        try:
            _ip("netns", "add", self._space(_HUB))
            self._in(_HUB, "link", "add", "name", "bridge0", "type", "bridge")
        except subprocess.CalledProcessError as error:
            raise Missing(f"network namespaces cannot be made: {error.stderr.strip()}") from None
        self._settle(_HUB, "bridge0", f"{self._subnet}.254")

    def plug(self, node: str) -> str:
        """A network for one more node; its address."""
        number = len(self._plugged) + 1
        space, port = self._space(node), f"port{number}"
        _ip("netns", "add", space)
        self._plugged[node] = port
        self._in(_HUB, "link", "add", "name", port, "type", "veth", "peer", "name", "eth0", "netns", space)
        self._in(_HUB, "link", "set", port, "master", "bridge0", "up")
        address = f"{self._subnet}.{number}"
        self._settle(node, "eth0", address)
        return address

    def _settle(self, name: str, device: str, address: str) -> None:
        """Gives a device an address of those that only this machine uses; the kernel lets them out where it is told so."""
        with self.inside(name):
            for each in ("all", device):
                Path(f"/proc/sys/net/ipv4/conf/{each}/route_localnet").write_text("1")
        self._in(name, "link", "set", "lo", "up")
        self._in(name, "addr", "add", "127.0.0.1/32", "dev", "lo")
        self._in(name, "addr", "del", "127.0.0.1/8", "dev", "lo")
        self._in(name, "addr", "add", f"{address}/24", "dev", device)
        self._in(name, "link", "set", device, "up")

    @contextlib.contextmanager
    def inside(self, name: str = _HUB) -> Iterator[None]:
        """This thread is in the network of a node, or in the middle of all."""
        with open("/proc/thread-self/ns/net") as before, open(f"/run/netns/{self._space(name)}") as there:
            _enter(there.fileno())
            try:
                yield
            finally:
                _enter(before.fileno())

    def cut(self, node: str) -> None:
        """From now on nothing passes between this node and the others, in either direction."""
        self._in(_HUB, "link", "set", self._plugged[node], "nomaster")

    def mend(self, node: str) -> None:
        self._in(_HUB, "link", "set", self._plugged[node], "master", "bridge0")

    def part(self, one: str, other: str) -> None:
        """From now on nothing passes between these two; all others reach both."""
        for here, there in ((one, other), (other, one)):
            nobody = ["lladdr", "02:00:00:00:00:01", "nud", "permanent"]
            self._in(here, "neigh", "replace", self._address(there), *nobody, "dev", "eth0")

    def join(self, one: str, other: str) -> None:
        for here, there in ((one, other), (other, one)):
            self._in(here, "neigh", "del", self._address(there), "dev", "eth0")

    def _address(self, node: str) -> str:
        return f"{self._subnet}.{self._plugged[node].removeprefix('port')}"

    def _space(self, name: str) -> str:
        return f"{self._prefix}-{name}"

    def _in(self, name: str, *arguments: str) -> None:
        _ip("-n", self._space(name), *arguments)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


def _enter(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, _NEW_NETWORK) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
