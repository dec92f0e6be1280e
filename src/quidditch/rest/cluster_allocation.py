"""`_cluster/allocation/explain` and `_cluster/reroute`: why copies are where they are."""

from __future__ import annotations

from typing import Any

from quidditch.controlplane.core import allocation
from quidditch.controlplane.core.commands import Reroute
from quidditch.model.errors import ApiError, illegal_argument
from quidditch.model.objects import Node as ClusterNode
from quidditch.rest import index_params as common
from quidditch.rest.cat_indices import iso_time
from quidditch.rest.cluster_state import state_json
from quidditch.rest.node import Node
from quidditch.rest.request import Request
from quidditch.rest.response import Response
from quidditch.rest.route import Route

_REMAINS = "rebalancing is not allowed, this cluster has no other node that could take the shard"


async def explain(request: Request, node: Node) -> Response:
    body = request.json_object_or_empty()
    known = ("index", "shard", "primary", "current_node")
    for key in body:
        if key not in known:
            raise ApiError(
                400, "x_content_parse_exception", f"[1:1] [cluster/allocation/explain] unknown field [{key}]"
            )
    problem = allocation.Problem(node.control.state)
    each = _asked(node, body) if body else _first_unassigned(problem)
    return Response.json(_explained(request, problem, each))


def _asked(node: Node, body: dict[str, Any]) -> allocation.ShardCopy:
    missing = [name for name in ("index", "shard", "primary") if body.get(name) is None]
    if missing:
        listed = "".join(f"{number}: {name} must be specified;" for number, name in enumerate(missing, 1))
        raise ApiError(400, "action_request_validation_exception", f"Validation Failed: {listed}")
    index = node.control.state.index(str(body["index"]))
    number, primary = body["shard"], body["primary"]
    if isinstance(number, bool) or not isinstance(number, int) or not isinstance(primary, bool):
        raise ApiError(
            400, "x_content_parse_exception", "[1:1] [cluster/allocation/explain] failed to parse field [shard]"
        )
    routing = node.control.state.routing.get(index.name)
    if routing is None or not 0 <= number < len(routing.spec.shards):
        raise ApiError(404, "shard_not_found_exception", "no such shard", {"index": index.name, "shard": str(number)})
    shard = routing.spec.shards[number]
    replicas = range(1, len(shard.copies))
    position = 0 if primary else next((at for at in replicas if not shard.copies[at].assigned), len(shard.copies) - 1)
    if not primary and position == 0:
        raise illegal_argument(
            f"No shard was specified in the explain API request, but the index [{index.name}] has no replica"
        )
    return allocation.ShardCopy(index, number, position, shard)


def _first_unassigned(problem: allocation.Problem) -> allocation.ShardCopy:
    found = problem.unassigned()
    if not found:
        raise illegal_argument(
            "unable to find any unassigned shards to explain [ClusterAllocationExplainRequest[useAnyUnassignedShard=true"
            ",includeYesDecisions?=false]"
        )
    return found[0]


def _explained(request: Request, problem: allocation.Problem, each: allocation.ShardCopy) -> dict[str, Any]:
    copy = each.copy
    body: dict[str, Any] = {
        "index": each.index.name,
        "shard": each.number,
        "primary": copy.primary,
        "current_state": copy.state.lower(),
    }
    if copy.unassigned is not None and not copy.active:
        info = copy.unassigned
        shown: dict[str, Any] = {"reason": info.reason, "at": iso_time(info.at)}
        if info.failed_attempts:
            shown["failed_allocation_attempts"] = info.failed_attempts
        if info.details:
            shown["details"] = info.details
        shown["last_allocation_status"] = info.last_allocation_status
        body["unassigned_info"] = shown
    if request.flag("include_disk_info"):
        body["cluster_info"] = {"nodes": {}, "shard_sizes": {}, "shard_paths": {}, "reserved_sizes": []}
    if copy.node is not None:
        return body | _placed(problem, copy.node)
    return body | _unplaced(request, problem, each)


def _placed(problem: allocation.Problem, node_id: str) -> dict[str, Any]:
    known = problem.nodes.get(node_id)
    return {
        "current_node": {**_node(known), "weight_ranking": 1} if known else {"id": node_id},
        "can_remain_on_current_node": "yes",
        "can_rebalance_cluster": "yes",
        "can_rebalance_to_other_node": "no",
        "rebalance_explanation": _REMAINS,
    }


def _node(known: ClusterNode) -> dict[str, Any]:
    return {
        "id": known.id,
        "name": known.name,
        "transport_address": known.spec.transport_address,
        "attributes": known.spec.attributes,
    }


def _unplaced(request: Request, problem: allocation.Problem, each: allocation.ShardCopy) -> dict[str, Any]:
    every = request.flag("include_yes_decisions")
    decisions = []
    for ranking, known in enumerate(problem.nodes.values(), 1):
        verdicts = allocation.explain(problem, each, known)
        worst = allocation.judge(problem, each, known).decision
        decisions.append(
            {
                "node_id": known.id,
                "node_name": known.name,
                "transport_address": known.spec.transport_address,
                "node_attributes": known.spec.attributes,
                "node_decision": worst.lower(),
                "weight_ranking": ranking,
                "deciders": [
                    {"decider": one.decider, "decision": one.decision, "explanation": one.explanation}
                    for one in verdicts
                    if every or one.decision != "YES"
                ],
            }
        )
    possible = any(one["node_decision"] == "yes" for one in decisions)
    why = (
        "can allocate the shard"
        if possible
        else "cannot allocate because allocation is not permitted to any of the nodes"
    )
    return {
        "can_allocate": "yes" if possible else "no",
        "allocate_explanation": why,
        "node_allocation_decisions": decisions,
    }


async def reroute(request: Request, node: Node) -> Response:
    body = request.json_object_or_empty()
    for key in body:
        if key not in ("commands", "dry_run"):
            raise ApiError(400, "x_content_parse_exception", f"[1:1] [cluster_reroute] unknown field [{key}]")
    commands = body.get("commands") or []
    if commands:
        raise illegal_argument("allocation commands are not supported: this cluster places its shards by itself")
    if not request.flag("dry_run"):
        await node.control.submit(Reroute(retry_failed=request.flag("retry_failed")), common.manager_timeout(request))
    state = node.control.state
    asked = common.names(request, "metric")
    metrics = asked or (
        "version",
        "master_node",
        "cluster_manager_node",
        "blocks",
        "nodes",
        "routing_table",
        "routing_nodes",
    )
    if "_all" in asked:
        metrics = (*metrics, "version", "blocks", "nodes", "metadata", "routing_table", "routing_nodes")
    indices = [state.indices[name] for name in sorted(state.indices)]
    shown = {"cluster_uuid": state.cluster_uuid, **state_json(node, state, metrics, indices, False)}
    answer: dict[str, Any] = {"acknowledged": True, "state": shown}
    if request.flag("explain"):
        answer["explanations"] = []
    return Response.json(answer)


ROUTES = [
    Route("GET", "/_cluster/allocation/explain", explain, ("include_yes_decisions", "include_disk_info")),
    Route("POST", "/_cluster/allocation/explain", explain, ("include_yes_decisions", "include_disk_info")),
    Route("POST", "/_cluster/reroute", reroute, (*common.CHANGE, "dry_run", "explain", "retry_failed", "metric")),
]
