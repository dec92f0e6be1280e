"""A node: its object, its heartbeat, and what happens to it in tests."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import os

from tools.kube.api import MERGE, STRATEGIC, Api, Refused, Thing, Unreachable
from tools.kube.kubelet.status import now

STATES = ("up", "paused", "down", "off")
_BEAT_SECONDS = 2.0
_LEASE_SECONDS = 40


class Node:
    """`up`; `paused`: its kubelet says nothing more, its pods run on; `down`: its pods are cut off as well, and run on unheard;
    `off`: its pods' processes are killed, as by a loss of power."""

    def __init__(self, name: str, zone: str, address: str, version: str) -> None:
        self.name, self.zone, self.address, self.version = name, zone, address, version
        self.allocatable = {
            "cpu": str(max(8, os.cpu_count() or 1)),
            "memory": "32Gi",
            "pods": "110",
            "ephemeral-storage": "100Gi",
        }
        self.state = "up"
        self.reachable = asyncio.Event()
        self.attached = asyncio.Event()
        self.powered = asyncio.Event()
        self.set_state("up")

    @property
    def connected(self) -> bool:
        return self.attached.is_set()

    def set_state(self, state: str) -> None:
        self.state = state
        for event, states in ((self.reachable, ("up",)), (self.attached, ("up", "paused")), (self.powered, STATES[:3])):
            if state in states:
                event.set()
            else:
                event.clear()

    async def run(self, api: Api) -> None:
        """Registers the node and renews its lease until cancelled."""
        beats = 0
        while True:
            await self.reachable.wait()
            with contextlib.suppress(Unreachable, Refused):
                await self._renew(api)
                # What the controllers think of it after it was away is looked at now and then only.
                if beats % 3 == 0:
                    await self._tell(api)
                beats += 1
            await asyncio.sleep(_BEAT_SECONDS)

    async def register(self, api: Api) -> None:
        labels = {
            "kubernetes.io/hostname": self.name,
            "kubernetes.io/os": "linux",
            "kubernetes.io/arch": {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine),
            "topology.kubernetes.io/zone": self.zone,
            "topology.kubernetes.io/region": "local",
        }
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": self.name, "labels": labels}}
        await api.create("/api/v1/nodes", node | {"spec": {"providerID": f"local://{self.name}"}})
        await self._tell(api)
        await self._renew(api)

    async def _tell(self, api: Api) -> None:
        node = await api.call("GET", f"/api/v1/nodes/{self.name}")
        held = {each["type"]: each["status"] for each in node.get("status", {}).get("conditions", [])}
        if held.get("Ready") != "True":
            await api.call("PATCH", f"/api/v1/nodes/{self.name}/status", {"status": self._status()}, STRATEGIC)

    async def _renew(self, api: Api) -> None:
        path = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
        time = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec = {"holderIdentity": self.name, "leaseDurationSeconds": _LEASE_SECONDS, "renewTime": time}
        try:
            await api.call("PATCH", f"{path}/{self.name}", {"spec": spec}, MERGE)
        except Refused as refused:
            if refused.status != 404:
                raise
            lease: Thing = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": self.name}}
            await api.call("POST", path, lease | {"spec": spec})

    def _status(self) -> Thing:
        fine = [
            ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
            ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
            ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
            ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
        ]
        keys = ("type", "status", "reason", "message")
        times = {"lastHeartbeatTime": now(), "lastTransitionTime": now()}
        addresses = [{"type": "InternalIP", "address": self.address}, {"type": "Hostname", "address": self.name}]
        info = dict.fromkeys(("machineID", "systemUUID", "bootID"), self.name)
        info |= {"kernelVersion": os.uname().release, "osImage": "processes", "containerRuntimeVersion": "process://1"}
        info |= {"kubeletVersion": self.version, "kubeProxyVersion": "", "operatingSystem": "linux"}
        return {
            "capacity": self.allocatable,
            "allocatable": self.allocatable,
            "addresses": addresses,
            "conditions": [dict(zip(keys, each, strict=True)) | times for each in fine],
            "nodeInfo": info | {"architecture": "amd64" if os.uname().machine == "x86_64" else os.uname().machine},
        }
