"""Frames on a connection between two nodes: a length, a kind, the number of the call, a body.

    u32 length of what follows | u8 kind | u64 call | body

The first frame of each side is a greeting with the version of this format and who speaks; a side that does not like it closes.
"""

from __future__ import annotations

import struct
from typing import Final

import msgspec

VERSION: Final = 1
MAX_BYTES: Final = 1 << 30
"""The largest frame; whoever announces more is not one of us."""

GREETING: Final = 0
REQUEST: Final = 1
ANSWER: Final = 2
ERROR: Final = 3
"""The other side's error, as :mod:`quidditch.transport.errors` writes it."""
UNKNOWN_ACTION: Final = 4
OVERLOADED: Final = 5
PING: Final = 6
PONG: Final = 7

_HEAD = struct.Struct("<IBQ")
_REQUEST = struct.Struct("<IB")
_KIND_AND_CALL: Final = _HEAD.size - 4


class Malformed(Exception):
    """What came in is not a frame of this format."""


class Greeting(msgspec.Struct, frozen=True):
    """Who speaks. `to` names the node that the dialling side means to reach: an address may have got another tenant."""

    version: int
    cluster: str
    node: str
    to: str = ""


_encode_greeting = msgspec.msgpack.Encoder().encode
_decode_greeting = msgspec.msgpack.Decoder(Greeting).decode


def head(kind: int, call: int, body_length: int) -> bytes:
    """What stands before a body of so many bytes."""
    return _HEAD.pack(body_length + _KIND_AND_CALL, kind, call)


def greeting(cluster: str, node: str, to: str = "") -> bytes:
    body = _encode_greeting(Greeting(VERSION, cluster, node, to))
    return head(GREETING, 0, len(body)) + body


def read_greeting(body: bytes) -> Greeting:
    """Raises :class:`Malformed`."""
    try:
        return _decode_greeting(body)
    except msgspec.DecodeError as error:
        raise Malformed(f"the greeting is not readable: {error}") from None


def request_head(call: int, action: str, timeout: float, payload_length: int) -> bytes:
    """The head of a request whose payload follows: deadline in milliseconds from now, action, payload."""
    name = action.encode()
    inner = _REQUEST.pack(min(int(timeout * 1000), 0xFFFFFFFF), len(name)) + name
    return head(REQUEST, call, len(inner) + payload_length) + inner


def read_request(body: bytes) -> tuple[float, str, bytes]:
    """Seconds that the caller waits, action, payload. Raises :class:`Malformed`."""
    try:
        milliseconds, length = _REQUEST.unpack_from(body)
        start = _REQUEST.size
        return milliseconds / 1000, body[start : start + length].decode(), body[start + length :]
    except (struct.error, UnicodeDecodeError) as error:
        raise Malformed(f"the request is not readable: {error}") from None


class Splitter:
    """Cuts a stream of bytes into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[tuple[int, int, bytes]]:
        """The frames that are complete now: kind, call, body. Raises :class:`Malformed`."""
        buffer = self._buffer
        buffer += data
        frames = []
        at = 0
        while len(buffer) - at >= _HEAD.size:
            length, kind, call = _HEAD.unpack_from(buffer, at)
            if not _KIND_AND_CALL <= length <= MAX_BYTES:
                raise Malformed(f"a frame of {length} bytes")
            end = at + 4 + length
            if len(buffer) < end:
                break
            frames.append((kind, call, bytes(memoryview(buffer)[at + _HEAD.size : end])))
            at = end
        if at:
            del buffer[:at]
        return frames
