"""Puts a node of a cluster of many together: a transport, the way to the leader, and on some a candidate for the lead."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from quidditch.cli.candidacy import Endings, Place
from quidditch.cli.compose import Parts, assemble, node_spec
from quidditch.cli.config import Config, ConfigError
from quidditch.cli.transport import listen, open_transport, renewed_tls
from quidditch.controlplane.core import fault_detection
from quidditch.controlplane.remote import RemoteControl
from quidditch.datanode.folder import DataFolder
from quidditch.datanode.gauge import Gauge
from quidditch.lib.clock import SystemClock
from quidditch.lib.ids import RandomIds
from quidditch.lib.metrics import Metrics
from quidditch.model.state import ClusterState
from quidditch.transport.connection import Silence

Stand: TypeAlias = Callable[[Place], Awaitable[Endings]]
"""Makes the node at that place a candidate for the lead; gives what ends its parts."""

JOIN_SECONDS = 2.0
"""How long a starting node waits for the cluster before it answers requests with what it has."""


async def open_member(config: Config, folder: DataFolder, http_address: str, stand: Stand | None) -> Parts:
    """Joins the cluster; `stand` makes the node a candidate for its lead. Raises :class:`ConfigError`."""
    clock, ids, metrics = SystemClock(), RandomIds(), Metrics()
    control: RemoteControl | None = None

    def address_of(node: str) -> str | None:
        known = control.state.nodes.get(node) if control is not None else None
        return known.spec.transport_address if known is not None else None

    def state() -> ClusterState:
        return control.state if control is not None else ClusterState()

    tls = renewed_tls(config)
    silence = fault_detection.Current(_silence, lambda: state().settings)
    transport = open_transport(folder.node_id, lambda: folder.cluster_uuid, address_of, tls, silence)
    if tls is not None:
        tls.start()
    address = await listen(config, transport)
    standing: Endings = []
    if stand is not None:
        standing = await stand(Place(config, folder, transport, address, metrics, state))
    seeds = [*config.words("discovery.seed_hosts"), *([address] if stand is not None else [])]
    if not seeds:
        raise ConfigError(
            "[discovery.seed_hosts] must name at least one candidate for the lead, as host:port of its transport"
        )
    spec = node_spec(config, folder.node_id, http_address, address)
    control = RemoteControl(
        transport,
        spec,
        seeds,
        clock,
        ids,
        cluster=lambda: folder.cluster_uuid,
        joined=folder.join,
        load=lambda: gauge.load,
        held=folder.allocations.held,
        metrics=metrics,
    )
    node = assemble(config, folder, control, transport, http_address, metrics)
    node.extra["transport"] = transport
    gauge = Gauge(node.data, folder.path)
    gauge.start()
    if await control.start(JOIN_SECONDS):
        await node.data.settled(JOIN_SECONDS)
    renewing = [tls.stop] if tls is not None else []
    return Parts(node, [gauge.stop, node.data.close, control.stop, *standing, transport.close, *renewing])


def _silence(get: fault_detection.Get) -> Silence:
    checks = fault_detection.follower_checks(get)
    return Silence(checks.ping, checks.gone)
