"""Puts a node of a cluster of many together: a transport, the way to the leader, and on masters etcd and a candidate for the lead."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from quidditch.cli.compose import CHECKS, Parts, assemble, node_spec
from quidditch.cli.config import Config, ConfigError
from quidditch.cli.etcd_member import EtcdMember, Plan, find_binary, parse_peers
from quidditch.cli.listen import transport_ports
from quidditch.controlplane import wire
from quidditch.controlplane.leader import Leader
from quidditch.controlplane.remote import RemoteControl
from quidditch.controlplane.rival import Rivals
from quidditch.controlplane.service import ControlService
from quidditch.datanode.folder import DataFolder
from quidditch.lib.clock import SystemClock
from quidditch.lib.ids import RandomIds
from quidditch.lib.metrics import Metrics
from quidditch.model.objects import Cluster
from quidditch.store import api
from quidditch.transport.tcp import TcpTransport

JOIN_SECONDS = 2.0
"""How long a starting node waits for the cluster before it answers requests with what it has."""
_STORE_SECONDS = 120.0
_LEASE_SECONDS = 5.0


async def open_raft(config: Config, folder: DataFolder, http_address: str) -> Parts:
    """Joins the cluster, on a master also as a candidate. Raises :class:`ConfigError`."""
    clock, ids, metrics = SystemClock(), RandomIds(), Metrics()
    control: RemoteControl | None = None

    def address_of(node: str) -> str | None:
        known = control.state.nodes.get(node) if control is not None else None
        return known.spec.transport_address if known is not None else None

    transport = TcpTransport(folder.node_id, lambda: folder.cluster_uuid, address_of)
    address = await _listen(config, transport)
    master = (
        await _Master.open(config, folder, transport, address, metrics) if "cluster_manager" in config.roles else None
    )
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
        load=lambda: _load(folder.path),
    )
    node = assemble(config, folder, control, http_address, metrics)
    if await control.start(JOIN_SECONDS):
        await node.data.settled(JOIN_SECONDS)
    endings: list[Callable[[], Awaitable[None]]] = [node.data.close, control.stop]
    endings += master.endings() if master is not None else []
    return Parts(node, [*endings, transport.close])


async def _listen(config: Config, transport: TcpTransport) -> str:
    host = config["transport.host"]
    for port in transport_ports(config):
        try:
            bound = await transport.listen(host, port)
        except OSError as error:
            problem = error.strerror or str(error)
            continue
        return f"{bound[0]}:{bound[1]}"
    raise ConfigError(f"cannot listen on {host}:{config['transport.port']} for other nodes (transport.port): {problem}")


def _load(path: Path) -> wire.Load:
    usage = shutil.disk_usage(path)
    return wire.Load(disk_total=usage.total, disk_free=usage.free)


@dataclass(slots=True)
class _Master:
    """What a master has besides: the store, the candidate, the service, and its own etcd unless another is named."""

    etcd: EtcdMember | None
    store: api.Store
    leader: Leader
    service: ControlService

    @classmethod
    async def open(
        cls, config: Config, folder: DataFolder, transport: TcpTransport, address: str, metrics: Metrics
    ) -> _Master:
        etcd, endpoints = await _etcd(config, folder)
        try:
            store = await _store(config, endpoints)
            await _check_bootstrap(store, folder)
        except BaseException:
            if etcd is not None:
                await etcd.stop()
            raise
        clock = SystemClock()
        rivals = Rivals(transport, clock)
        leader = Leader(
            store,
            cluster_name=config["cluster.name"],
            holder=f"{folder.node_id}@{address}",
            clock=clock,
            ids=RandomIds(),
            checks=CHECKS,
            lease_seconds=_LEASE_SECONDS,
            standby=True,
            gone=rivals.gone,
            metrics=metrics,
        )
        service = ControlService(leader, transport, clock, address, known_leader=rivals.address)
        service.start()
        await leader.start()
        return cls(etcd, store, leader, service)

    def endings(self) -> list[Callable[[], Awaitable[None]]]:
        stop_etcd = [self.etcd.stop] if self.etcd is not None else []
        return [self.service.stop, self.leader.stop, self.store.close, *stop_etcd]


async def _etcd(config: Config, folder: DataFolder) -> tuple[EtcdMember | None, list[str]]:
    """The member of this master, started, and where to reach etcd."""
    external = config.words("raft.endpoints")
    if external:
        return None, external
    host = config["transport.host"]
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
    client = f"{host}:{config.number('raft.client_port')}"
    tls = {part: config[f"raft.tls.{part}"] for part in ("ca", "cert", "key") if config[f"raft.tls.{part}"]}
    if tls and len(tls) != 3:
        raise ConfigError("[raft.tls.ca], [raft.tls.cert] and [raft.tls.key] go together")
    member = EtcdMember(
        Plan(
            binary=find_binary(config["raft.etcd"]),
            name=name,
            folder=data,
            client=client,
            peer=peers.get(name, f"{host}:{config.number('raft.client_port') + 1}"),
            peers=peers,
            token=config["cluster.name"],
            heartbeat_ms=config.milliseconds("raft.heartbeat_interval"),
            election_ms=config.milliseconds("raft.election_timeout"),
            tls=tls,
        )
    )
    await member.start()
    return member, [f"https://{client}" if tls else client]


async def _store(config: Config, endpoints: list[str]) -> api.Store:
    """Waits for a quorum of etcd: the other masters may start later."""
    from quidditch.store import etcd

    files = {part: Path(config[f"raft.tls.{part}"]) for part in ("ca", "cert", "key") if config[f"raft.tls.{part}"]}
    tls = etcd.Tls(**files) if files else None
    deadline = asyncio.get_running_loop().time() + _STORE_SECONDS
    while True:
        try:
            return await etcd.open(endpoints, prefix=f"/quidditch/{config['cluster.name']}", tls=tls)
        except api.Unavailable as error:
            if asyncio.get_running_loop().time() > deadline:
                raise ConfigError(f"etcd at {', '.join(endpoints)} does not answer: {error}") from None
            await asyncio.sleep(0.1)
        except (api.StoreError, ValueError, OSError) as error:
            raise ConfigError(f"etcd at {', '.join(endpoints)} cannot be used: {error}") from None


async def _check_bootstrap(store: api.Store, folder: DataFolder) -> None:
    """A master that belonged to a cluster neither founds another nor joins one. Raises :class:`ConfigError`."""
    known = folder.cluster_uuid
    if not known:
        return
    try:
        cluster = await store.get("Cluster", Cluster.NAME)
    except api.NotFound:
        raise ConfigError(
            f"etcd knows no cluster, but {folder.path} belongs to the one with the uuid {known}: restore its state "
            "(quidditch state restore), or empty the folder to begin anew"
        ) from None
    assert isinstance(cluster, Cluster)
    if cluster.spec.uuid != known:
        raise ConfigError(f"{folder.path} belongs to the cluster with the uuid {known}, etcd to {cluster.spec.uuid}")
