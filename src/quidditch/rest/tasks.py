"""`_tasks`: what the nodes work on, ending it, and work that goes on after its answer (`wait_for_completion=false`)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from quidditch.coordinator.nodes import SECONDS, Gathered, failed_node
from quidditch.coordinator.tasks import Task
from quidditch.model.errors import ApiError, illegal_argument
from quidditch.rest.errors import response_of
from quidditch.rest.node import Node
from quidditch.rest.request import Request
from quidditch.rest.response import Response
from quidditch.rest.route import Route

LIST = "nodes/tasks"
CANCEL = "nodes/tasks/cancel"
GET = "nodes/tasks/get"
_ACTION = "cluster:monitor/tasks/lists"
_KEEP = 1000
_EXTRA = "tasks"


Background = dict[int, tuple[Task, asyncio.Task[Response]]]
"""Work that goes on after its answer, and up to a limit what it came to."""


def _background(node: Node) -> Background:
    found: Background = node.extra.setdefault(_EXTRA, {})
    return found


def start(
    node: Node,
    action: str,
    description: str,
    work: Callable[[], Awaitable[Response]],
    cancel: Callable[[], None] | None = None,
) -> Response:
    """Begins the work and answers its task id at once. `cancel` asks the work to end early."""
    task = node.tasks.begin(action, lambda: description, cancel)

    async def run() -> Response:
        try:
            return await work()
        except Exception as error:
            return response_of(error, description, trace=False)
        finally:
            node.tasks.end(task)

    known = _background(node)
    known[task.number] = task, asyncio.get_running_loop().create_task(run(), name=description)
    for number in [number for number, (each, _) in known.items() if each.ended is not None][:-_KEEP]:
        del known[number]
    return Response.json({"task": f"{node.id}:{task.number}"})


# --- asked of all nodes ---------------------------------------------------------------------------------------------


async def list_all(request: Request, node: Node) -> Response:
    """`_tasks`: what is under way, grouped."""
    group = request.query.get("group_by", "nodes")
    if group not in ("nodes", "parents", "none"):
        raise illegal_argument(f"[group_by] must be one of [nodes], [parents] or [none] but was [{group}]")
    wait = (request.time("timeout", 30_000) or 0) / 1000 if request.flag("wait_for_completion") else 0
    return Response.json(_grouped(await gathered(request, node, wait), group, node))


async def gathered(request: Request, node: Node, wait_seconds: float = 0) -> Gathered:
    """What the nodes asked for work on, by task id; this question and its parts are among it."""
    message = {**_which(request), "detailed": request.flag("detailed"), "wait_seconds": wait_seconds}
    with node.tasks.during(_ACTION, str, request.header("x-opaque-id")) as task:
        message["asked_by"] = f"{node.id}:{task.number}"
        return await node.nodes.gather(_asked(request, node), LIST, message, SECONDS + wait_seconds)


async def cancel(request: Request, node: Node) -> Response:
    """Asks tasks to end early; those that cannot are left alone."""
    written = request.path_params.get("task_id")
    if written is None:
        found = await node.nodes.gather(_asked(request, node), CANCEL, _which(request))
        return Response.json(_grouped(found, "nodes", node))
    owner, number = _parsed(written)
    known = owner in node.control.state.nodes
    found = await node.nodes.gather([owner] if known else [], CANCEL, {"number": number})
    if found.errors:
        raise found.errors[owner]
    if found.answers.get(owner) is None:
        missing = ApiError(404, "resource_not_found_exception", f"task [{written}] is not found")
        nobody = ApiError(404, "no_such_node_exception", f"No such node [{owner}]", {"node_id": owner})
        return Response.json({"node_failures": [failed_node(owner, missing if known else nobody)], "nodes": {}})
    return Response.json(_grouped(found, "nodes", node))


async def get(request: Request, node: Node) -> Response:
    written = request.path_params["task_id"]
    owner, number = _parsed(written)
    wait = (request.time("timeout", 30_000) or 0) / 1000 if request.flag("wait_for_completion") else 0
    shown = None
    if owner in node.control.state.nodes:
        shown = await node.nodes.ask(owner, GET, {"number": number, "wait_seconds": wait}, SECONDS + wait)
    if shown is None:
        problem = "isn't running and hasn't stored its results"
        if owner not in node.control.state.nodes:
            problem = (
                f"belongs to the node [{owner}] which isn't part of the cluster and there is no record of the task"
            )
        raise ApiError(404, "resource_not_found_exception", f"task [{written}] {problem}")
    return Response.json(shown)


def _asked(request: Request, node: Node) -> list[str]:
    return [each.id for each in node.select(request.query.get("nodes"))]


def _which(request: Request) -> dict[str, Any]:
    parent = request.query.get("parent_task_id")
    if parent:
        _parsed(parent)
    return {"actions": request.list("actions"), "parent": parent or None}


def _parsed(written: str) -> tuple[str, int]:
    owner, colon, number = written.rpartition(":")
    if not colon or not owner or not (number.isascii() and number.isdigit() and len(number) < 19):
        raise illegal_argument(f"malformed task id {written}")
    return owner, int(number)


def _grouped(gathered: Gathered, group: str, node: Node) -> dict[str, Any]:
    failures = {"node_failures": gathered.failures} if gathered.errors else {}
    shown = {name: task for tasks in gathered.answers.values() for name, task in (tasks or {}).items()}
    if group == "none":
        return {**failures, "tasks": list(shown.values())}
    if group == "parents":
        return {**failures, "tasks": _families(shown)}
    nodes: dict[str, Any] = {}
    for id, tasks in gathered.answers.items():
        known = node.control.state.nodes.get(id)
        if tasks and known is not None:
            spec = known.spec
            nodes[id] = {
                "name": spec.name,
                "transport_address": spec.transport_address,
                "host": spec.host,
                "ip": spec.transport_address,
                "roles": sorted(spec.roles),
                "attributes": dict(spec.attributes),
                "tasks": tasks,
            }
    return {**failures, "nodes": nodes}


def _families(tasks: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Tasks by their ids, those that are part of another below that, as far as it is shown."""
    for task in tasks.values():
        parent = tasks.get(task.get("parent_task_id", ""))
        if parent is not None:
            parent.setdefault("children", []).append(task)
    return {id: task for id, task in tasks.items() if task.get("parent_task_id") not in tasks}


