"""Calls whose payloads are messages."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from quidditch.transport.api import Transport

T = TypeVar("T")
_encode = msgspec.msgpack.Encoder().encode


class Messages:
    """Calls of one node to others, itself included."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._decoders: dict[type, msgspec.msgpack.Decoder[Any]] = {}

    async def call(self, node: str, action: str, message: object, answer: type[T], timeout: float) -> T:
        """See :meth:`Transport.call`."""
        decoder = self._decoders.get(answer)
        if decoder is None:
            decoder = self._decoders[answer] = msgspec.msgpack.Decoder(answer)
        told: T = decoder.decode(await self._transport.call(node, action, _encode(message), timeout))
        return told
