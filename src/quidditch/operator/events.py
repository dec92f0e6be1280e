"""Events that `kubectl describe` and `kubectl events` show. One that comes again counts up instead of making another."""

from __future__ import annotations

import hashlib
from typing import Literal

import structlog

from quidditch.lib.clock import Clock
from quidditch.lib.kube import errors
from quidditch.lib.kube.client import Client, Tree
from quidditch.lib.kube.limits import Priority
from quidditch.lib.kube.resource import ResourceType
from quidditch.operator.times import rfc3339

_log = structlog.get_logger(__name__)
EVENTS = ResourceType("", "v1", "events", "Event")
_COMPONENT = "quidditch-operator"
_MESSAGE_MOST = 1024
"""Characters that the API server takes."""


class Events:
    """Tells of objects. What the API server does not take is logged and forgotten: an event is no state."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    async def normal(self, about: Tree, reason: str, message: str) -> None:
        await self._tell(about, "Normal", reason, message)

    async def warning(self, about: Tree, reason: str, message: str) -> None:
        await self._tell(about, "Warning", reason, message)

    async def _tell(self, about: Tree, type: Literal["Normal", "Warning"], reason: str, message: str) -> None:
        meta = about["metadata"]
        message = message[:_MESSAGE_MOST]
        mark = hashlib.sha256(f"{meta['uid']} {type} {reason} {message}".encode()).hexdigest()[:16]
        name, now = f"{meta['name'][:200]}.{mark}", rfc3339(self._clock.now_ms())
        event = {
            "metadata": {"name": name, "namespace": meta["namespace"]},
            "involvedObject": {
                "apiVersion": about["apiVersion"],
                "kind": about["kind"],
                "name": meta["name"],
                "namespace": meta["namespace"],
                "uid": meta["uid"],
                "resourceVersion": meta["resourceVersion"],
            },
            "type": type,
            "reason": reason,
            "message": message,
            "source": {"component": _COMPONENT},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        try:
            try:
                await self._client.create(EVENTS, event, meta["namespace"], priority=Priority.BACKGROUND)
            except errors.AlreadyExists:
                known = await self._client.get(EVENTS, name, meta["namespace"], priority=Priority.BACKGROUND)
                again = {"count": known.get("count", 1) + 1, "lastTimestamp": now}
                await self._client.patch(EVENTS, name, again, meta["namespace"], priority=Priority.BACKGROUND)
        except errors.KubeError as error:
            _log.warning("event not told", about=meta["name"], reason=reason, error=str(error))
