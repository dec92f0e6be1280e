"""Questions to other nodes as a whole: asked of one, of some or of all at once, with what failed as OpenSearch shows it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from quidditch.model.errors import ApiError
from quidditch.transport.api import Transport, TransportError
from quidditch.transport.errors import from_transport

Handler = Callable[[Any], Awaitable[Any]]
"""Answers a question. Both are plain values: objects, lists, text, bytes, numbers."""
SECONDS = 30.0
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


@dataclass(slots=True)
class Gathered:
    """What the nodes answered, by their ids in the order asked, and why some did not."""

    answers: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, ApiError] = field(default_factory=dict)

    @property
    def failures(self) -> list[dict[str, Any]]:
        return [failed_node(node, error) for node, error in self.errors.items()]

    def header(self) -> dict[str, Any]:
        """The `_nodes` section of an answer."""
        successful, failed = len(self.answers), len(self.errors)
        shown: dict[str, Any] = {"total": successful + failed, "successful": successful, "failed": failed}
        return {**shown, "failures": self.failures} if failed else shown


def failed_node(node: str, error: ApiError) -> dict[str, Any]:
    """How a node that did not answer is shown."""
    about = {"type": "failed_node_exception", "reason": f"Failed node [{node}]", "node_id": node}
    return {**about, "caused_by": error.body()}


class Nodes:
    """A node's questions to the others, itself included: those to itself take the short way."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._handlers: dict[str, Handler] = {}

    @property
    def id(self) -> str:
        return self._transport.node_id

    def serve(self, action: str, handler: Handler) -> None:
        """From now on answers questions of this action."""

        async def handle(payload: bytes) -> bytes:
            return _encode(await handler(_decode(payload)))

        self._handlers[action] = handler
        self._transport.serve(action, handle)

    async def ask(self, node: str, action: str, message: Any, timeout: float = SECONDS) -> Any:
        """The answer of one node. Raises :class:`ApiError`, a :class:`CallFailed` where it could not be asked."""
        if node == self.id and action in self._handlers:
            return await self._handlers[action](message)
        try:
            return _decode(await self._transport.call(node, action, _encode(message), timeout))
        except TransportError as error:
            raise from_transport(error, node, action) from None

    async def gather(self, nodes: Iterable[str], action: str, message: Any, timeout: float = SECONDS) -> Gathered:
        """The answers of several nodes; one that fails or does not answer in time does not hinder the others."""
        asked = list(nodes)
        found = await asyncio.gather(*(self._one(node, action, message, timeout) for node in asked))
        gathered = Gathered()
        for node, answer in zip(asked, found, strict=True):
            if isinstance(answer, ApiError):
                gathered.errors[node] = answer
            else:
                gathered.answers[node] = answer
        return gathered

    async def _one(self, node: str, action: str, message: Any, timeout: float) -> Any:
        try:
            return await self.ask(node, action, message, timeout)
        except ApiError as error:
            return error
