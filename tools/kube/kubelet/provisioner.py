"""Persistent volumes of the class `local`: folders of this machine, each on the node that its first pod was scheduled to."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping
from pathlib import Path

from tools.kube.api import MERGE, Api, Informer, Refused, Thing, Unreachable, key_of
from tools.kube.kubelet.spec import quantity

NAME = "quidditch.io/local"
CLASS = "local"
_AGAIN_SECONDS = 0.5
_SELECTED = "volume.kubernetes.io/selected-node"
_BY = "pv.kubernetes.io/provisioned-by"


class Provisioner:
    """Makes folders for claims, lets them grow, and deletes them with their volumes."""

    def __init__(self, api: Api, folder: Path) -> None:
        self._api = api
        self._folder = folder
        self._awake = asyncio.Event()

    def wake(self) -> None:
        self._awake.set()

    async def register(self) -> None:
        """The storage class, which is the default."""
        metadata = {"name": CLASS, "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}
        body: Thing = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": metadata}
        body |= {"provisioner": NAME, "reclaimPolicy": "Delete", "allowVolumeExpansion": True}
        path = "/apis/storage.k8s.io/v1/storageclasses"
        await self._api.create(path, body | {"volumeBindingMode": "WaitForFirstConsumer"})

    async def run(self, informers: Mapping[str, Informer]) -> None:
        """Until cancelled."""
        claims, volumes = informers["PersistentVolumeClaim"], informers["PersistentVolume"]
        await claims.synced.wait()
        await volumes.synced.wait()
        while True:
            self._awake.clear()
            try:
                for claim in list(claims.items.values()):
                    await self._serve(claim, volumes)
                for volume in list(volumes.items.values()):
                    await self._release(volume)
            except (Refused, Unreachable, OSError):
                await asyncio.sleep(_AGAIN_SECONDS)
                continue
            await self._awake.wait()

    async def _serve(self, claim: Thing, volumes: Informer) -> None:
        spec, metadata = claim["spec"], claim["metadata"]
        if spec.get("storageClassName") != CLASS or "deletionTimestamp" in metadata:
            return
        node = metadata.get("annotations", {}).get(_SELECTED)
        if not spec.get("volumeName"):
            if node and volumes.get("", f"pvc-{metadata['uid']}") is None:
                await self._provision(claim, node)
            return
        volume = volumes.get("", spec["volumeName"])
        if volume is not None and claim.get("status", {}).get("phase") == "Bound":
            await self._grow(claim, volume)

    async def _provision(self, claim: Thing, node: str) -> None:
        namespace, name = key_of(claim)
        uid = claim["metadata"]["uid"]
        folder = self._folder / f"{namespace}_{name}_{uid}"
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o777)
        expression = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
        reference = {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "name": name,
            "namespace": namespace,
            "uid": uid,
        }
        volume: Thing = {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": f"pvc-{uid}", "annotations": {_BY: NAME}},
            "spec": {
                "capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]},
                "accessModes": claim["spec"]["accessModes"],
                "storageClassName": CLASS,
                "persistentVolumeReclaimPolicy": "Delete",
                "claimRef": reference,
                "local": {"path": str(folder)},
                "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}},
            },
        }
        await self._api.create("/api/v1/persistentvolumes", volume)

    async def _grow(self, claim: Thing, volume: Thing) -> None:
        """A folder has no size: to grow is to say so."""
        wanted = claim["spec"]["resources"]["requests"]["storage"]
        namespace, name = key_of(claim)
        if quantity(wanted) > quantity(volume["spec"]["capacity"]["storage"]):
            body = {"spec": {"capacity": {"storage": wanted}}}
            await self._api.call("PATCH", f"/api/v1/persistentvolumes/{volume['metadata']['name']}", body, MERGE)
        if quantity(wanted) > quantity(claim["status"].get("capacity", {}).get("storage", "0")):
            status = {"status": {"capacity": {"storage": wanted}, "conditions": None}}
            path = f"/api/v1/namespaces/{namespace}/persistentvolumeclaims/{name}/status"
            await self._api.call("PATCH", path, status, MERGE)

    async def _release(self, volume: Thing) -> None:
        spec, metadata = volume["spec"], volume["metadata"]
        mine = (
            metadata.get("annotations", {}).get(_BY) == NAME and spec.get("persistentVolumeReclaimPolicy") == "Delete"
        )
        if not mine or volume.get("status", {}).get("phase") != "Released":
            return
        await asyncio.to_thread(shutil.rmtree, spec["local"]["path"], True)
        try:
            await self._api.call("DELETE", f"/api/v1/persistentvolumes/{metadata['name']}")
        except Refused as refused:
            if refused.status != 404:
                raise
