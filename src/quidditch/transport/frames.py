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
_SCRATCH: Final = 64 << 10


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


def read_greeting(body: memoryview) -> Greeting:
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


def read_request(body: memoryview) -> tuple[float, str, bytes]:
    """Seconds that the caller waits, action, payload. Raises :class:`Malformed`."""
    try:
        milliseconds, length = _REQUEST.unpack_from(body)
        end = _REQUEST.size + length
        return milliseconds / 1000, str(body[_REQUEST.size : end], "utf-8"), bytes(body[end:])
    except (struct.error, UnicodeDecodeError) as error:
        raise Malformed(f"the request is not readable: {error}") from None


def scratch() -> memoryview:
    """What the splitters of one event loop may share."""
    return memoryview(bytearray(_SCRATCH))


class Splitter:
    """Cuts a stream of bytes into frames, of which it copies as little as it can. Bytes are received in `scratch`, where nothing stays;
    the rest of a frame that is not complete there in a buffer of its own, which grows with what comes of the frame, not with what was
    announced.
    """

    def __init__(self, scratch: memoryview) -> None:
        self._scratch = scratch
        self._own = memoryview(bytearray())
        self._filled = 0
        """Bytes of a frame that are in the buffer of its own."""
        self._whole = 0
        """Bytes of that frame, or of its head as long as that has not come."""
        self._used = False

    @property
    def holds(self) -> int:
        """Bytes of the buffer of its own."""
        return len(self._own)

    def room(self) -> memoryview:
        """Where the next bytes have to be put."""
        return self._own[self._filled : self._whole] if self._filled else self._scratch

    def received(self, count: int) -> list[tuple[int, int, memoryview]]:
        """The frames that are complete once so many bytes have been put there: kind, call, body. Bodies are gone when :meth:`room` is
        used again. Raises :class:`Malformed`.
        """
        data = self._own[: self._filled + count] if self._filled else self._scratch[:count]
        frames = []
        at, end = 0, len(data)
        while end - at >= _HEAD.size:
            length, kind, call = _HEAD.unpack_from(data, at)
            if not _KIND_AND_CALL <= length <= MAX_BYTES:
                raise Malformed(f"a frame of {length} bytes")
            after = at + 4 + length
            if after > end:
                break
            frames.append((kind, call, data[at + _HEAD.size : after]))
            at = after
        self._keep(data, at)
        return frames

    def _keep(self, data: memoryview, at: int) -> None:
        """The beginning of a frame, at the end of the data, stays for what is to come."""
        begun, self._filled = self._filled, len(data) - at
        if not self._filled:
            return
        self._used = True
        known = self._filled >= _HEAD.size
        self._whole = _HEAD.unpack_from(data, at)[0] + 4 if known else _HEAD.size
        size = min(self._whole, max(2 * self._filled, _SCRATCH))
        if size > len(self._own):
            self._own = memoryview(bytearray(size))
            begun = 0
        if not begun:
            self._own[: self._filled] = data[at:]

    def rest(self) -> None:
        """Gives the buffer back if it was not needed since this was called last."""
        if not self._used and not self._filled:
            self._own = memoryview(bytearray())
        self._used = False
