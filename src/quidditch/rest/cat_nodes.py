"""`_cat/nodes`, `_cat/thread_pool`, `_cat/fielddata`, `_cat/tasks`."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from quidditch import __version__
from quidditch.lib import machine
from quidditch.model import wildcard
from quidditch.model.objects import Node as ClusterNode
from quidditch.rest import machine_stats, shard_stats
from quidditch.rest import tasks as node_tasks
from quidditch.rest.cat_columns import FIELDDATA, TASKS, THREAD_POOL
from quidditch.rest.cat_columns_stats import NODES
from quidditch.rest.cat_table import PARAMS, Bytes, Millis, Row, endpoint
from quidditch.rest.info import COMPATIBLE_VERSION
from quidditch.rest.node import Node
from quidditch.rest.nodes_info import thread_pools
from quidditch.rest.request import Request
from quidditch.rest.route import Route
from quidditch.rest.stats_cells import fill

_LETTERS = {
    "cluster_manager": "m",
    "data": "d",
    "data_cold": "c",
    "data_content": "s",
    "data_frozen": "f",
    "data_hot": "h",
    "data_warm": "w",
    "ingest": "i",
    "remote_cluster_client": "r",
    "search": "s",
    "warm": "w",
}


CELLS = "nodes/cat"
POOLS = "nodes/cat_thread_pool"


async def nodes(request: Request, node: Node) -> list[Row]:
    full = request.flag("full_id")
    known = [each for _, each in sorted(node.control.state.nodes.items())]
    told = await node.nodes.gather([each.id for each in known], CELLS, None)
    return [_row(node, each, full, told.answers.get(each.id)) for each in known]


def _row(node: Node, known: ClusterNode, full_id: bool, told: Mapping[str, Any] | None) -> Row:
    spec = known.spec
    row: Row = {
        "id": spec.id if full_id else spec.id[:4],
        "ip": spec.ip,
        "port": spec.transport_address.rpartition(":")[2] or "-",
        "http_address": spec.http_address or "-",
        "version": spec.version or COMPATIBLE_VERSION,
        "type": "quidditch",
        "build": __version__,
        "jdk": machine_stats.jvm_version()["version"],
        "node.role": "".join(sorted(_LETTERS.get(role, "") for role in spec.roles)) or "-",
        "node.roles": ",".join(sorted(spec.roles)) or "-",
        "cluster_manager": "*" if known.id == node.manager else "-",
        "name": spec.name,
    }
    if told is not None:
        row.update(_machine_cells(told["machine"]))
        fill(row, NODES, told["stats"])
    return row


async def tell(node: Node, _message: None) -> dict[str, Any]:
    """What this node contributes to its row."""
    return {"machine": _machine(node), "stats": shard_stats.everything(await shard_stats.collect_here(node))}


def _machine(node: Node) -> dict[str, Any]:
    memory, disk = machine.memory(), machine.disk(node.data_path)
    used, most = machine.resident_bytes(), machine_stats.heap_max()
    one, five, fifteen = machine.load()
    files, most_files = machine.open_files(), machine.max_files()
    return {
        "pid": os.getpid(),
        "disk.total": disk.total,
        "disk.used": disk.used,
        "disk.avail": disk.available,
        "disk.used_percent": f"{100 * disk.used / disk.total:.2f}",
        "heap.current": used,
        "heap.percent": round(100 * used / most) if most else 0,
        "heap.max": most,
        "ram.current": memory.used,
        "ram.percent": memory.used_percent,
        "ram.max": memory.total,
        "file_desc.current": files,
        "file_desc.percent": round(100 * files / most_files) if most_files > 0 else 0,
        "file_desc.max": most_files,
        "cpu": machine_stats.percent(node)[0],
        "load_1m": f"{one:.2f}",
        "load_5m": f"{five:.2f}",
        "load_15m": f"{fifteen:.2f}",
        "uptime": machine_stats.uptime_ms(node),
        "script.compilations": 0,
        "script.cache_evictions": 0,
        "script.compilation_limit_triggered": 0,
    }


_IN_BYTES = ("disk.total", "disk.used", "disk.avail", "heap.current", "heap.max", "ram.current", "ram.max")


def _machine_cells(values: Mapping[str, Any]) -> Row:
    sizes: Row = {name: Bytes(values[name]) for name in _IN_BYTES}
    return {**values, **sizes, "uptime": Millis(values["uptime"])}


async def thread_pool(request: Request, node: Node) -> list[Row]:
    patterns = request.list("thread_pools")
    state = node.control.state
    told = await node.nodes.gather(sorted(state.nodes), POOLS, None)
    rows: list[Row] = []
    for id, pools in told.answers.items():
        spec = state.nodes[id].spec
        for name, pool in sorted(pools["pools"].items()):
            if patterns and not wildcard.matches_any(patterns, name):
                continue
            rows.append(
                {
                    "node_name": spec.name,
                    "node_id": id,
                    "ephemeral_node_id": spec.ephemeral_id,
                    "pid": pools["pid"],
                    "host": spec.host,
                    "ip": spec.ip,
                    "port": spec.transport_address.rpartition(":")[2] or "-",
                    "name": name,
                    "type": "fixed",
                    "active": pool["active"],
                    "pool_size": pool["threads"],
                    "queue": pool["queue"],
                    "queue_size": pool["queue_size"],
                    "rejected": pool["rejected"],
                    "largest": pool["largest"],
                    "completed": pool["completed"],
                    "total_wait_time": "-1" if name == "generic" else Millis(0),
                    "size": pool["threads"],
                }
            )
    return rows


async def tell_pools(node: Node, _message: None) -> dict[str, Any]:
    """The thread pools of this node."""
    return {"pid": os.getpid(), "pools": thread_pools(node)}


async def fielddata(_request: Request, _node: Node) -> list[Row]:
    """Columns are on disk: there is no field data in memory."""
    return []


async def tasks(request: Request, node: Node) -> list[Row]:
    """What the nodes work on, this listing and its parts among it."""
    found = await node_tasks.gathered(request, node)
    return [_task_row(node, id, task) for running in found.answers.values() for id, task in running.items()]


def _task_row(node: Node, id: str, task: Mapping[str, Any]) -> Row:
    known, started = node.control.state.nodes.get(task["node"]), task["start_time_in_millis"]
    return {
        "action": task["action"],
        "task_id": id,
        "parent_task_id": task.get("parent_task_id", "-"),
        "type": task["type"],
        "start_time": started,
        "timestamp": time.strftime("%H:%M:%S", time.gmtime(started // 1000)),
        "running_time_ns": task["running_time_in_nanos"],
        "running_time": Millis(task["running_time_in_nanos"] / 1e6),
        "node_id": task["node"],
        "ip": known.spec.ip if known else "-",
        "port": (known.spec.transport_address.rpartition(":")[2] if known else None) or "-",
        "node": known.name if known else "-",
        "version": COMPATIBLE_VERSION,
        "x_opaque_id": task["headers"].get("X-Opaque-Id", "-"),
        "description": task.get("description", ""),
    }


def _undescribed(request: Request) -> frozenset[str]:
    return frozenset() if request.flag("detailed") else frozenset({"description"})


ROUTES = [
    Route("GET", "/_cat/nodes", endpoint(NODES, nodes), (*PARAMS, "full_id"), text=True),
    Route("GET", "/_cat/thread_pool", endpoint(THREAD_POOL, thread_pool), (*PARAMS, "size"), text=True),
    Route("GET", "/_cat/thread_pool/{thread_pools}", endpoint(THREAD_POOL, thread_pool), (*PARAMS, "size"), text=True),
    Route("GET", "/_cat/fielddata", endpoint(FIELDDATA, fielddata), (*PARAMS, "fields"), text=True),
    Route("GET", "/_cat/fielddata/{fields}", endpoint(FIELDDATA, fielddata), PARAMS, text=True),
    Route(
        "GET",
        "/_cat/tasks",
        endpoint(TASKS, tasks, _undescribed),
        (*PARAMS, "nodes", "actions", "detailed", "parent_task_id"),
        text=True,
    ),
]
