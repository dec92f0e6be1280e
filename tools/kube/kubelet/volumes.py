"""Folders of a pod's volumes. What comes of ConfigMaps, Secrets and tokens is swapped whole, as a kubelet does, while the pod runs."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from tools.kube.api import Thing
from tools.kube.kubelet.sandbox import Mount
from tools.kube.kubelet.spec import Lookup, NotYet, contents, expand, field, resource

Token = Callable[[Thing], Awaitable[str]]


class Volumes:
    """The volumes of one pod below a folder. `lookup` finds ConfigMaps, Secrets, claims and volumes by kind and name; `token` gets
    a service-account token as a projection asks for it."""

    def __init__(self, folder: Path, lookup: Lookup, token: Token, allocatable: Mapping[str, str]) -> None:
        self._folder = folder
        self._lookup = lookup
        self._token = token
        self._allocatable = allocatable

    async def prepare(self, pod: Thing) -> None:
        """Makes them, or brings them up to date. Raises :class:`NotYet`."""
        group = pod["spec"].get("securityContext", {}).get("fsGroup")
        for volume in pod["spec"].get("volumes", []):
            files = await self._files(pod, volume)
            if files is not None:
                write(self._folder / volume["name"], files, group)
            elif "emptyDir" in volume:
                self._empty(volume["name"])
            else:
                self._source(pod, volume)

    def mounts(self, pod: Thing, container: Thing, variables: Mapping[str, str]) -> list[Mount]:
        """What a container mounts. Raises :class:`NotYet`."""
        volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes", [])}
        made = []
        for mount in container.get("volumeMounts", []):
            volume = volumes[mount["name"]]
            source = self._source(pod, volume)
            below = mount.get("subPath") or expand(mount.get("subPathExpr", ""), variables)
            if below:
                source = (source / below).resolve()
                if not source.exists():
                    source.mkdir(parents=True)
            claim = volume.get("persistentVolumeClaim", {})
            made.append(Mount(source, mount["mountPath"], bool(mount.get("readOnly") or claim.get("readOnly"))))
        return made

    def _empty(self, name: str) -> Path:
        folder = self._folder / name
        if not folder.exists():
            folder.mkdir(parents=True)
            folder.chmod(0o777)
        return folder

    def _source(self, pod: Thing, volume: Thing) -> Path:
        if "hostPath" in volume:
            return Path(volume["hostPath"]["path"])
        claim = volume.get("persistentVolumeClaim", {}).get("claimName")
        if "ephemeral" in volume:
            claim = f"{pod['metadata']['name']}-{volume['name']}"
        if claim is None:
            return self._folder / str(volume["name"])
        found = self._lookup("PersistentVolumeClaim", claim)
        name = None if found is None else found["spec"].get("volumeName")
        bound = None if name is None else self._lookup("PersistentVolume", name)
        if bound is None:
            raise NotYet("ContainerCreating", f'persistentvolumeclaim "{claim}" is not bound')
        return Path((bound["spec"].get("local") or bound["spec"]["hostPath"])["path"])

    async def _files(self, pod: Thing, volume: Thing) -> dict[str, tuple[bytes, int]] | None:
        """Contents and modes by path; None for a volume that is a folder."""
        key = next((key for key in ("configMap", "secret", "downwardAPI", "projected") if key in volume), None)
        if key is None:
            return None
        files: dict[str, tuple[bytes, int]] = {}
        for source in volume[key].get("sources", []) if key == "projected" else [volume]:
            files |= await self._of_source(pod, source, volume[key].get("defaultMode", 0o644))
        return files

    async def _of_source(self, pod: Thing, source: Thing, mode: int) -> dict[str, tuple[bytes, int]]:
        if "serviceAccountToken" in source:
            wanted = source["serviceAccountToken"]
            return {wanted["path"]: ((await self._token(wanted)).encode(), mode)}
        if "downwardAPI" in source:
            return self._of_pod(pod, source["downwardAPI"], mode)
        kind, key = ("ConfigMap", "configMap") if "configMap" in source else ("Secret", "secret")
        return self._of_object(kind, source[key].get("name") or source[key]["secretName"], source[key], mode)

    def _of_object(self, kind: str, name: str, source: Thing, mode: int) -> dict[str, tuple[bytes, int]]:
        thing = self._lookup(kind, name)
        if thing is None:
            if source.get("optional"):
                return {}
            raise NotYet("ContainerCreating", f'{kind.lower()} "{name}" not found')
        data = contents(thing)
        if not source.get("items"):
            return {key: (value, mode) for key, value in data.items()}
        files = {}
        for item in source["items"]:
            if item["key"] in data:
                files[item["path"]] = (data[item["key"]], item.get("mode", mode))
            elif not source.get("optional"):
                raise NotYet("ContainerCreating", f"references non-existent {kind.lower()} key: {item['key']}")
        return files

    def _of_pod(self, pod: Thing, source: Thing, mode: int) -> dict[str, tuple[bytes, int]]:
        files = {}
        for item in source.get("items", []):
            if "fieldRef" in item:
                text = field(pod, item["fieldRef"]["fieldPath"])
            else:
                text = resource(pod, {}, item["resourceFieldRef"], self._allocatable)
            files[item["path"]] = (text.encode(), item.get("mode", mode))
        return files


def write(folder: Path, files: Mapping[str, tuple[bytes, int]], group: int | None = None) -> None:
    """Makes the folder hold exactly these files, all at once: they are links below `..data`, which is swapped. The group may read."""
    data = folder / "..data"
    if data.exists() and _held(data.resolve()) == {path: content for path, (content, _) in files.items()}:
        return
    folder.mkdir(parents=True, exist_ok=True)
    old = data.resolve() if data.exists() else None
    version = folder / f"..{time.time_ns()}"
    version.mkdir()
    for path, (content, mode) in files.items():
        file = version / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        file.chmod(mode if group is None else mode | 0o440)
        if group is not None:
            os.chown(file, -1, group)
    link = folder / "..data_tmp"
    link.symlink_to(version.name)
    os.replace(link, data)
    tops = {path.partition("/")[0] for path in files}
    for top in tops:
        if not (folder / top).is_symlink():
            (folder / top).symlink_to(f"..data/{top}")
    for entry in folder.iterdir():
        if entry.is_symlink() and entry.name != "..data" and entry.name not in tops:
            entry.unlink()
    if old is not None:
        shutil.rmtree(old)


def _held(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
