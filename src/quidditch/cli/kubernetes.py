"""What an operator adds to a node: a candidate for the lead on a store of custom resources, and what only Kubernetes needs besides."""

from __future__ import annotations

from quidditch.cli.candidacy import Candidacy, Endings, Place
from quidditch.cli.config import ConfigError
from quidditch.cli.stores import kubernetes_client, open_kubernetes
from quidditch.datanode.folder import DataFolder
from quidditch.lib.clock import SystemClock
from quidditch.model.objects import Cluster
from quidditch.operator.indices import Indices
from quidditch.operator.nodes import Nodes
from quidditch.store import api


async def stand(place: Place) -> Endings:
    """Becomes a candidate. Raises :class:`ConfigError`."""
    lease_seconds = place.config.milliseconds("kubernetes.lease_duration") / 1000
    client, namespace = kubernetes_client(place.config, place.metrics)
    try:
        store = await open_kubernetes(client, namespace)
        await _check(store, place.folder)
        candidacy = await Candidacy.open(place, store, lease_seconds)
    except BaseException:
        await client.close()
        raise
    indices = Indices(candidacy.leader, client, namespace, SystemClock())
    nodes = Nodes(candidacy.leader, client, namespace, SystemClock())
    for part in (indices, nodes):
        part.start()
    return [indices.stop, nodes.stop, *candidacy.endings(), store.close, client.close]


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
