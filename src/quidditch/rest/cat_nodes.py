"""`_cat/nodes`, `_cat/thread_pool`, `_cat/fielddata`, `_cat/tasks`."""

from __future__ import annotations

import os
import time

from quidditch import __version__
from quidditch.lib import machine
from quidditch.model import wildcard
from quidditch.model.objects import Node as ClusterNode
from quidditch.rest import machine_stats, shard_stats
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
    "ingest": "i",
    "remote_cluster_client": "r",
    "search": "s",
    "warm": "w",
}


async def nodes(request: Request, node: Node) -> list[Row]:
    full = request.flag("full_id")
    return [_row(node, known, full) for _, known in sorted(node.control.state.nodes.items())]


def _row(node: Node, known: ClusterNode, full_id: bool) -> Row:
    spec = known.spec
    row: Row = {
        "id": spec.id if full_id else spec.id[:4],
        "ip": spec.ip,
        "port": spec.transport_address.rpartition(":")[2] or "-",
        "http_address": spec.http_address or (node.http_address if known.id == node.id else "-"),
        "version": spec.version or COMPATIBLE_VERSION,
        "type": "quidditch",
        "build": __version__,
        "jdk": machine_stats.jvm_version()["version"],
        "node.role": "".join(sorted(_LETTERS.get(role, "") for role in spec.roles)) or "-",
        "node.roles": ",".join(sorted(spec.roles)) or "-",
        "cluster_manager": "*" if known.id == node.id else "-",
        "name": spec.name,
    }
    if known.id == node.id:
        row.update(_machine(node))
        open_indices = [index for index in node.control.state.indices.values() if index.open]
        fill(row, NODES, shard_stats.everything(shard_stats.collect(node, open_indices)))
    return row


def _machine(node: Node) -> Row:
    memory, disk = machine.memory(), machine.disk(node.data.folder.path)
    used, most = machine.resident_bytes(), machine_stats.heap_max()
    one, five, fifteen = machine.load()
    files, most_files = machine.open_files(), machine.max_files()
    return {
        "pid": os.getpid(),
        "disk.total": Bytes(disk.total),
        "disk.used": Bytes(disk.used),
        "disk.avail": Bytes(disk.available),
        "disk.used_percent": f"{100 * disk.used / disk.total:.2f}",
        "heap.current": Bytes(used),
        "heap.percent": round(100 * used / most) if most else 0,
        "heap.max": Bytes(most),
        "ram.current": Bytes(memory.used),
        "ram.percent": memory.used_percent,
        "ram.max": Bytes(memory.total),
        "file_desc.current": files,
        "file_desc.percent": round(100 * files / most_files) if most_files > 0 else 0,
        "file_desc.max": most_files,
        "cpu": machine_stats.percent(node)[0],
        "load_1m": f"{one:.2f}",
        "load_5m": f"{five:.2f}",
        "load_15m": f"{fifteen:.2f}",
        "uptime": Millis(machine_stats.uptime_ms(node)),
        "script.compilations": 0,
        "script.cache_evictions": 0,
        "script.compilation_limit_triggered": 0,
    }


async def thread_pool(request: Request, node: Node) -> list[Row]:
    patterns = request.list("thread_pools")
    known = node.control.state.nodes.get(node.id)
    rows: list[Row] = []
    for name, (size, queue) in sorted(thread_pools(node).items()):
        if patterns and not wildcard.matches_any(patterns, name):
            continue
        searches = name == "search"
        rows.append(
            {
                "node_name": node.name,
                "node_id": node.id,
                "ephemeral_node_id": known.spec.ephemeral_id if known else None,
                "pid": os.getpid(),
                "host": known.spec.host if known else "127.0.0.1",
                "ip": known.spec.ip if known else "127.0.0.1",
                "port": (known.spec.transport_address.rpartition(":")[2] if known else None) or "-",
                "name": name,
                "type": "fixed",
                "active": node.pressure.searches if searches else 0,
                "pool_size": size,
                "queue": 0,
                "queue_size": queue,
                "rejected": node.pressure.rejected_searches if searches else 0,
                "largest": size,
                "completed": 0,
                "total_wait_time": "-1" if name == "generic" else Millis(0),
                "size": size,
            }
        )
    return rows


async def fielddata(_request: Request, _node: Node) -> list[Row]:
    """Columns are on disk: there is no field data in memory."""
    return []


async def tasks(request: Request, node: Node) -> list[Row]:
    """The one task that is always there: this listing, and its part on this node."""
    now = node.clock.now_ms()
    known = node.control.state.nodes.get(node.id)
    common: Row = {
        "start_time": now,
        "timestamp": time.strftime("%H:%M:%S", time.gmtime(now // 1000)),
        "running_time_ns": 0,
        "running_time": Millis(0),
        "node_id": node.id,
        "ip": known.spec.ip if known else "127.0.0.1",
        "port": (known.spec.transport_address.rpartition(":")[2] if known else None) or "-",
        "node": node.name,
        "version": COMPATIBLE_VERSION,
        "x_opaque_id": request.header("x-opaque-id") or "-",
    }
    action, parent = "cluster:monitor/tasks/lists", f"{node.id}:1"
    return [
        {"action": action, "task_id": parent, "parent_task_id": "-", "type": "transport", **common},
        {"action": f"{action}[n]", "task_id": f"{node.id}:2", "parent_task_id": parent, "type": "direct", **common},
    ]


ROUTES = [
    Route("GET", "/_cat/nodes", endpoint(NODES, nodes), (*PARAMS, "full_id"), text=True),
    Route("GET", "/_cat/thread_pool", endpoint(THREAD_POOL, thread_pool), (*PARAMS, "size"), text=True),
    Route("GET", "/_cat/thread_pool/{thread_pools}", endpoint(THREAD_POOL, thread_pool), (*PARAMS, "size"), text=True),
    Route("GET", "/_cat/fielddata", endpoint(FIELDDATA, fielddata), (*PARAMS, "fields"), text=True),
    Route("GET", "/_cat/fielddata/{fields}", endpoint(FIELDDATA, fielddata), PARAMS, text=True),
    Route(
        "GET",
        "/_cat/tasks",
        endpoint(TASKS, tasks),
        (*PARAMS, "nodes", "actions", "detailed", "parent_task_id"),
        text=True,
    ),
]