# --- answered by one ------------------------------------------------------------------------------------------------


async def tell(node: Node, message: Mapping[str, Any]) -> dict[str, Any]:
    """The tasks of this node that are under way, by their ids."""
    with node.tasks.during(f"{_ACTION}[n]", str, parent=message["asked_by"]) as own:
        if message["asked_by"].startswith(f"{node.id}:"):
            own.kind = "direct"
        found = node.tasks.chosen(message["actions"], message["parent"])
        shown = {f"{node.id}:{task.number}": _shown(node, task) for task in found}
        await _ended([task for task in found if not task.action.startswith(_ACTION)], message["wait_seconds"])
    if not message["detailed"]:
        for task in shown.values():
            del task["description"], task["resource_stats"]
    return shown


async def tell_cancelled(node: Node, message: Mapping[str, Any]) -> dict[str, Any] | None:
    """Cancels tasks of this node; None if the one asked for is not under way."""
    if "number" in message:
        task = node.tasks.running.get(message["number"])
        if task is None:
            return None
        if task.cancel is None:
            raise illegal_argument(f"task [{node.id}:{task.number}] doesn't support cancellation")
        chosen = [task]
    else:
        chosen = [task for task in node.tasks.chosen(message["actions"], message["parent"]) if task.cancel is not None]
    for task in chosen:
        task.abandon()
    return {f"{node.id}:{task.number}": _shown(node, task) for task in chosen}


async def tell_one(node: Node, message: Mapping[str, Any]) -> dict[str, Any] | None:
    """A task of this node, with what it answered if it has ended; None if there is no such."""
    background = _background(node).get(message["number"])
    task = node.tasks.running.get(message["number"]) if background is None else background[0]
    if task is None:
        return None
    await _ended([task], message["wait_seconds"])
    shown: dict[str, Any] = {"completed": task.ended is not None, "task": _shown(node, task)}
    if background is not None and task.ended is not None:
        value = (await background[1]).value
        shown["error" if "error" in value else "response"] = value.get("error", value)
    return shown


async def _ended(tasks: list[Task], seconds: float) -> None:
    """Waits until the tasks are over, at most so long."""
    if tasks and seconds > 0:
        waits = [asyncio.create_task(task.wait()) for task in tasks]
        _, late = await asyncio.wait(waits, timeout=seconds)
        for wait in late:
            wait.cancel()


def _shown(node: Node, task: Task) -> dict[str, Any]:
    ended = node.clock.monotonic() if task.ended is None else task.ended
    return {
        "node": node.id,
        "id": task.number,
        "type": task.kind,
        "action": task.action,
        "description": task.describe(),
        "start_time_in_millis": task.started_ms,
        "running_time_in_nanos": int((ended - task.started) * 1e9),
        "cancellable": task.cancel is not None,
        "cancelled": task.cancelled,
        **({"parent_task_id": task.parent} if task.parent else {}),
        "headers": {} if task.opaque_id is None else {"X-Opaque-Id": task.opaque_id},
        "resource_stats": {},
    }


_LIST = ("nodes", "actions", "parent_task_id")
ROUTES = [
    Route("GET", "/_tasks", list_all, (*_LIST, "timeout", "detailed", "wait_for_completion", "group_by")),
    Route("POST", "/_tasks/_cancel", cancel, (*_LIST, "wait_for_completion")),
    Route("POST", "/_tasks/{task_id}/_cancel", cancel, (*_LIST, "wait_for_completion")),
    Route("GET", "/_tasks/{task_id}", get, ("wait_for_completion", "timeout")),
]
