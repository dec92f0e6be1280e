"""Opens the store that a configuration names: etcd, a namespace of Kubernetes, or the SQLite file of an embedded node."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from quidditch.cli import transport
from quidditch.cli.addresses import joined
from quidditch.cli.config import Config, ConfigError
from quidditch.datanode.folder import DataFolder, FolderError
from quidditch.lib.metrics import Metrics
from quidditch.store import api
from quidditch.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from quidditch.lib.kube.client import Client
    from quidditch.store.etcd import Credentials, Tls
    from quidditch.store.etcd.members import Members

QUORUM_SECONDS = 120.0
"""How long a starting master waits for the others' etcd, and an operator for the API server."""
STATE_FILE = "cluster.sqlite"


def tls_files(config: Config) -> dict[str, str]:
    """The files of etcd's TLS: `ca`, `cert`, `key`. A master's own etcd has those of its transport unless others are named.

    Raises :class:`ConfigError`.
    """
    files = {part: config[f"raft.tls.{part}"] for part in transport.PARTS if config[f"raft.tls.{part}"]}
    return files or ({} if config.words("raft.endpoints") else transport.tls_files(config))


def own_endpoint(config: Config) -> str:
    """Where the etcd of a master with this configuration is reached by clients. Raises :class:`ConfigError`."""
    client = joined(transport.publish_host(config), config.number("raft.client_port"))
    return f"https://{client}" if tls_files(config) else client


def open_members(config: Config, endpoints: Sequence[str]) -> Members:
    """Raises :class:`ConfigError`."""
    from quidditch.store.etcd.members import Members

    try:
        return Members(endpoints, _tls(config), _credentials(config))
    except (ValueError, OSError) as error:
        raise ConfigError(f"etcd at {', '.join(endpoints)} cannot be used: {error}") from None


def _tls(config: Config) -> Tls | None:
    from quidditch.store import etcd

    files = {part: Path(path) for part, path in tls_files(config).items()}
    return etcd.Tls(**files) if files else None


def _credentials(config: Config) -> Credentials | None:
    """Raises :class:`ConfigError`."""
    from quidditch.store import etcd

    user, password = config["raft.username"], config["raft.password"]
    if bool(user) != bool(password):
        raise ConfigError("[raft.username] and [raft.password] go together")
    return etcd.Credentials(user, password) if user else None


async def open_etcd(
    config: Config, endpoints: Sequence[str], patience: float = QUORUM_SECONDS, metrics: Metrics | None = None
) -> api.Store:
    """Waits for a quorum of etcd, `patience` seconds: the other masters may start later. Raises :class:`ConfigError`."""
    from quidditch.store import etcd

    deadline = asyncio.get_running_loop().time() + patience
    credentials = _credentials(config)
    while True:
        try:
            return await etcd.open(
                endpoints,
                prefix=f"/quidditch/{config['cluster.name']}",
                tls=_tls(config),
                credentials=credentials,
                metrics=metrics,
            )
        except api.Unavailable as error:
            if asyncio.get_running_loop().time() > deadline:
                raise ConfigError(f"etcd at {', '.join(endpoints)} does not answer: {error}") from None
            await asyncio.sleep(0.1)
        except (api.StoreError, ValueError, OSError) as error:
            raise ConfigError(f"etcd at {', '.join(endpoints)} cannot be used: {error}") from None


def kubernetes_client(config: Config, metrics: Metrics | None = None) -> tuple[Client, str]:
    """A client of the API server that the configuration, a kubeconfig or the pod names, and the cluster's namespace.

    Raises :class:`ConfigError`.
    """
    from quidditch.lib.kube import errors
    from quidditch.lib.kube.client import Client
    from quidditch.lib.kube.config import load
    from quidditch.lib.kube.limits import RateLimit

    file = config["kubernetes.kubeconfig"]
    limits = config.number("kubernetes.qps"), config.number("kubernetes.burst")
    try:
        found = load(os.environ, Path(file) if file else None, config["kubernetes.context"])
        limit = RateLimit(*limits)
    except (errors.ConfigError, ValueError) as error:
        raise ConfigError(f"[controlPlane.mode] is k8s, but there is no way to the API server: {error}") from None
    return Client(found, limit=limit, metrics=metrics), config["kubernetes.namespace"] or found.namespace


async def open_kubernetes(client: Client, namespace: str, patience: float = QUORUM_SECONDS) -> api.Store:
    """The custom resources of a namespace; waits for the API server, `patience` seconds. The client is closed with the store, or when there
    is none. Raises :class:`ConfigError`.
    """
    from quidditch.store.kubernetes.store import open

    deadline = asyncio.get_running_loop().time() + patience
    try:
        while True:
            try:
                return await open(client, namespace, closes_client=True)
            except api.Unavailable as error:
                if asyncio.get_running_loop().time() > deadline:
                    raise ConfigError(f"the API server does not answer: {error}") from None
                await asyncio.sleep(0.5)
            except api.StoreError as error:
                raise ConfigError(f"the namespace [{namespace}] cannot be used: {error}") from None
    except BaseException:
        await client.close()
        raise


@contextlib.asynccontextmanager
async def opened_folder(path: Path) -> AsyncIterator[api.Store]:
    """The state of an embedded node, to be read; the node may run. Raises :class:`ConfigError`."""
    file = _state_file(path)
    if not file.exists():
        raise ConfigError(f"there is no state of a cluster in {path}: {STATE_FILE} is missing")
    store = await SqliteStore.open(file)
    try:
        yield store
    finally:
        await store.close()


@contextlib.asynccontextmanager
async def opened_to_fill(path: Path, uuid: str) -> AsyncIterator[api.Store]:
    """The state of an embedded node that does not run, to be filled with that of the cluster `uuid`. Raises :class:`ConfigError`."""
    file = _state_file(path)
    try:
        folder = DataFolder(path)
    except FolderError as error:
        raise ConfigError(str(error)) from None
    try:
        known = folder.cluster_uuid
        if known and known != uuid:
            raise ConfigError(f"{path} belongs to the cluster with the uuid {known}, the backup is of {uuid}")
        store = await SqliteStore.open(file)
        try:
            yield store
        finally:
            await store.close()
    finally:
        folder.close()


def _state_file(path: Path) -> Path:
    if (path / "etcd").exists():
        raise ConfigError(f"{path} is the folder of a master, whose state is in etcd: name that by --endpoints")
    return path / STATE_FILE
