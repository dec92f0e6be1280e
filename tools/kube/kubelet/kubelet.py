"""The kubelet of all nodes: which pods are whose, and what changes for them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

from tools.kube import names, proxy
from tools.kube.api import Api, Changed, Informer, Key, Refused, Thing, Unreachable, key_of
from tools.kube.kubelet.images import Image
from tools.kube.kubelet.node import STATES, Node
from tools.kube.kubelet.pod import Pod
from tools.kube.kubelet.provisioner import Provisioner
from tools.kube.kubelet.status import now
from tools.kube.network import Network
from tools.kube.proxy import Proxy

_LOG = logging.getLogger(__name__)
_PATHS = {
    "Pod": "/api/v1/pods",
    "Service": "/api/v1/services",
    "EndpointSlice": "/apis/discovery.k8s.io/v1/endpointslices",
    "ConfigMap": "/api/v1/configmaps",
    "Secret": "/api/v1/secrets",
    "PersistentVolumeClaim": "/api/v1/persistentvolumeclaims",
    "PersistentVolume": "/api/v1/persistentvolumes",
}


class Kubelet:
    """Also what a pod needs of its host. `folder` holds pods' folders, logs and volumes."""

    def __init__(
        self,
        api: Api,
        network: Network,
        folder: Path,
        nodes: Sequence[Node],
        images: Mapping[str, Image],
        api_port: int,
    ) -> None:
        self.api, self.network = api, network
        self.nodes = {node.name: node for node in nodes}
        self.images = dict(images)
        self.folder = folder / "pods"
        self.logs = folder / "logs"
        self.pods: dict[str, Pod] = {}
        self._proxy = Proxy({(network.kubernetes, 443): [("127.0.0.1", api_port)]})
        self._provisioner = Provisioner(api, folder / "volumes")
        self._informers: dict[str, Informer] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._routes = asyncio.Event()
        self._texts: dict[str, str] = {}

    async def run(self) -> None:
        """Until cancelled; then nothing runs any more."""
        self.logs.mkdir(parents=True, exist_ok=True)
        try:
            await self._proxy.update({})
            await self._provisioner.register()
            for node in self.nodes.values():
                await node.register(self.api)
                self._spawn(node.run(self.api), f"node {node.name}")
            self._spawn(self._route(), "routes")
            for kind, path in _PATHS.items():
                self._informers[kind] = Informer(self.api, path, self._handler(kind))
            self._spawn(self._provisioner.run(self._informers), "provisioner")
            await asyncio.Event().wait()
        finally:
            for informer in self._informers.values():
                informer.close()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self._proxy.close()

    def _spawn(self, coroutine: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(coroutine, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _LOG.error("%s ended", task.get_name(), exc_info=error)

    def _handler(self, kind: str) -> Changed:
        if kind == "Pod":
            return self._pod_changed
        if kind in ("Service", "EndpointSlice"):
            return lambda _old, _new: self._routes.set()
        if kind in ("ConfigMap", "Secret"):
            return self._source_changed
        return lambda _old, _new: self._provisioner.wake()

    def _pod_changed(self, old: Thing | None, new: Thing | None) -> None:
        thing = new or old
        assert thing is not None
        node = self.nodes.get(thing["spec"].get("nodeName", ""))
        if node is None or not node.reachable.is_set():
            return
        uid = thing["metadata"]["uid"]
        pod = self.pods.get(uid)
        if old is not None and new is not None and old["metadata"]["uid"] != new["metadata"]["uid"]:
            self._pod_changed(old, None)
        if new is None:
            if pod is not None:
                pod.vanish()
        elif pod is not None:
            relabelled = _described(pod.pod) != _described(new)
            pod.update(new)
            if relabelled:
                self._spawn(pod.refresh(), f"refresh {pod.name}")
        elif (
            new.get("status", {}).get("phase") not in ("Succeeded", "Failed") or "deletionTimestamp" in new["metadata"]
        ):
            pod = self.pods[uid] = Pod(self, node, new)
            pod.update(new)
            self._spawn(self._keep(pod), f"pod {pod.namespace}/{pod.name}")

    async def _keep(self, pod: Pod) -> None:
        try:
            await pod.run()
        finally:
            self.pods.pop(pod.uid, None)

    def _source_changed(self, old: Thing | None, new: Thing | None) -> None:
        namespace = key_of(new or old or {})[0]
        for pod in self.pods.values():
            if pod.namespace == namespace:
                self._spawn(pod.refresh(), f"refresh {pod.name}")

    async def _route(self) -> None:
        """Keeps the proxy and the hosts files in step with Services and EndpointSlices."""
        while True:
            await self._routes.wait()
            self._routes.clear()
            self._texts.clear()
            for pod in list(self.pods.values()):
                pod.write_hosts()
            await self._proxy.update(proxy.targets(self._items("Service"), self._items("EndpointSlice")))
            # What comes together is done together.
            await asyncio.sleep(0.02)

    def _items(self, kind: str) -> list[Thing]:
        informer = self._informers.get(kind)
        return [] if informer is None else list(informer.items.values())

    def lookup(self, namespace: str, kind: str, name: str) -> Thing | None:
        key: Key = ("" if kind == "PersistentVolume" else namespace, name)
        found = self._informers[kind].items.get(key)
        # Listings leave the kind of their items out.
        return None if found is None else found | {"kind": kind}

    def hosts(self, namespace: str) -> str:
        if namespace not in self._texts:
            self._texts[namespace] = names.hosts(namespace, self._items("Service"), self._items("EndpointSlice"))
        return self._texts[namespace]

    def event(self, pod: Thing, kind: str, reason: str, message: str) -> None:
        metadata = pod["metadata"]
        about = {"apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "namespace": metadata["namespace"]}
        event = {
            "metadata": {
                "name": f"{metadata['name'][:200]}.{uuid.uuid4().hex[:16]}",
                "namespace": metadata["namespace"],
            },
            "involvedObject": about | {"uid": metadata["uid"]},
            "type": kind,
            "reason": reason,
            "message": message[:1000],
            "source": {"component": "kubelet", "host": pod["spec"].get("nodeName", "")},
            "firstTimestamp": now(),
            "lastTimestamp": now(),
            "count": 1,
        }
        self._spawn(self._post(event), "event")

    async def _post(self, event: Thing) -> None:
        with contextlib.suppress(Refused, Unreachable):
            await self.api.call("POST", f"/api/v1/namespaces/{event['metadata']['namespace']}/events", event)

    async def set_node(self, name: str, state: str) -> None:
        """Raises KeyError for a node that there is not and ValueError for no state."""
        node = self.nodes[name]
        if state not in STATES:
            raise ValueError(f"no state of a node: '{state}'")
        was = node.connected
        node.set_state(state)
        pods = [pod for pod in self.pods.values() if pod.node is node]
        if state == "off":
            for pod in pods:
                pod.kill()
        if was != node.connected:
            await asyncio.gather(*(pod.switch(node.connected) for pod in pods))
        if state == "up":
            self._catch_up(node)

    def _catch_up(self, node: Node) -> None:
        """What the node has missed while it was away."""
        present = {thing["metadata"]["uid"] for thing in self._items("Pod")}
        for thing in self._items("Pod"):
            if thing["spec"].get("nodeName") == node.name:
                self._pod_changed(thing, thing)
        for pod in self.pods.values():
            if pod.node is node:
                if pod.uid not in present:
                    pod.vanish()
                pod.changed()

    def status(self) -> Thing:
        """What runs where: for people and tests."""
        pods = [
            {
                "namespace": pod.namespace,
                "name": pod.name,
                "node": pod.node.name,
                "address": pod.address,
                "logs": str(pod.logs),
                "pids": {name: keeper.pid for name, keeper in pod.keepers.items() if keeper.pid},
            }
            for pod in self.pods.values()
        ]
        nodes = {
            node.name: {"zone": node.zone, "state": node.state, "address": node.address} for node in self.nodes.values()
        }
        return {"nodes": nodes, "pods": sorted(pods, key=lambda each: (each["namespace"], each["name"]))}


def _described(pod: Thing) -> tuple[Thing, Thing]:
    return pod["metadata"].get("labels", {}), pod["metadata"].get("annotations", {})
