"""What an operator adds to a node: a candidate for the lead on a store of custom resources, and what only Kubernetes needs besides."""

from __future__ import annotations

from quidditch.cli.bootstrap import check, cluster_in
from quidditch.cli.candidacy import Candidacy, Endings, Place
from quidditch.cli.stores import kubernetes_client, open_kubernetes
from quidditch.lib.clock import SystemClock
from quidditch.operator.indices import Indices
from quidditch.operator.nodes import Nodes


async def stand(place: Place) -> Endings:
    """Becomes a candidate. Raises :class:`ConfigError`."""
    lease_seconds = place.config.milliseconds("kubernetes.lease_duration") / 1000
    client, namespace = kubernetes_client(place.config, place.metrics)
    store = await open_kubernetes(client, namespace)
    try:
        await check(store, await cluster_in(store), place.folder, f"the namespace [{namespace}]")
        candidacy = await Candidacy.open(place, store, lease_seconds)
    except BaseException:
        await store.close()
        raise
    indices = Indices(candidacy.leader, client, namespace, SystemClock())
    nodes = Nodes(candidacy.leader, candidacy.service.silences, client, namespace, SystemClock())
    for part in (indices, nodes):
        part.start()
    return [indices.stop, nodes.stop, *candidacy.endings(), store.close]
