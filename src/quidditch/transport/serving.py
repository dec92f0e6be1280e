"""Handlers by action, with a bound on the calls in work: what every transport has at its receiving end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from quidditch.transport import errors
from quidditch.transport.api import Handler, Overloaded, TimedOut, UnknownAction, Unreachable

T = TypeVar("T")


class Serving:
    """The actions of one node. Work goes on when its caller has given up, as it would over a network."""

    def __init__(self, node_id: str, max_calls: int) -> None:
        self._node_id = node_id
        self._max_calls = max_calls
        self._handlers: dict[str, Handler] = {}
        self._calls: set[asyncio.Task[Any]] = set()
        self.closed = False

    def add(self, action: str, handler: Handler) -> None:
        if action in self._handlers:
            raise ValueError(f"action [{action}] is served already")
        self._handlers[action] = handler

    def handler(self, action: str) -> Handler:
        """Who answers a call from another node. Raises what refuses it: :class:`UnknownAction`, :class:`Overloaded`,
        :class:`Unreachable`.
        """
        handler = self._handlers.get(action)
        if self.closed:
            raise Unreachable(f"node [{self._node_id}] is closed")
        if handler is None:
            raise UnknownAction(f"node [{self._node_id}] does not serve [{action}]")
        if len(self._calls) >= self._max_calls:
            raise Overloaded(f"node [{self._node_id}] has {self._max_calls} calls in work")
        return handler

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Counts the work on a call until it is done."""
        task = asyncio.ensure_future(work)
        self._calls.add(task)
        task.add_done_callback(self._ended)
        return task

    async def local(self, action: str, payload: bytes, timeout: float) -> bytes:
        """A call to oneself: straight to the handler; its errors are raised as if they had travelled."""
        handler = self._handlers.get(action)
        if handler is None:
            raise UnknownAction(f"node [{self._node_id}] does not serve [{action}]")
        try:
            return await asyncio.wait_for(handled(handler, payload), timeout)
        except TimeoutError:
            raise TimedOut(f"[{self._node_id}][{action}] did not answer within {timeout:g} s") from None

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._calls.discard(task)
        if not task.cancelled():
            task.exception()  # taken here: a caller that has given up does not ask for it any more

    async def close(self) -> None:
        """Takes no more calls and ends those in work."""
        self.closed = True
        calls = list(self._calls)
        for task in calls:
            task.cancel()
        await asyncio.gather(*calls, return_exceptions=True)


async def handled(handler: Handler, payload: bytes) -> bytes:
    """The handler's answer, its errors as they travel."""
    try:
        return await handler(payload)
    except Exception as error:
        raise errors.decode(errors.encode(error)) from error
