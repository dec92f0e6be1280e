"""A new store of every kind, for tests that all of them have to pass."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

from quidditch.lib.kube.client import Client
from quidditch.lib.kube.config import load as load_kubeconfig
from quidditch.store import api
from quidditch.store.etcd import open as open_etcd
from quidditch.store.kubernetes.store import open as open_kubernetes
from quidditch.store.memory import MemoryStore
from quidditch.store.sqlite import SqliteStore
from tests.support.crds import new_namespace
from tests.support.etcd import Cluster as Etcd
from tests.support.kube import ApiServer

HISTORY = 20
Make: TypeAlias = Callable[[Path], Awaitable[api.Store]]


async def memory(folder: Path) -> api.Store:  # noqa: ARG001
    return MemoryStore(history=HISTORY)


async def sqlite(folder: Path) -> api.Store:
    return await SqliteStore.open(folder / "store.sqlite", history=HISTORY)


def on_etcd(cluster: Etcd) -> Make:
    async def make(folder: Path) -> api.Store:
        return await open_etcd(cluster.endpoints, prefix=f"/contract/{folder}", history=HISTORY)

    return make


def on_kubernetes(server: ApiServer) -> Make:
    async def make(folder: Path) -> api.Store:  # noqa: ARG001
        client = Client(load_kubeconfig({}, server.kubeconfig))
        return await open_kubernetes(client, await new_namespace(client), closes_client=True)

    return make
