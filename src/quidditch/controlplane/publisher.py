"""Hands every new version of the cluster state to who asked for it, in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from quidditch.controlplane.api import Subscriber
from quidditch.model.state import ClusterState

_log = structlog.get_logger(__name__)


class Publisher:
    """Lives on one event loop. A subscriber that raises is logged; the others are called all the same."""

    def __init__(self) -> None:
        self.state = ClusterState()
        self._subscribers: list[Subscriber] = []
        self._waiting: dict[asyncio.Future[None], Callable[[ClusterState], bool]] = {}

    def publish(self, state: ClusterState) -> None:
        old, self.state = self.state, state
        for subscriber in list(self._subscribers):
            try:
                subscriber(old, state)
            except Exception:
                _log.exception("subscriber of the cluster state failed", version=state.version)
        for future, predicate in list(self._waiting.items()):
            if not future.done() and predicate(state):
                future.set_result(None)

    def subscribe(self, callback: Subscriber) -> Callable[[], None]:
        self._subscribers.append(callback)

        def end() -> None:
            if callback in self._subscribers:
                self._subscribers.remove(callback)

        return end

    async def wait_for(self, predicate: Callable[[ClusterState], bool], timeout: float) -> bool:
        if predicate(self.state):
            return True
        if timeout <= 0:
            return False
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[future] = predicate
        try:
            await asyncio.wait_for(future, timeout)
        except TimeoutError:
            return False
        finally:
            del self._waiting[future]
        return True
