"""`_cat` tables of the cluster's own state: aliases, health, templates, the manager, attributes, tasks that wait."""

from __future__ import annotations

import time
from typing import Any

from quidditch.controlplane.core.health import cluster_health
from quidditch.model import expressions, wildcard
from quidditch.model.expressions import LENIENT_EXPAND_HIDDEN
from quidditch.rest import cat_columns as tables
from quidditch.rest import index_params as common
from quidditch.rest.cat_table import PARAMS, Millis, Row, endpoint
from quidditch.rest.node import Node
from quidditch.rest.request import Request
from quidditch.rest.response import Response
from quidditch.rest.route import Route

_LISTED = (
    "allocation", "shards", "shards/{index}", "cluster_manager", "nodes", "indices", "indices/{index}", "segments",
    "segments/{index}", "pit_segments", "pit_segments/{pit_id}",
    "count", "count/{index}", "recovery", "recovery/{index}", "health", "pending_tasks", "aliases",
    "aliases/{alias}", "thread_pool", "thread_pool/{thread_pools}", "plugins", "fielddata", "fielddata/{fields}",
    "nodeattrs", "repositories", "templates", "tasks", "segment_replication", "segment_replication/{index}",
)  # fmt: skip


async def listing(_request: Request, _node: Node) -> Response:
    return Response.text("=^.^=\n" + "".join(f"/_cat/{name}\n" for name in _LISTED))


def clock_cells(request: Request, node: Node) -> Row:
    """The columns `epoch` and `timestamp`; not with `ts=false`."""
    del request
    now = node.clock.now_ms() // 1000
    return {"epoch": now, "timestamp": time.strftime("%H:%M:%S", time.gmtime(now))}


def without_clock(request: Request) -> frozenset[str]:
    return frozenset() if request.flag("ts", True) else frozenset({"epoch", "timestamp"})


async def aliases(request: Request, node: Node) -> list[Row]:
    state = node.control.state
    names = expressions.split(request.param("alias"))
    options = expressions.parse_options(request.query, LENIENT_EXPAND_HIDDEN)
    rows: list[Row] = []
    for name in sorted(state.aliases):
        alias = state.aliases[name]
        if names and not _named(names, name):
            continue
        for index in sorted(alias.spec.indices):
            member = alias.spec.indices[index]
            hidden = alias.hidden or (index in state.indices and state.indices[index].hidden)
            if hidden and not options.expand_hidden and name not in names:
                continue
            rows.append(
                {
                    "alias": name,
                    "index": index,
                    "filter": "*" if member.filter else "-",
                    "routing.index": member.index_routing or "-",
                    "routing.search": member.search_routing or "-",
                    "is_write_index": "-" if member.is_write_index is None else member.is_write_index,
                }
            )
    return rows


def _named(patterns: list[str], name: str) -> bool:
    """Whether the last pattern that fits takes it in; `-x*` takes out."""
    found = False
    for pattern in patterns:
        if pattern.startswith("-") and found and wildcard.matches(pattern[1:], name):
            found = False
        elif wildcard.matches("*" if pattern == "_all" else pattern, name):
            found = True
    return found


async def health(request: Request, node: Node) -> list[Row]:
    found = cluster_health(node.control.state)
    pending = await node.control.pending_tasks(common.manager_timeout(request))
    longest = max((task.time_in_queue_ms for task in pending), default=0)
    return [
        {
            **clock_cells(request, node),
            "cluster": node.control.state.cluster_name,
            "status": found.status,
            "node.total": found.nodes,
            "node.data": found.data_nodes,
            "discovered_cluster_manager": True,
            "shards": found.counts.active,
            "pri": found.counts.active_primary,
            "relo": found.counts.relocating,
            "init": found.counts.initializing,
            "unassign": found.counts.unassigned,
            "pending_tasks": len(pending),
            "max_task_wait_time": Millis(longest) if longest else "-",
            "active_shards_percent": f"{found.percent:.1f}%",
        }
    ]


