"""What a master adds to a node: an etcd member of its own unless another is named, and a candidate for the lead on that store."""

from __future__ import annotations

import asyncio
import dataclasses

import structlog

from quidditch.cli.addresses import joined
from quidditch.cli.bootstrap import check, cluster_in
from quidditch.cli.candidacy import LEASE_SECONDS, Candidacy, Endings, Place
from quidditch.cli.config import Config, ConfigError
from quidditch.cli.etcd_member import EtcdMember, Plan, find_binary, parse_peers
from quidditch.cli.membership import Membership, admit, promote
from quidditch.cli.stores import QUORUM_SECONDS, open_etcd, open_members, own_endpoint, tls_files
from quidditch.cli.transport import host, publish_host
from quidditch.datanode.folder import DataFolder
from quidditch.model.objects import Cluster
from quidditch.store import api

_log = structlog.get_logger(__name__)

_RESTORE_POLL_SECONDS = 0.2


async def stand(place: Place) -> Endings:
    """Becomes a candidate. Raises :class:`ConfigError`."""
    config, folder = place.config, place.folder
    etcd, endpoints = await _etcd(config, folder)
    try:
        store = await open_etcd(config, endpoints, metrics=place.metrics)
        cluster = await _restored(store) if config.flag("raft.await_restore") else await cluster_in(store)
        await check(store, cluster, folder, "etcd")
    except BaseException:
        if etcd is not None:
            await etcd.stop()
        raise
    candidacy = await Candidacy.open(place, store, LEASE_SECONDS)
    members = open_members(config, endpoints) if etcd is not None else None
    membership = Membership(candidacy.leader, members, etcd, place.state, folder.node_id)
    membership.start()
    return [membership.stop, *candidacy.endings(), store.close, *([etcd.stop] if etcd is not None else [])]


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


async def _restored(store: api.Store) -> Cluster:
    """Waits until the store holds a cluster."""
    told = False
    while True:
        try:
            cluster = await cluster_in(store)
        except api.Unavailable as error:
            _log.warning("etcd does not answer", error=str(error))
            cluster = None
        if cluster is not None:
            return cluster
        if not told:
            print("etcd holds no cluster; waiting for `quidditch state restore`", flush=True)
            told = True
        await asyncio.sleep(_RESTORE_POLL_SECONDS)
