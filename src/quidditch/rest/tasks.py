"""Work that goes on after the answer (`wait_for_completion=false`): started here, asked for by `_tasks/{task_id}`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from quidditch.model.errors import ApiError, illegal_argument
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


def start(node: Node, action: str, description: str, work: Callable[[], Awaitable[Response]]) -> Response:
    """Begins the work and answers its task id at once."""
    tasks = _tasks(node)
    task = BackgroundTask(next(tasks.numbers), action, description, node.clock.now_ms(), node.clock.monotonic())

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


async def get(request: Request, node: Node) -> Response:
    written = request.path_params["task_id"]
    owner, colon, number = written.rpartition(":")
    if not colon or not number.isdigit():
        raise illegal_argument(f"malformed task id {written}")
    task = _tasks(node).known.get(int(number)) if owner == node.id else None
    if task is None or task.running is None:
        raise ApiError(
            404, "resource_not_found_exception", f"task [{written}] isn't running and hasn't stored its results"
        )
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
        "cancellable": False,
        "cancelled": False,
        "headers": {},
        "resource_stats": {},
    }


ROUTES = [Route("GET", "/_tasks/{task_id}", get, ("wait_for_completion", "timeout"))]