async def templates(request: Request, node: Node) -> list[Row]:
    pattern = request.param("name") or "*"
    rows: list[Row] = []
    state = node.control.state
    for kind, order in (("legacy", "order"), ("index", "priority")):
        for name, template in sorted(state.templates_of(kind).items()):  # type: ignore[arg-type]
            if not any(wildcard.matches(part, name) for part in pattern.split(",")):
                continue
            body = template.spec.body
            rows.append(
                {
                    "name": name,
                    "index_patterns": _listed(body.get("index_patterns", [])),
                    "order": body.get(order) or 0,
                    "version": body.get("version"),
                    "composed_of": _listed(body.get("composed_of", [])) if kind == "index" else "",
                }
            )
    return rows


def _listed(values: list[Any]) -> str:
    return f"[{', '.join(str(value) for value in values)}]"


async def cluster_manager(_request: Request, node: Node) -> list[Row]:
    leader = node.control.leader_id
    known = node.control.state.nodes.get(leader)
    if known is None:
        return [{"id": "-", "host": "-", "ip": "-", "node": "-"}]
    return [{"id": leader, "host": known.spec.host, "ip": known.spec.ip, "node": known.name}]


async def nodeattrs(_request: Request, node: Node) -> list[Row]:
    return [
        {
            "node": known.name,
            "id": known.id[:4],
            "host": known.spec.host,
            "ip": known.spec.ip,
            "port": known.spec.transport_address.rpartition(":")[2] or "-",
            "attr": attribute,
            "value": value,
        }
        for known in node.control.state.nodes.values()
        for attribute, value in sorted(known.spec.attributes.items())
    ]


async def pending_tasks(request: Request, node: Node) -> list[Row]:
    return [
        {
            "insertOrder": task.insert_order,
            "timeInQueue": Millis(task.time_in_queue_ms),
            "priority": task.priority,
            "source": task.source,
        }
        for task in await node.control.pending_tasks(common.manager_timeout(request))
    ]


async def nothing(_request: Request, _node: Node) -> list[Row]:
    """There are none: no plugins, no repositories, no replication of segments."""
    return []


_REPLICATION = (
    *PARAMS, "active_only", "completed_only", "detailed", "shards", "index", "allow_no_indices", "expand_wildcards",
    "ignore_unavailable", "ignore_throttled", "timeout",
)  # fmt: skip
ROUTES = [
    Route("GET", "/_cat", listing, body=False, text=True),
    Route("GET", "/_cat/aliases", endpoint(tables.ALIASES, aliases), (*PARAMS, "expand_wildcards"), text=True),
    Route("GET", "/_cat/aliases/{alias}", endpoint(tables.ALIASES, aliases), (*PARAMS, "expand_wildcards"), text=True),
    Route("GET", "/_cat/health", endpoint(tables.HEALTH, health, without_clock), PARAMS, text=True),
    Route("GET", "/_cat/templates", endpoint(tables.TEMPLATES, templates), PARAMS, text=True),
    Route("GET", "/_cat/templates/{name}", endpoint(tables.TEMPLATES, templates), PARAMS, text=True),
    Route("GET", "/_cat/master", endpoint(tables.CLUSTER_MANAGER, cluster_manager), PARAMS, text=True),
    Route("GET", "/_cat/cluster_manager", endpoint(tables.CLUSTER_MANAGER, cluster_manager), PARAMS, text=True),
    Route("GET", "/_cat/nodeattrs", endpoint(tables.NODEATTRS, nodeattrs), PARAMS, text=True),
    Route("GET", "/_cat/pending_tasks", endpoint(tables.PENDING_TASKS, pending_tasks), PARAMS, text=True),
    Route("GET", "/_cat/segment_replication", endpoint(tables.SEGMENT_REPLICATION, nothing), _REPLICATION, text=True),
    Route(
        "GET",
        "/_cat/segment_replication/{index}",
        endpoint(tables.SEGMENT_REPLICATION, nothing),
        _REPLICATION,
        text=True,
    ),
    Route("GET", "/_cat/plugins", endpoint(tables.PLUGINS, nothing), PARAMS, text=True),
    Route("GET", "/_cat/repositories", endpoint(tables.REPOSITORIES, nothing), PARAMS, text=True),
]
