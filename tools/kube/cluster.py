"""The whole cluster in one supervising process: etcd, API server, controllers, scheduler and kubelet, with a socket to steer it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.etcd import binary
from tests.support.kube import NEEDED, ApiServer
from tests.support.process import Process

from tools.kube.api import Access, Api, Thing
from tools.kube.kubelet.images import table
from tools.kube.kubelet.kubelet import Kubelet
from tools.kube.kubelet.node import Node
from tools.kube.network import Network, started

BINARIES = (*NEEDED, "kube-controller-manager", "kube-scheduler")
SOCKET = "control"
PIDS = "pids.json"
INFO = "cluster.json"
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Options:
    """`zones` are dealt out to the nodes in turn. After `grace` seconds without a heartbeat a node is not ready, and after as many
    more its pods are evicted."""

    nodes: int = 3
    zones: Sequence[str] = ("a", "b", "c")
    grace: int = 10
    images: Path | None = None
    api_args: Sequence[str] = field(default=())


class Supervisor:
    """Runs a cluster in a folder until told to end."""

    def __init__(self, folder: Path, options: Options) -> None:
        self._folder = folder
        self._options = options
        self._network = Network.make()
        tolerated = [f"--default-{kind}-toleration-seconds={options.grace}" for kind in ("not-ready", "unreachable")]
        self.server = ApiServer(
            folder,
            args=[*tolerated, *options.api_args],
            subjects=[
                "kubernetes",
                "kubernetes.default",
                "kubernetes.default.svc.cluster.local",
                self._network.kubernetes,
            ],
            services=self._network.services,
        )
        common = [f"--kubeconfig={self.server.kubeconfig}", "--leader-elect=false", "--secure-port=0"]
        manager = [str(binary("kube-controller-manager")), *common, "--use-service-account-credentials"]
        manager += [f"--service-account-private-key-file={self.server.signing_key}", f"--root-ca-file={self.server.ca}"]
        manager += ["--node-monitor-period=1s", f"--node-monitor-grace-period={options.grace}s"]
        self.controllers = Process("kube-controller-manager", manager, folder)
        self.scheduler = Process("kube-scheduler", [str(binary("kube-scheduler")), *common], folder)
        self.kubelet: Kubelet | None = None
        self._end = asyncio.Event()

    async def run(self) -> None:
        """Returns when SIGTERM, SIGINT or `down` has ended it and everything that it started."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end.set)
        try:
            # From this thread, which outlives them: a process whose parent's thread is gone may be told so.
            self.server.start()
            self.controllers.spawn()
            self.scheduler.spawn()
            self._write_pids()
            await self._serve()
        finally:
            for process in (self.scheduler, self.controllers):
                process.kill()
            self.server.close()
            self._network.close()

    async def _serve(self) -> None:
        api = Api(Access(self.server.port, self.server.token, str(self.server.ca)))
        version = str((await api.call("GET", "/version"))["gitVersion"])
        nodes = []
        for number in range(self._options.nodes):
            zone = self._options.zones[number % len(self._options.zones)]
            nodes.append(Node(f"node-{number + 1}", zone, self._network.add_node(number), version))
        self.kubelet = Kubelet(
            api, self._network, self._folder, nodes, table(self._options.images), api_port=self.server.port
        )
        running = asyncio.create_task(self.kubelet.run())
        ending = asyncio.create_task(self._end.wait())
        control = await asyncio.start_unix_server(self._answer, self._folder / SOCKET)
        try:
            _replace(self._folder / INFO, {"bridge": self._network.number})
            await asyncio.wait({running, ending}, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                running.result()
        finally:
            control.close()
            for task in (running, ending):
                task.cancel()
            await asyncio.gather(running, ending, return_exceptions=True)
            api.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One line of JSON asks, one answers."""
        try:
            asked = json.loads(await reader.readline())
            answer = await self._do(asked["do"], asked)
        except (KeyError, ValueError, RuntimeError) as error:
            answer = {"error": str(error)}
        with contextlib.suppress(OSError):
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        writer.close()

    async def _do(self, what: str, asked: Thing) -> Thing:
        assert self.kubelet is not None
        if what == "status":
            return self.kubelet.status() | {"processes": self._pids()}
        if what == "node":
            await self.kubelet.set_node(asked["name"], asked["state"])
            return {}
        if what == "api":
            return await self._do_api(asked["action"])
        if what == "down":
            self._end.set()
            return {}
        raise ValueError(f"there is no such thing to do: '{what}'")

    async def _do_api(self, action: str) -> Thing:
        if action == "start":
            self.server.process.spawn()
            self._write_pids()
            await asyncio.to_thread(self.server.wait)
        elif action in ("kill", "stop", "pause", "resume"):
            await asyncio.to_thread(getattr(self.server, action))
        else:
            raise ValueError(f"the API server cannot be told to '{action}'")
        return {}

    def _pids(self) -> dict[str, int]:
        (member,) = self.server.etcd.members
        processes = {"etcd": member} | {
            each.name: each for each in (self.server.process, self.controllers, self.scheduler)
        }
        return {name: process.pid for name, process in processes.items() if process.running}

    def _write_pids(self) -> None:
        _replace(self._folder / PIDS, {name: [pid, started(pid)] for name, pid in self._pids().items()})


def _replace(file: Path, content: Thing) -> None:
    fresh = file.with_suffix(".new")
    fresh.write_text(json.dumps(content))
    fresh.chmod(0o600)
    fresh.replace(file)
