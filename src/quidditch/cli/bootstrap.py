"""Whether a candidate for the lead may begin on a store: with the cluster that its folder belongs to, or a new one where there is none."""

from __future__ import annotations

from quidditch.cli.config import ConfigError
from quidditch.datanode.folder import DataFolder
from quidditch.model.objects import Cluster
from quidditch.store import api


async def cluster_in(store: api.Store) -> Cluster | None:
    """The cluster that the store knows."""
    try:
        cluster = await store.get("Cluster", Cluster.NAME)
    except api.NotFound:
        return None
    assert isinstance(cluster, Cluster)
    return cluster


async def check(store: api.Store, cluster: Cluster | None, folder: DataFolder, where: str) -> None:
    """`cluster` is what the store knows, `where` names it. Raises :class:`ConfigError`."""
    known = folder.cluster_uuid
    if cluster is None and known:
        raise ConfigError(
            f"{where} knows no cluster, but {folder.path} belongs to the one with the uuid {known}: restore its state "
            "(quidditch state restore), or empty the folder to begin anew"
        )
    # Another candidate may have founded one just now, before these objects are read: that comes first.
    objects = (await store.list()).objects if cluster is None else ()
    if objects and not any(isinstance(obj, Cluster) for obj in objects):
        raise ConfigError(
            f"{where} holds a state that is restored in part: run the same `quidditch state restore` again"
        )
    if cluster is not None and known and cluster.spec.uuid != known:
        raise ConfigError(f"{folder.path} belongs to the cluster with the uuid {known}, {where} to {cluster.spec.uuid}")
