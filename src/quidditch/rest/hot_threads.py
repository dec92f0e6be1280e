"""`_nodes/hot_threads`: what keeps the nodes busy, as text."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from quidditch.lib import hot_threads
from quidditch.model.errors import illegal_argument
from quidditch.rest.cat_indices import iso_time
from quidditch.rest.node import Node
from quidditch.rest.request import Request
from quidditch.rest.response import Response
from quidditch.rest.route import Route

HOT_THREADS = "nodes/hot_threads"
_TYPES = ("cpu", "wait", "block")
_MAX_MS = 60_000
_SECONDS = 30.0


async def show(request: Request, node: Node) -> Response:
    kind = request.query.get("type", "cpu")
    if kind not in _TYPES:
        raise illegal_argument(f"type not supported [{kind}]")
    interval = request.time("interval", 500) or 0
    if not 0 < interval <= _MAX_MS:
        raise illegal_argument(f"[interval] must be greater than 0 and at most 60s, not [{request.query['interval']}]")
    message = {
        "interval": interval,
        "threads": request.int("threads", 3),
        "snapshots": min(max(request.int("snapshots", 10) or 10, 1), 100),
        "ignore_idle": request.flag("ignore_idle_threads", default=True),
    }
    chosen = node.select(request.param("node_id"))
    told = await node.nodes.gather([known.id for known in chosen], HOT_THREADS, message, _SECONDS + interval / 1000)
    text = ""
    for known in chosen:
        spec = known.spec
        if spec.id in told.answers:
            attributes = ", ".join(f"{name}={value}" for name, value in sorted(spec.attributes.items()))
            parts = (spec.name, spec.id, spec.ephemeral_id, spec.host, spec.transport_address)
            text += f"::: {''.join(f'{{{part}}}' for part in parts)}{{{attributes}}}\n{told.answers[spec.id]}\n"
    return Response.text(text)


async def tell(node: Node, message: Mapping[str, Any]) -> str:
    """The busiest threads of this node."""
    seconds = message["interval"] / 1000
    found = await asyncio.to_thread(hot_threads.sample, seconds, message["snapshots"])
    ignores = message["ignore_idle"]
    title = (
        f"   Hot threads at {iso_time(node.clock.now_ms())}, interval={message['interval']}ms, "
        f"busiestThreads={message['threads']}, ignoreIdleThreads={str(ignores).lower()}:\n"
    )
    shown = [thread for thread in found if not (ignores and hot_threads.idle(thread))][: message["threads"]]
    return title + "".join(_thread(thread, seconds, message["snapshots"]) for thread in shown)


def _thread(thread: hot_threads.HotThread, seconds: float, snapshots: int) -> str:
    spent = f"{thread.busy * 1000:.0f}ms out of {seconds * 1000:.0f}ms"
    text = f"   \n   {100 * thread.busy / seconds:5.1f}% ({spent}) cpu usage by thread '{thread.name}'\n"
    for stack, count in thread.stacks.most_common(3):
        text += f"     {count}/{snapshots} snapshots sharing following {len(stack)} elements\n"
        text += "".join(f"       {call}\n" for call in stack)
    return text


_PARAMS = ("threads", "interval", "snapshots", "type", "ignore_idle_threads", "timeout")
ROUTES = [
    Route("GET", path, show, _PARAMS, text=True)
    for name in ("hot_threads", "hotthreads")
    for nodes in ("/_nodes", "/_cluster/nodes")
    for path in (f"{nodes}/{name}", f"{nodes}/{{node_id}}/{name}")
]
