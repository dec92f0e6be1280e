"""Work that goes on after the answer (`wait_for_completion=false`): started here, asked for by `_tasks/{task_id}`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from quidditch.model import wildcard
from quidditch.model.errors import ApiError, illegal_argument
from quidditch.rest import node_filter
from quidditch.rest.errors import response_of
from quidditch.rest.node import Node
from quidditch.rest.request import Request
from quidditch.rest.response import Response
from quidditch.rest.route import Route

_KEEP = 1000
_EXTRA = "tasks"


@dataclass(slots=True)
class BackgroundTask:
    """One piece of work. `started_ms` is wall-clock time, `started` and `ended` seconds that only go forward."""

    number: int
    action: str
    description: str
    started_ms: int
    started: float
    cancel: Callable[[], None] | None = None
    cancelled: bool = False
    ended: float | None = None
    running: asyncio.Task[Response] | None = None


@dataclass(slots=True)
class BackgroundTasks:
    """What this node works on and, up to a limit, what it has done."""

    numbers: count[int] = field(default_factory=lambda: count(1))
    known: dict[int, BackgroundTask] = field(default_factory=dict)


def _tasks(node: Node) -> BackgroundTasks:
    found = node.extra.get(_EXTRA)
    if found is None:
        found = node.extra[_EXTRA] = BackgroundTasks()
    assert isinstance(found, BackgroundTasks)
    return found


def start(
    node: Node,
    action: str,
    description: str,
    work: Callable[[], Awaitable[Response]],
    cancel: Callable[[], None] | None = None,
) -> Response:
    """Begins the work and answers its task id at once. `cancel` asks the work to end early."""
    tasks = _tasks(node)
    number = next(tasks.numbers)
    task = BackgroundTask(number, action, description, node.clock.now_ms(), node.clock.monotonic(), cancel)

    async def run() -> Response:
        try:
            return await work()
        except Exception as error:
            return response_of(error, description, trace=False)
        finally:
            task.ended = node.clock.monotonic()

    task.running = asyncio.get_running_loop().create_task(run(), name=description)
    tasks.known[task.number] = task
    for number in [number for number, each in tasks.known.items() if each.ended is not None][:-_KEEP]:
        del tasks.known[number]
    return Response.json({"task": f"{node.id}:{task.number}"})


async def list_all(request: Request, node: Node) -> Response:
    """`_tasks`: what is under way, grouped."""
    group = request.query.get("group_by", "nodes")
    if group not in ("nodes", "parents", "none"):
        raise illegal_argument(f"[group_by] must be one of [nodes], [parents] or [none] but was [{group}]")
    shown = _running(request, node)
    if request.flag("wait_for_completion"):
        waits = [task.running for task in _matching(request, node) if task.running is not None]
        if waits:
            await asyncio.wait(waits, timeout=(request.time("timeout", 30_000) or 0) / 1000)
    return Response.json(_grouped(shown, group, node))


async def cancel(request: Request, node: Node) -> Response:
    """Asks tasks to end early; those that cannot are left alone."""
    written = request.path_params.get("task_id")
    if written is None:
        chosen = [task for task in _matching(request, node) if task.cancel is not None]
    else:
        task = _find(written, node)
        if task is None or task.ended is not None:
            reason = f"task [{written}] is not found"
            failure = {"type": "resource_not_found_exception", "reason": reason}
            failed = {"type": "failed_node_exception", "reason": f"Failed node [{node.id}]", "node_id": node.id}
            return Response.json({"node_failures": [{**failed, "caused_by": failure}], "nodes": {}})
        if task.cancel is None:
            raise illegal_argument(f"task [{written}] doesn't support cancellation")
        chosen = [task]
    for task in chosen:
        task.cancelled = True
        if task.cancel is not None:
            task.cancel()
    return Response.json(_grouped({f"{node.id}:{task.number}": _shown(node, task) for task in chosen}, "nodes", node))


def _matching(request: Request, node: Node) -> list[BackgroundTask]:
    """What is under way and meets `actions` and `nodes`."""
    wanted = request.list("actions")
    chosen = node_filter.select_nodes(node.control.state, request.query.get("nodes"), node.id)
    if all(each.id != node.id for each in chosen):
        return []
    found = [task for task in _tasks(node).known.values() if task.ended is None]
    return [task for task in found if not wanted or any(wildcard.matches(pattern, task.action) for pattern in wanted)]


def _running(request: Request, node: Node) -> dict[str, Any]:
    detailed = request.flag("detailed")
    shown = {f"{node.id}:{task.number}": _shown(node, task) for task in _matching(request, node)}
    if not detailed:
        for task in shown.values():
            del task["description"], task["resource_stats"]
    return shown


def _grouped(shown: dict[str, Any], group: str, node: Node) -> dict[str, Any]:
    if group == "none":
        return {"tasks": list(shown.values())}
    if group == "parents":
        return {"tasks": shown}
    if not shown:
        return {"nodes": {}}
    spec = node.control.state.nodes[node.id].spec
    about = {
        "name": spec.name,
        "transport_address": spec.transport_address,
        "host": spec.host,
        "ip": spec.transport_address,
        "roles": sorted(spec.roles),
        "attributes": dict(spec.attributes),
    }
    return {"nodes": {node.id: {**about, "tasks": shown}}}


def _find(written: str, node: Node) -> BackgroundTask | None:
    owner, colon, number = written.rpartition(":")
    if not colon or not number.isdigit():
        raise illegal_argument(f"malformed task id {written}")
    return _tasks(node).known.get(int(number)) if owner == node.id else None


async def get(request: Request, node: Node) -> Response:
    written = request.path_params["task_id"]
    task = _find(written, node)
    if task is None or task.running is None:
        owner = written.rpartition(":")[0]
        problem = "isn't running and hasn't stored its results"
        if owner not in node.control.state.nodes:
            problem = (
                f"belongs to the node [{owner}] which isn't part of the cluster and there is no record of the task"
            )
        raise ApiError(404, "resource_not_found_exception", f"task [{written}] {problem}")
    if request.flag("wait_for_completion"):
        await asyncio.wait([task.running], timeout=(request.time("timeout", 30_000) or 0) / 1000)
    shown: dict[str, Any] = {"completed": task.running.done(), "task": _shown(node, task)}
    if task.running.done():
        value = task.running.result().value
        shown["error" if "error" in value else "response"] = value.get("error", value)
    return Response.json(shown)


def _shown(node: Node, task: BackgroundTask) -> dict[str, Any]:
    ended = node.clock.monotonic() if task.ended is None else task.ended
    return {
        "node": node.id,
        "id": task.number,
        "type": "transport",
        "action": task.action,
        "description": task.description,
        "start_time_in_millis": task.started_ms,
        "running_time_in_nanos": int((ended - task.started) * 1e9),
        "cancellable": task.cancel is not None,
        "cancelled": task.cancelled,
        "headers": {},
        "resource_stats": {},
    }


_LIST = ("nodes", "actions", "parent_task_id", "timeout")
ROUTES = [
    Route("GET", "/_tasks", list_all, (*_LIST, "detailed", "wait_for_completion", "group_by")),
    Route("POST", "/_tasks/_cancel", cancel, (*_LIST, "wait_for_completion")),
    Route("POST", "/_tasks/{task_id}/_cancel", cancel, (*_LIST, "wait_for_completion")),
    Route("GET", "/_tasks/{task_id}", get, ("wait_for_completion", "timeout")),
]
