"""What an operator adds to a node: a candidate for the lead on a store of custom resources, and what only Kubernetes needs besides."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import structlog

from quidditch.cli.candidacy import Candidacy, Endings, Place
from quidditch.cli.config import Config, ConfigError
from quidditch.datanode.folder import DataFolder
from quidditch.lib.clock import SystemClock
from quidditch.lib.kube import config as kubeconfig
from quidditch.lib.kube import errors
from quidditch.lib.kube.client import Client
from quidditch.lib.kube.limits import RateLimit
from quidditch.model.objects import Cluster
from quidditch.operator.indices import Indices
from quidditch.operator.nodes import Nodes
from quidditch.store import api
from quidditch.store.kubernetes import store as kubernetes

_log = structlog.get_logger(__name__)
_PATIENCE_SECONDS = 120.0
"""How long a starting operator waits for the API server."""
_POLL_SECONDS = 0.5


async def stand(place: Place) -> Endings:
    """Becomes a candidate. Raises :class:`ConfigError`."""
    config = place.config
    client = open_client(config, place)
    namespace = config["kubernetes.namespace"] or client.namespace
    try:
        store = await _opened(client, namespace)
        await _check(store, place.folder)
        candidacy = await Candidacy.open(place, store, config.milliseconds("kubernetes.lease_duration") / 1000)
    except BaseException:
        await client.close()
        raise
    indices = Indices(candidacy.leader, client, namespace, SystemClock())
    nodes = Nodes(candidacy.leader, client, namespace, SystemClock())
    for part in (indices, nodes):
        part.start()
    return [indices.stop, nodes.stop, *candidacy.endings(), store.close, client.close]


def open_client(config: Config, place: Place) -> Client:
    """A client of the API server that the configuration, a kubeconfig or the pod names. Raises :class:`ConfigError`."""
    try:
        file = config["kubernetes.kubeconfig"]
        found = kubeconfig.load(os.environ, Path(file) if file else None, config["kubernetes.context"])
        limit = RateLimit(config.number("kubernetes.qps"), config.number("kubernetes.burst"))
    except (errors.ConfigError, ValueError) as error:
        raise ConfigError(f"[controlPlane.mode] is k8s, but there is no way to the API server: {error}") from None
    return Client(found, limit=limit, metrics=place.metrics)


async def _opened(client: Client, namespace: str) -> api.Store:
    deadline = asyncio.get_running_loop().time() + _PATIENCE_SECONDS
    while True:
        try:
            return await kubernetes.open(client, namespace)
        except api.Unavailable as error:
            if asyncio.get_running_loop().time() > deadline:
                raise ConfigError(f"the API server does not answer: {error}") from None
            await asyncio.sleep(_POLL_SECONDS)
        except api.StoreError as error:
            raise ConfigError(f"the namespace [{namespace}] cannot be used: {error}") from None


async def _check(store: api.Store, folder: DataFolder) -> None:
    """An operator whose folder belongs to a cluster serves no other. Raises :class:`ConfigError`."""
    known = folder.cluster_uuid
    if not known:
        return
    try:
        cluster = await store.get("Cluster", Cluster.NAME)
    except api.NotFound:
        raise ConfigError(
            f"the namespace knows no cluster, but {folder.path} belongs to the one with the uuid {known}: empty the folder to begin anew"
        ) from None
    assert isinstance(cluster, Cluster)
    if cluster.spec.uuid != known:
        raise ConfigError(
            f"{folder.path} belongs to the cluster with the uuid {known}, the namespace to {cluster.spec.uuid}"
        )
