"""One pod's life on its node: volumes, sandbox, init containers, containers, its end; and the status that tells of it."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
from pathlib import Path
from typing import Protocol

from tools.kube.api import STRATEGIC, Api, Refused, Thing, Unreachable
from tools.kube.kubelet.containers import Keeper
from tools.kube.kubelet.images import Image, repository
from tools.kube.kubelet.node import Node
from tools.kube.kubelet.sandbox import Sandbox
from tools.kube.kubelet.spec import NotYet
from tools.kube.kubelet.status import Container, now, pod_status
from tools.kube.kubelet.tokens import Tokens
from tools.kube.kubelet.volumes import Volumes
from tools.kube.network import Network

_AGAIN_SECONDS = 0.5
_REFRESH_SECONDS = 30.0


class Host(Protocol):
    """What a pod needs of its kubelet."""

    api: Api
    network: Network
    images: dict[str, Image]
    folder: Path
    logs: Path

    def lookup(self, namespace: str, kind: str, name: str) -> Thing | None: ...
    def hosts(self, namespace: str) -> str: ...
    def event(self, pod: Thing, kind: str, reason: str, message: str) -> None: ...


class Pod:
    """`run` returns when the pod is gone from the API server and from this machine."""

    def __init__(self, host: Host, node: Node, pod: Thing) -> None:
        self.host, self.node, self.pod = host, node, pod
        self.uid: str = pod["metadata"]["uid"]
        self.namespace: str = pod["metadata"]["namespace"]
        self.name: str = pod["metadata"]["name"]
        spec = pod["spec"]
        self.containers = [Container(each, init=True) for each in spec.get("initContainers", [])]
        self.containers += [Container(each) for each in spec["containers"]]
        if any(each.init and not each.sidecar for each in self.containers):
            for each in self.containers:
                if not each.init:
                    each.state = {"waiting": {"reason": "PodInitializing"}}
        self.folder = host.folder / self.uid
        self.logs = host.logs / f"{self.namespace}_{self.name}"
        self.address = ""
        self.sandbox: Sandbox | None = None
        tokens = Tokens(host.api, pod)
        self.volumes = Volumes(
            self.folder / "volumes",
            lambda kind, name: host.lookup(self.namespace, kind, name),
            tokens.get,
            node.allocatable,
        )
        self.keepers = {each.name: Keeper(self, each) for each in self.containers}
        self._began = now()
        self._dirty = asyncio.Event()
        self._deleted = asyncio.Event()
        self._gone = False
        self._sent: Thing | None = None

    @property
    def policy(self) -> str:
        return str(self.pod["spec"].get("restartPolicy", "Always"))

    def update(self, pod: Thing) -> None:
        """What the API server has now."""
        self.pod = pod
        if "deletionTimestamp" in pod["metadata"]:
            self._deleted.set()

    def vanish(self) -> None:
        """The API server has it no more."""
        self._gone = True
        self._deleted.set()

    def changed(self) -> None:
        """The status is to be reported."""
        self._dirty.set()

    def _status(self) -> Thing:
        return pod_status(self.pod, self.containers, self.address, self.node.address, self._began)

    def as_it_runs(self) -> Thing:
        """The pod with the status of this moment, for fields that containers ask for."""
        return self.pod | {"status": self.pod.get("status", {}) | self._status()}

    def image(self, reference: str) -> Image | None:
        return self.host.images.get(reference) or self.host.images.get(repository(reference))

    def write_hosts(self) -> None:
        """Names and addresses as they are now."""
        etc = self.folder / "etc"
        if not etc.is_dir():
            return
        own = f"{self.address} {self.sandbox.hostname if self.sandbox else self.name}\n"
        text = self.host.hosts(self.namespace) + own
        for alias in self.pod["spec"].get("hostAliases", []):
            text += f"{alias['ip']} {' '.join(alias.get('hostnames', []))}\n"
        file = etc / "hosts"
        if not file.exists() or file.read_text() != text:
            (etc / "hosts.new").write_text(text)
            (etc / "hosts.new").replace(file)

    async def refresh(self) -> None:
        """Brings volumes up to date with what they are made of."""
        if self.sandbox is not None and not self._deleted.is_set():
            with contextlib.suppress(NotYet, Refused, Unreachable):
                await self.volumes.prepare(self.as_it_runs())

    async def run(self) -> None:
        reporting = asyncio.create_task(self._report())
        refreshing = asyncio.create_task(self._refresh_now_and_then())
        living = asyncio.create_task(self._live())
        try:
            await self._deleted.wait()
            living.cancel()
            await asyncio.gather(living, return_exceptions=True)
            await self._terminate()
        finally:
            for task in (living, reporting, refreshing):
                task.cancel()
            await asyncio.gather(living, reporting, refreshing, return_exceptions=True)
            await self._clear()
            shutil.rmtree(self.folder, ignore_errors=True)
        if not self._gone:
            await self._confirm()

    async def _live(self) -> None:
        self.changed()
        await self._prepare()
        sidecars: list[asyncio.Task[None]] = []
        try:
            await self._keep_all(sidecars)
        finally:
            for task in sidecars:
                task.cancel()
            await asyncio.gather(*sidecars, return_exceptions=True)
        # A pod that is deleted ends its containers in `_terminate`, with the grace that the deletion gives.
        if not self._deleted.is_set():
            await self._end_sidecars(float(self.pod["spec"].get("terminationGracePeriodSeconds", 30)))
            await self._clear()
            self.changed()

    async def _keep_all(self, sidecars: list[asyncio.Task[None]]) -> None:
        """Until those that end have ended, or one that had to come first has failed; sidecars are left to the caller."""
        for container in [each for each in self.containers if each.init]:
            keeping = asyncio.create_task(self.keepers[container.name].keep())
            if container.sidecar:
                sidecars.append(keeping)
                await self.keepers[container.name].has_started.wait()
                continue
            await _joined(keeping)
            if container.exit_code != 0:
                return
        mains = [each for each in self.containers if not each.init]
        await _joined(*(asyncio.create_task(self.keepers[each.name].keep()) for each in mains))

    async def _prepare(self) -> None:
        reported = ""
        while True:
            await self.node.powered.wait()
            try:
                if self.sandbox is None:
                    await self._make_sandbox()
                await self.volumes.prepare(self.as_it_runs())
                return
            except (NotYet, Refused, Unreachable, OSError) as error:
                if str(error) != reported:
                    reported = str(error)
                    self.host.event(self.pod, "Warning", "FailedMount", reported)
                await asyncio.sleep(_AGAIN_SECONDS)

    async def _make_sandbox(self) -> None:
        (self.folder / "etc").mkdir(parents=True, exist_ok=True)
        self.logs.mkdir(parents=True, exist_ok=True)
        # Nobody listens there: a name that is not in the hosts file is refused at once.
        (self.folder / "etc" / "resolv.conf").write_text("nameserver 127.0.0.1\n")
        hostname = self.pod["spec"].get("hostname") or self.name
        sandbox = Sandbox(self.host.network, self.host.network.take(), hostname[:63], self.folder)
        try:
            await sandbox.start()
        except BaseException:
            await sandbox.stop()
            raise
        self.sandbox, self.address = sandbox, sandbox.address
        if not self.node.connected:
            await self.host.network.switch(self.address, False)
        self.write_hosts()
        self.changed()

    async def switch(self, on: bool) -> None:
        """Pulls the pod's plug, or puts it back."""
        if self.sandbox is not None:
            await self.host.network.switch(self.address, on)

    def kill(self) -> None:
        """SIGKILL for every container."""
        for keeper in self.keepers.values():
            keeper.signal(signal.SIGKILL)

    async def _terminate(self) -> None:
        metadata = self.pod["metadata"]
        grace = 1.0 if self._gone else float(metadata.get("deletionGracePeriodSeconds", 30))
        mains = [self.keepers[each.name] for each in self.containers if not each.sidecar]
        for keeper in mains:
            if keeper.runs:
                self.host.event(self.pod, "Normal", "Killing", f"Stopping container {keeper.container.name}")
        await asyncio.gather(*(keeper.stop(grace) for keeper in mains))
        await self._end_sidecars(min(grace, 5.0))

    async def _end_sidecars(self, grace: float) -> None:
        for each in reversed([each for each in self.containers if each.sidecar]):
            await self.keepers[each.name].stop(grace)

    async def _clear(self) -> None:
        for keeper in self.keepers.values():
            keeper.signal(signal.SIGKILL)
        if self.sandbox is not None:
            await self.sandbox.stop()
            self.sandbox = None

    async def _refresh_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(_REFRESH_SECONDS)
            await self.refresh()

    def _path(self, below: str = "") -> str:
        return f"/api/v1/namespaces/{self.namespace}/pods/{self.name}{below}"

    async def _report(self) -> None:
        while True:
            await self._dirty.wait()
            await self.node.reachable.wait()
            self._dirty.clear()
            status = self._status()
            if status != self._sent and not await self._send(status):
                await asyncio.sleep(_AGAIN_SECONDS)
                self._dirty.set()

    async def _patch_status(self, status: Thing) -> Thing:
        body = {"metadata": {"uid": self.uid}, "status": status}
        return await self.host.api.call("PATCH", self._path("/status"), body, STRATEGIC)

    async def _send(self, status: Thing) -> bool:
        try:
            self.pod = await self._patch_status(status)
        except Refused as refused:
            return refused.status in (404, 409)
        except Unreachable:
            return False
        self._sent = status
        if "deletionTimestamp" in self.pod["metadata"]:
            self._deleted.set()
        return True

    async def _confirm(self) -> None:
        """Nothing of the pod runs any more: tells how it ended, and lets the API server forget it."""
        for each in self.containers:
            if "terminated" not in each.state and not each.last:
                each.terminate(
                    137, "ContainerStatusUnknown", "The container could not be located when the pod was terminated"
                )
        status = self._status()
        bad = any(each.exit_code not in (None, 0) for each in self.containers if not each.init)
        if status["phase"] in ("Pending", "Running"):
            status["phase"] = "Failed" if bad else "Succeeded"
        while not self._gone:
            await self.node.reachable.wait()
            try:
                await self._patch_status(status)
                options = {"gracePeriodSeconds": 0, "preconditions": {"uid": self.uid}}
                await self.host.api.call("DELETE", self._path(), options)
                return
            except Refused as refused:
                if refused.status in (404, 409):
                    return
            except Unreachable:
                pass
            await asyncio.sleep(_AGAIN_SECONDS)


async def _joined(*tasks: asyncio.Task[None]) -> None:
    """All of them; they end with whoever waits for them."""
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
