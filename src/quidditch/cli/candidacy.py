"""A candidate for the lead in a process of a cluster of many, on whatever store: the leader that it may become, what other nodes ask of
it, and its eye on rivals.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from quidditch.cli.compose import CHECKS
from quidditch.cli.config import Config
from quidditch.controlplane import telemetry
from quidditch.controlplane.core import fault_detection, voting
from quidditch.controlplane.leader import Leader
from quidditch.controlplane.rival import Rivals
from quidditch.controlplane.service import ControlService
from quidditch.datanode.folder import DataFolder
from quidditch.lib.clock import SystemClock
from quidditch.lib.ids import RandomIds
from quidditch.lib.metrics import Metrics
from quidditch.model.state import ClusterState
from quidditch.store import api
from quidditch.transport.tcp import TcpTransport

Endings: TypeAlias = Sequence[Callable[[], Awaitable[None]]]
"""What ends the parts of something, in this order."""

LEASE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Place:
    """The node that a candidate stands on: `address` is that of its transport, `state` the cluster's as the node knows it."""

    config: Config
    folder: DataFolder
    transport: TcpTransport
    address: str
    metrics: Metrics
    state: Callable[[], ClusterState]


@dataclass(frozen=True, slots=True)
class Candidacy:
    leader: Leader
    service: ControlService
    rivals: Rivals

    @classmethod
    async def open(cls, place: Place, store: api.Store, lease_seconds: float) -> Candidacy:
        """`lease_seconds` is how long others wait for a leader that is not heard of."""
        clock = SystemClock()
        checks = fault_detection.Current(fault_detection.leader_checks, lambda: place.state().settings)
        rivals = Rivals(place.transport, clock, checks)
        leader = Leader(
            store,
            cluster_name=place.config["cluster.name"],
            holder=f"{place.folder.node_id}@{place.address}",
            clock=clock,
            ids=RandomIds(),
            checks=CHECKS,
            lease_seconds=lease_seconds,
            standby=True,
            copies=True,
            gone=rivals.gone,
            may_lead=lambda: voting.may_lead(place.state(), place.folder.node_id),
            metrics=place.metrics,
            aside=asyncio.to_thread,
        )
        service = ControlService(leader, place.transport, clock, place.address, known_leader=rivals.address)
        place.metrics.source(lambda: [*telemetry.of_leader(leader), *telemetry.of_service(service)])
        service.start()
        await leader.start()
        return cls(leader, service, rivals)

    def endings(self) -> Endings:
        return [self.service.stop, self.leader.stop, self.rivals.stop]
