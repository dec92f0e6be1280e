"""A real cluster of masters and data nodes for tests: the processes of `quidditch cluster up`, driven from Python."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from quidditch.cli.local_cluster import LocalCluster, Member, joined, running, send
from tests.support import etcd
from tests.support.client import Client
from tests.support.netns import Networks

T = TypeVar("T")


def first_port() -> int:
    """Tests that run side by side have ports apart: those of a cluster are taken one by one as its processes start."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    return random.randrange(12_000, 15_000, 2) + 3_000 * (worker % 6)


class Running:
    """The processes of one cluster. Nodes are named as `quidditch cluster up` names them."""

    def __init__(self, cluster: LocalCluster, networks: Networks | None = None) -> None:
        self.cluster = cluster
        self.networks = networks

    @classmethod
    @contextlib.contextmanager
    def temporary(
        cls,
        masters: int = 3,
        data: int = 2,
        coordinators: int = 0,
        prepare: Callable[[Path], None] = lambda _folder: None,
        networks: Networks | None = None,
    ) -> Iterator[Running]:
        """`prepare` gets the folder that will hold a folder per node, before they are started. With `networks` each node has its own;
        who wants to reach them is inside (:meth:`Networks.inside`).
        """
        etcd.required()
        folder = Path(tempfile.mkdtemp(prefix="quidditch-cluster-"))
        cluster = LocalCluster.create(folder / "cluster", masters, data, coordinators, first_port())
        try:
            prepare(cluster.folder)
            running_cluster = cls(cluster, networks)
            for member in cluster.members if networks is not None else ():
                member.host = networks.plug(member.name)
            running_cluster.start(*(member.name for member in cluster.members))
            yield running_cluster
        finally:
            for member in cluster.members:
                if running(member):
                    send(member, signal.SIGCONT)
            cluster.stop()
            shutil.rmtree(folder, ignore_errors=True)

    def call(self, name: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and body of a request to one node."""
        client = Client(self.cluster[name].url)
        with contextlib.closing(client):
            answer = client.call(method, path, body)
            return answer.status, answer.json if answer.data else None

    def names(self, role: str) -> list[str]:
        return [member.name for member in self.cluster.members if member.role == role]

    def leader(self, asked: str = "data-1") -> str:
        """The master that leads, as the asked node says, once there is one that runs."""

        def found() -> str:
            _, rows = self.call(asked, "GET", "/_cat/cluster_manager?format=json")
            name = rows[0]["node"] if isinstance(rows, list) and rows else ""
            return name if name in self.names("master") and running(self.cluster[name]) else ""

        return until(found)

    def kill(self, name: str, with_signal: int = signal.SIGKILL) -> None:
        send(self.cluster[name], with_signal)
        if with_signal == signal.SIGKILL:
            until(lambda: not running(self.cluster[name]))

    def stop(self, name: str) -> None:
        """SIGTERM: the node takes leave."""
        send(self.cluster[name], signal.SIGTERM)
        until(lambda: not running(self.cluster[name]))

    def etcd_endpoints(self) -> list[str]:
        return [f"{member.host}:{member.etcd}" for member in self.cluster.members if member.etcd]

    def start(self, *names: str) -> None:
        members = [self.cluster[name] for name in names]
        for member in members:
            with contextlib.nullcontext() if self.networks is None else self.networks.inside(member.name):
                self.cluster.start(member)
        list(self.cluster.wait(members))

    def answers(self, name: str) -> bool:
        member: Member = self.cluster[name]
        return joined(member)


def until(condition: Callable[[], T], timeout: float = 60.0) -> T:
    """What the condition answers once that is true."""
    deadline = time.monotonic() + timeout
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"still {found!r} after {timeout:g} s"
        time.sleep(0.05)
