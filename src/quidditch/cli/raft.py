"""Puts a node of a cluster of many together: a transport, the way to the leader, and on masters etcd and a candidate for the lead."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from quidditch.cli.addresses import joined
from quidditch.cli.compose import CHECKS, Parts, assemble, node_spec
from quidditch.cli.config import Config, ConfigError
from quidditch.cli.etcd_member import EtcdMember, Plan, find_binary, parse_peers
from quidditch.cli.membership import Membership, admit, promote
from quidditch.cli.stores import QUORUM_SECONDS, open_etcd, open_members, own_endpoint, tls_files
from quidditch.cli.transport import host, listen, open_transport, publish_host, renewed_tls
from quidditch.controlplane import telemetry
from quidditch.controlplane.core import fault_detection, voting
from quidditch.controlplane.leader import Leader
from quidditch.controlplane.remote import RemoteControl
from quidditch.controlplane.rival import Rivals
from quidditch.controlplane.service import ControlService
from quidditch.datanode.folder import DataFolder
from quidditch.datanode.gauge import Gauge
from quidditch.lib.clock import SystemClock
from quidditch.lib.ids import RandomIds
from quidditch.lib.metrics import Metrics
from quidditch.model.objects import Cluster, Object
from quidditch.model.state import ClusterState
from quidditch.store import api
from quidditch.transport.connection import Silence
from quidditch.transport.tcp import TcpTransport

_log = structlog.get_logger(__name__)

JOIN_SECONDS = 2.0
"""How long a starting node waits for the cluster before it answers requests with what it has."""
_RESTORE_POLL_SECONDS = 0.2
_LEASE_SECONDS = 5.0


async def open_raft(config: Config, folder: DataFolder, http_address: str) -> Parts:
    """Joins the cluster, on a master also as a candidate. Raises :class:`ConfigError`."""
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
    master = None
    if "cluster_manager" in config.roles:
        master = await _Master.open(config, folder, transport, address, metrics, state)
    seeds = [*config.words("discovery.seed_hosts"), *([address] if master else [])]
    if not seeds:
        raise ConfigError("[discovery.seed_hosts] must name at least one master, as host:port of its transport")
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
    endings: list[Callable[[], Awaitable[None]]] = [gauge.stop, node.data.close, control.stop]
    endings += master.endings() if master is not None else []
    return Parts(node, [*endings, transport.close, *([tls.stop] if tls is not None else [])])


def _silence(get: fault_detection.Get) -> Silence:
    checks = fault_detection.follower_checks(get)
    return Silence(checks.ping, checks.gone)


@dataclass(slots=True)
class _Master:
    """What a master has besides: the store, the candidate, the service, and its own etcd unless another is named."""

    etcd: EtcdMember | None
    store: api.Store
    leader: Leader
    service: ControlService
    membership: Membership
    rivals: Rivals

    @classmethod
    async def open(
        cls,
        config: Config,
        folder: DataFolder,
        transport: TcpTransport,
        address: str,
        metrics: Metrics,
        state: Callable[[], ClusterState],
    ) -> _Master:
        etcd, endpoints = await _etcd(config, folder)
        try:
            store = await open_etcd(config, endpoints, metrics=metrics)
            await _check_bootstrap(config, store, folder)
        except BaseException:
            if etcd is not None:
                await etcd.stop()
            raise
        clock = SystemClock()
        checks = fault_detection.Current(fault_detection.leader_checks, lambda: state().settings)
        rivals = Rivals(transport, clock, checks)
        leader = Leader(
            store,
            cluster_name=config["cluster.name"],
            holder=f"{folder.node_id}@{address}",
            clock=clock,
            ids=RandomIds(),
            checks=CHECKS,
            lease_seconds=_LEASE_SECONDS,
            standby=True,
            copies=True,
            gone=rivals.gone,
            may_lead=lambda: voting.may_lead(state(), folder.node_id),
            metrics=metrics,
            aside=asyncio.to_thread,
        )
        service = ControlService(leader, transport, clock, address, known_leader=rivals.address)
        metrics.source(lambda: [*telemetry.of_leader(leader), *telemetry.of_service(service)])
        service.start()
        await leader.start()
        members = open_members(config, endpoints) if etcd is not None else None
        membership = Membership(leader, members, etcd, state, folder.node_id)
        membership.start()
        return cls(etcd, store, leader, service, membership, rivals)

    def endings(self) -> list[Callable[[], Awaitable[None]]]:
        stop_etcd = [self.etcd.stop] if self.etcd is not None else []
        return [
            self.membership.stop,
            self.service.stop,
            self.leader.stop,
            self.rivals.stop,
            self.store.close,
            *stop_etcd,
        ]


async def _etcd(config: Config, folder: DataFolder) -> tuple[EtcdMember | None, list[str]]:
    """The member of this master, started, and where to reach etcd."""
    external = config.words("raft.endpoints")
    if external:
        return None, external
    published = publish_host(config)
    peers = parse_peers(config.words("raft.peers"))
    name = config.node_name
    if peers and name not in peers:
        raise ConfigError(f"[raft.peers] does not name this node, [{name}] (node.name)")
    data = folder.path / "etcd"
    if folder.cluster_uuid and not data.exists():
        raise ConfigError(
            f"{data} is missing, but the folder belongs to the cluster with the uuid {folder.cluster_uuid}: starting would make a "
            "second cluster; bring the data back, or empty the whole folder and join as a new master"
        )
    port = config.number("raft.client_port")
    tls = tls_files(config)
    if tls and len(tls) != 3:
        raise ConfigError("[raft.tls.ca], [raft.tls.cert] and [raft.tls.key] go together")
    plan = Plan(
        binary=find_binary(config["raft.etcd"]),
        name=name,
        folder=data,
        host=host(config),
        client=joined(published, port),
        peer=peers.get(name, joined(published, port + 1)),
        peers=peers,
        token=config["cluster.name"],
        heartbeat_ms=config.milliseconds("raft.heartbeat_interval"),
        election_ms=config.milliseconds("raft.election_timeout"),
        tls=tls,
    )
    if config.words("raft.join"):
        return await _joined(config, plan), [own_endpoint(config)]
    member = EtcdMember(plan)
    await member.start()
    return member, [own_endpoint(config)]


async def _joined(config: Config, plan: Plan) -> EtcdMember:
    """The member, added to the running ones that `raft.join` names; started again, it goes on where it was."""
    if plan.peers:
        raise ConfigError("[raft.join] is for a cluster that runs, [raft.peers] for a new one: set one of them")
    members = open_members(config, config.words("raft.join"))
    try:
        if not plan.folder.exists():
            peers = await admit(members, plan.name, plan.peer_url, QUORUM_SECONDS)
            plan = dataclasses.replace(plan, peers=peers, joins=True)
        member = EtcdMember(plan)
        await member.start()
        try:
            await promote(members, plan.peer_url, QUORUM_SECONDS)
        except BaseException:
            await member.stop()
            raise
        return member
    finally:
        await members.close()


async def _check_bootstrap(config: Config, store: api.Store, folder: DataFolder) -> None:
    """A master that belonged to a cluster neither founds another nor joins one; one that awaits a restore founds none.

    Raises :class:`ConfigError`.
    """
    known = folder.cluster_uuid
    cluster = await _restored(store) if config.flag("raft.await_restore") else await _cluster(store)
    if cluster is None and known:
        raise ConfigError(
            f"etcd knows no cluster, but {folder.path} belongs to the one with the uuid {known}: restore its state "
            "(quidditch state restore), or empty the folder to begin anew"
        )
    if cluster is None and _in_part((await store.list()).objects):
        raise ConfigError("etcd holds a state that is restored in part: run the same `quidditch state restore` again")
    if cluster is not None and known and cluster.spec.uuid != known:
        raise ConfigError(f"{folder.path} belongs to the cluster with the uuid {known}, etcd to {cluster.spec.uuid}")


def _in_part(objects: Sequence[Object]) -> bool:
    """Whether there are objects of no cluster. Another master may have founded one just now: that comes first."""
    return bool(objects) and not any(isinstance(obj, Cluster) for obj in objects)


async def _cluster(store: api.Store) -> Cluster | None:
    try:
        cluster = await store.get("Cluster", Cluster.NAME)
    except api.NotFound:
        return None
    assert isinstance(cluster, Cluster)
    return cluster


async def _restored(store: api.Store) -> Cluster:
    """Waits until the store holds a cluster."""
    told = False
    while True:
        try:
            cluster = await _cluster(store)
        except api.Unavailable as error:
            _log.warning("etcd does not answer", error=str(error))
            cluster = None
        if cluster is not None:
            return cluster
        if not told:
            print("etcd holds no cluster; waiting for `quidditch state restore`", flush=True)
            told = True
        await asyncio.sleep(_RESTORE_POLL_SECONDS)
