"""`_cluster/state`, `_cluster/pending_tasks`: what the control plane knows, in OpenSearch's shape."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from quidditch.controlplane.core.blocks import Block, cluster_blocks, index_blocks
from quidditch.controlplane.core.voting import exclusions
from quidditch.mapping import settings
from quidditch.model import expressions
from quidditch.model.expressions import LENIENT_EXPAND_OPEN
from quidditch.model.objects import Copy, Index, NodeStatus, Routing
from quidditch.model.state import ClusterState
from quidditch.rest import human
from quidditch.rest import index_params as common
from quidditch.rest.cat_indices import iso_time
from quidditch.rest.cluster_voting import voter_ids
from quidditch.rest.node import Node
from quidditch.rest.request import Request
from quidditch.rest.response import Response
from quidditch.rest.route import Route

_METRICS = (
    "version",
    "master_node",
    "cluster_manager_node",
    "blocks",
    "nodes",
    "metadata",
    "routing_table",
    "routing_nodes",
)


async def cluster_state(request: Request, node: Node) -> Response:
    common.manager_timeout(request)
    wanted = request.long("wait_for_metadata_version")
    body: dict[str, Any] = {}
    if wanted is not None:
        timeout = (request.time("wait_for_timeout", 60_000) or 0) / 1000
        reached = await node.control.wait_for(lambda state: state.version >= wanted, timeout)
        body["wait_for_timed_out"] = not reached
    state = node.control.state
    asked = common.names(request, "metric")
    metrics = _METRICS if not asked or "_all" in asked else asked
    names = common.names(request)
    if names:
        options = common.options(request, LENIENT_EXPAND_OPEN)
        indices: Sequence[Index] = expressions.resolve(state, names, options, node.clock.now_ms())
    else:
        indices = [state.indices[name] for name in sorted(state.indices)]
    head = {"cluster_name": state.cluster_name, "cluster_uuid": state.cluster_uuid}
    return Response.json({**head, **body, **state_json(node, state, metrics, indices, request.flag("flat_settings"))})


def state_json(
    node: Node, state: ClusterState, metrics: Iterable[str], indices: Sequence[Index], flat: bool
) -> dict[str, Any]:
    """The parts of the state that `metrics` names; metrics that nobody knows have none."""
    wanted = set(metrics)
    shown: dict[str, Any] = {}
    if "version" in wanted:
        shown["version"] = state.version
        shown["state_uuid"] = state_uuid(state)
    for name in ("master_node", "cluster_manager_node"):
        if name in wanted:
            shown[name] = node.manager
    if "blocks" in wanted:
        shown["blocks"] = _blocks(state, indices)
    if "nodes" in wanted:
        shown["nodes"] = {
            known.id: {
                "name": known.name,
                "ephemeral_id": known.spec.ephemeral_id,
                "transport_address": known.spec.transport_address,
                "attributes": known.spec.attributes,
                **_unwell(known.status),
            }
            for known in state.nodes.values()
        }
    if "metadata" in wanted:
        shown["metadata"] = _metadata(node, state, indices, flat)
    if "routing_table" in wanted:
        shown["routing_table"] = {"indices": {index.name: _table(state.routing.get(index.name)) for index in indices}}
    if "routing_nodes" in wanted:
        shown["routing_nodes"] = _by_node(state, indices)
    return shown


def state_uuid(state: ClusterState) -> str:
    """Names this version of this cluster's state."""
    digest = hashlib.sha256(f"{state.cluster_uuid}/{state.version}".encode()).digest()[:16]
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _blocks(state: ClusterState, indices: Sequence[Index]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    everywhere = cluster_blocks(state)
    if everywhere:
        shown["global"] = {str(block.id): _block(block) for block in everywhere}
    blocked = {index.name: index_blocks(index) for index in indices}
    found = {name: {str(block.id): _block(block) for block in blocks} for name, blocks in blocked.items() if blocks}
    if found:
        shown["indices"] = found
    return shown


def _block(block: Block) -> dict[str, Any]:
    return {"description": block.description, "retryable": block.retryable, "levels": list(block.levels)}


def _metadata(node: Node, state: ClusterState, indices: Sequence[Index], flat: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "cluster_uuid": state.cluster_uuid,
        "cluster_uuid_committed": True,
        "cluster_coordination": {
            "term": max(1, node.control.epoch),
            "last_committed_config": [*voter_ids(node, state)],
            "last_accepted_config": [*voter_ids(node, state)],
            "voting_config_exclusions": [
                {"node_id": each.node_id, "node_name": each.node_name} for each in exclusions(state)
            ],
        },
        "templates": {name: template.spec.body for name, template in sorted(state.templates_of("legacy").items())},
        "indices": {index.name: _index(state, index, flat) for index in indices},
    }
    for kind, key in (("component", "component_template"), ("index", "index_template")):
        found = state.templates_of(kind)  # type: ignore[arg-type]
        if found:
            shown[key] = {key: {name: template.spec.body for name, template in sorted(found.items())}}
    if state.pipelines:
        pipelines = sorted(state.pipelines.items())
        shown["ingest"] = {"pipeline": [{"id": name, "config": pipeline.spec.body} for name, pipeline in pipelines]}
    shown["index-graveyard"] = {"tombstones": []}
    return shown


def _index(state: ClusterState, index: Index, flat: bool) -> dict[str, Any]:
    spec = index.spec
    routing = state.routing.get(index.name)
    shards = routing.spec.shards if routing else ()
    return {
        "version": spec.version,
        "mapping_version": spec.mapping_version,
        "settings_version": spec.settings_version,
        "aliases_version": spec.aliases_version,
        "routing_num_shards": spec.routing_num_shards,
        "state": spec.state,
        "settings": settings.shown(spec.settings, flat),
        "mappings": {"_doc": spec.mappings} if spec.mappings else {},
        "aliases": [alias.name for alias in state.aliases_of(index.name)],
        "primary_terms": {str(number): shard.primary_term for number, shard in enumerate(shards)},
        "primary_terms_map": {str(number): shard.primary_term for number, shard in enumerate(shards)},
        "in_sync_allocations": {str(number): list(shard.in_sync) for number, shard in enumerate(shards)},
        "rollover_info": spec.rollover,
        "system": False,
        "ingestion_status": {"is_paused": False},
        "split_shards_metadata": {
            "num_of_root_shards": len(shards),
            "max_shard_id": len(shards) - 1,
            "active_shard_ids": list(range(len(shards))),
            "root_shards_to_all_children": {},
            "parent_to_child_shards": {},
        },
    }


def _table(routing: Routing | None) -> dict[str, Any]:
    if routing is None:
        return {"shards": {}}
    name = routing.spec.index
    return {
        "shards": {
            str(number): [copy_json(name, number, copy) for copy in shard.copies]
            for number, shard in enumerate(routing.spec.shards)
        }
    }


def _unwell(status: NodeStatus) -> dict[str, str]:
    """OpenSearch has no such members; they are there only when there is something to tell."""
    return {} if status.health == "HEALTHY" else {"health": status.health, "health_reason": status.reason}


def _by_node(state: ClusterState, indices: Sequence[Index]) -> dict[str, Any]:
    unassigned: list[dict[str, Any]] = []
    nodes: dict[str, list[dict[str, Any]]] = {key: [] for key, known in state.nodes.items() if known.holds_data}
    for index in indices:
        routing = state.routing.get(index.name)
        for number, shard in enumerate(routing.spec.shards if routing else ()):
            for copy in shard.copies:
                if copy.node is None:
                    unassigned.append(copy_json(index.name, number, copy))
            for copy in shard.placed:
                nodes.setdefault(copy.node or "", []).append(copy_json(index.name, number, copy))
    return {"unassigned": unassigned, "nodes": nodes}


def copy_json(index: str, number: int, copy: Copy) -> dict[str, Any]:
    """One copy as the routing table shows it."""
    shown: dict[str, Any] = {
        "state": copy.state,
        "primary": copy.primary,
        "searchOnly": False,
        "node": copy.node,
        "relocating_node": copy.relocating_node,
        "shard": number,
        "index": index,
    }
    if copy.recovery is not None and not copy.active:
        shown["recovery_source"] = {"type": copy.recovery}
    if copy.allocation_id is not None and copy.assigned:
        shown["allocation_id"] = {"id": copy.allocation_id}
        if copy.relocation_id is not None:
            shown["allocation_id"]["relocation_id"] = copy.relocation_id
    if copy.unassigned is not None:
        shown["unassigned_info"] = unassigned_json(copy)
    return shown


def unassigned_json(copy: Copy) -> dict[str, Any]:
    info = copy.unassigned
    assert info is not None
    shown: dict[str, Any] = {"reason": info.reason, "at": iso_time(info.at)}
    if info.failed_attempts:
        shown["failed_attempts"] = info.failed_attempts
    shown["delayed"] = info.delayed
    if info.details is not None:
        shown["details"] = info.details
    shown["allocation_status"] = info.last_allocation_status
    return shown


async def pending_tasks(request: Request, node: Node) -> Response:
    found = await node.control.pending_tasks(common.manager_timeout(request))
    return Response.json(
        {
            "tasks": [
                {
                    "insert_order": task.insert_order,
                    "priority": task.priority,
                    "source": task.source,
                    "executing": task.executing,
                    "time_in_queue_millis": task.time_in_queue_ms,
                    "time_in_queue": human.duration(task.time_in_queue_ms),
                }
                for task in found
            ]
        }
    )


async def remote_info(_request: Request, _node: Node) -> Response:
    """There are no remote clusters."""
    return Response.json({})


_PARAMS = (
    *common.MANAGER,
    *common.EXPAND,
    "local",
    "flat_settings",
    "wait_for_metadata_version",
    "wait_for_timeout",
)
ROUTES = [
    Route("GET", "/_cluster/state", cluster_state, _PARAMS),
    Route("GET", "/_cluster/state/{metric}", cluster_state, _PARAMS),
    Route("GET", "/_cluster/state/{metric}/{index}", cluster_state, _PARAMS),
    Route("GET", "/_remote/info", remote_info),
    Route("GET", "/_cluster/pending_tasks", pending_tasks, (*common.MANAGER, "local")),
]
