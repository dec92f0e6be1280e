"""Puts a node together out of its parts, and takes it apart again in the opposite order."""

from __future__ import annotations

import os
import platform
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

import quidditch_kernel
from quidditch import __version__
from quidditch.cli.config import Config, memory_bytes
from quidditch.cli.stores import STATE_FILE
from quidditch.controlplane import telemetry
from quidditch.controlplane.api import ControlPlane
from quidditch.controlplane.core.commands import RegisterNode
from quidditch.controlplane.core.draft import Checks
from quidditch.controlplane.leader import Leader
from quidditch.coordinator.copy_choice import CopyChoice
from quidditch.coordinator.get import Getter
from quidditch.coordinator.mappings import Mappings
from quidditch.coordinator.nodes import Nodes
from quidditch.coordinator.search_plans import Plans
from quidditch.coordinator.search_service import SearchService
from quidditch.coordinator.shards import Shards
from quidditch.coordinator.tasks import Tasks
from quidditch.coordinator.write import Writer
from quidditch.datanode import service
from quidditch.datanode.folder import DataFolder
from quidditch.datanode.gauge import Gauge
from quidditch.datanode.node import DataNode
from quidditch.datanode.pools import Pool
from quidditch.lib.clock import SystemClock
from quidditch.lib.ids import RandomIds
from quidditch.lib.metrics import Metrics
from quidditch.lib.units import share_of
from quidditch.mapping.dynamic import UnknownField, grow
from quidditch.mapping.root import RootMapping
from quidditch.mapping.settings import nested_for_kernel
from quidditch.model.errors import ApiError
from quidditch.model.objects import Index, NodeSpec
from quidditch.model.state import ClusterState
from quidditch.query.plan import compile_query
from quidditch.rest import node_answers
from quidditch.rest.node import Node
from quidditch.rest.pressure import Pressure
from quidditch.store.sqlite import SqliteStore
from quidditch.transport.api import Transport
from quidditch.transport.breakers import Breakers
from quidditch.transport.errors import from_kernel
from quidditch.transport.memory import Network
from quidditch.transport.pressure import IndexingPressure
from quidditch.transport.searches import Searches
from quidditch_kernel import KernelError, Runtime

OPENING_SECONDS = 0.4
"""How long requests wait at the start for shards to be opened; after that they are answered with what is there."""


@dataclass(slots=True)
class Parts:
    """A running node, and what ends its parts, in this order."""

    node: Node
    endings: Sequence[Callable[[], Awaitable[None]]]

    async def close(self) -> None:
        for ending in self.endings:
            await ending()


async def open_embedded(config: Config, folder: DataFolder, http_address: str) -> Parts:
    """All in one process: opens the store, takes the lead, opens the shards that belong here."""
    store = await SqliteStore.open(folder.path / STATE_FILE)
    metrics = Metrics()
    leader = Leader(
        store,
        cluster_name=config["cluster.name"],
        holder=folder.node_id,
        clock=SystemClock(),
        ids=RandomIds(),
        checks=CHECKS,
        metrics=metrics,
    )
    metrics.source(lambda: telemetry.of_leader(leader))
    await leader.start()
    node = assemble(config, folder, leader, Network().join(folder.node_id), http_address, metrics)
    spec = node_spec(config, folder.node_id, http_address, http_address)
    await leader.submit(RegisterNode(node=spec, fresh=True, held=folder.allocations.held()))
    await node.data.settled(OPENING_SECONDS)
    gauge = Gauge(node.data, folder.path, lambda load: leader.measures.take(node.id, load))
    gauge.start()
    # Shards first, so that what was acknowledged is flushed while the control plane still answers.
    return Parts(node, [gauge.stop, node.data.close, leader.stop, store.close])


def assemble(
    config: Config,
    folder: DataFolder,
    control: ControlPlane,
    transport: Transport,
    http_address: str,
    metrics: Metrics,
) -> Node:
    """The parts that every process has, whatever its roles, around a control plane and the way to the other nodes."""
    clock = SystemClock()
    mappings = Mappings()
    data = DataNode(
        folder,
        _runtime(config),
        mappings.kernel,
        control,
        transport,
        clock,
        _write_pool(config),
        _search_pool(config),
    )
    control.subscribe(data.apply)
    data.apply(data.state, control.state)
    pressure = _pressure(config, lambda name: control.state.settings.get(name))
    _limit_kernel(control, pressure)
    service.serve(data, transport, clock, pressure.indexing)
    nodes = Nodes(transport)
    searches = Searches(transport)
    choice = CopyChoice(control, data.id, clock, transport.silence)
    shards = Shards(control, data, data.id, transport, choice)
    getter = Getter(control, shards, mappings)
    node = Node(
        name=config.node_name,
        id=data.id,
        config=config,
        clock=clock,
        control=control,
        data=data,
        nodes=nodes,
        shards=shards,
        mappings=mappings,
        write=Writer(control, shards, mappings, decide_growth),
        get=getter,
        search=SearchService(
            control, data, mappings, getter, searches, nodes, choice, pressure.breakers.request, clock
        ),
        pressure=pressure,
        tasks=Tasks(clock),
        http_address=http_address,
        started_ms=clock.now_ms(),
        extra={"checks": CHECKS, "metrics": metrics},
    )
    node_answers.serve(node)
    return node


def _runtime(config: Config) -> Runtime:
    settings = {
        "indexing_buffer_bytes": max(config.size("indices.memory.index_buffer_size"), 48 << 20),
        "merge_threads": max(1, (os.cpu_count() or 1) // 2),
        "node_name": config.node_name,
    }
    return Runtime(orjson.dumps(settings))


def _write_pool(config: Config) -> Pool:
    threads = config.number("thread_pool.write.size") or (os.cpu_count() or 1) + 1
    return Pool("write", threads, config.number("thread_pool.write.queue_size"))


def _search_pool(config: Config) -> Pool:
    threads = config.number("thread_pool.search.size") or (os.cpu_count() or 1) * 3 // 2 + 1
    return Pool("search", threads, config.number("thread_pool.search.queue_size"))


def _pressure(config: Config, setting: Callable[[str], Any]) -> Pressure:
    """`setting` answers cluster settings, by which limits of breakers may change."""
    memory = memory_bytes()
    largest = config.size("http.max_content_length")

    def limit(name: str, default: str) -> Callable[[], int]:
        return lambda: share_of(str(setting(name) or default), memory)

    breakers = Breakers(
        limit("indices.breaker.request.limit", "60%"),
        lambda: max(memory // 4, 2 * largest),
        limit("indices.breaker.total.limit", "95%"),
        quidditch_kernel.request_memory,
    )
    indexing = IndexingPressure(max(config.size("indexing_pressure.memory.limit"), largest))
    return Pressure(breakers, indexing, config.number("thread_pool.search.queue_size"))


def _limit_kernel(control: ControlPlane, pressure: Pressure) -> None:
    """The kernel refuses aggregations by the limit of the `request` breaker, which may change."""
    limit = pressure.breakers.request.limit
    quidditch_kernel.set_request_limit(limit())
    control.subscribe(
        lambda old, new: None if old.settings is new.settings else quidditch_kernel.set_request_limit(limit())
    )


def node_spec(config: Config, node_id: str, http_address: str, transport_address: str) -> NodeSpec:
    """How this process registers; its ephemeral id is new."""
    host = transport_address.rpartition(":")[0].strip("[]")
    return NodeSpec(
        id=node_id,
        name=config.node_name,
        ephemeral_id=RandomIds().uuid(),
        roles=config.roles,
        host=host,
        ip=host,
        transport_address=transport_address,
        http_address=http_address,
        attributes={"os": platform.system().lower(), "arch": platform.machine(), **config.attributes},
        version=__version__,
    )


# --- what the pure parts ask of the kernel ------------------------------------------------------------------------------


def check_analysis(settings: Mapping[str, Any]) -> None:
    """Builds all analyzers of index settings. Raises ApiError."""
    if any(key.startswith("index.analysis.") for key in settings):
        try:
            quidditch_kernel.check_analysis(orjson.dumps(nested_for_kernel(settings)))
        except KernelError as error:
            raise from_kernel(error) from None


def check_date_format(text: str) -> None:
    """Raises ApiError for a date format that nobody understands."""
    try:
        quidditch_kernel.check_date_format(text)
    except KernelError as error:
        raise from_kernel(error) from None


def check_alias_filter(alias: str, query: Mapping[str, Any], _index: Index) -> None:
    """Raises ApiError for a filter that is no query. Fields may be missing: they may come later."""
    context = Plans(Mappings()).blank(ClusterState(), 0)
    try:
        compile_query(query, context)
    except ApiError as error:
        reason = f"failed to parse filter for alias [{alias}]"
        raise ApiError(400, "illegal_argument_exception", reason, {"caused_by": error.body()}) from None


def parses_date(text: str, format: str) -> bool:
    try:
        quidditch_kernel.parse_date(text, format, 0, False, None, False)
    except KernelError:
        return False
    return True


def matches_regex(pattern: str, text: str) -> bool:
    """Raises ApiError for a pattern that takes too long."""
    try:
        return quidditch_kernel.regex_matches(pattern, text)
    except KernelError as error:
        raise from_kernel(error) from None


def decide_growth(root: RootMapping, unknown: list[UnknownField]) -> dict[str, Any] | None:
    """What unknown fields of a document become."""
    return grow(root, unknown, parses_date, regex=matches_regex)


CHECKS = Checks(analysis=check_analysis, date_format=check_date_format, alias_filter=check_alias_filter)
