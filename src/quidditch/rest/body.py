"""Request bodies: read with a limit, unpacked, and translated from YAML."""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson
import yaml

from quidditch.model.errors import ApiError
from quidditch.rest.pressure import Pressure

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class ClientGone(Exception):
    """The client closed the connection before its request was complete."""


class TooLarge(Exception):
    """The body is over the limit."""


async def read(receive: Receive, declared: bytes | None, limit: int, pressure: Pressure) -> tuple[bytes, int]:
    """The body, and how many bytes of it were counted as in flight; the caller gives them back."""
    expected = int(declared) if declared and declared.isdigit() else 0
    if expected > limit:
        raise TooLarge
    taken = expected
    pressure.take_body(expected)
    try:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        if not message.get("more_body"):
            body: bytes = message.get("body", b"")
        else:
            pieces = bytearray(message.get("body", b""))
            while message.get("more_body"):
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                pieces += message.get("body", b"")
                if len(pieces) > taken:
                    if len(pieces) > limit:
                        raise TooLarge
                    pressure.take_body(len(pieces) - taken)
                    taken = len(pieces)
            body = bytes(pieces)
    except BaseException:
        pressure.give_body(taken)
        raise
    return body, taken


async def pass_over(receive: Receive, limit: int) -> bool:
    """Reads a body and keeps nothing of it, as many clients hear an answer only when they have sent all; whether it ended within the
    limit.
    """
    more = True
    while more and limit >= 0:
        message = await receive()
        limit -= len(message.get("body", b""))
        more = bool(message.get("more_body")) and message["type"] != "http.disconnect"
    return not more


def unpack(body: bytes, encoding: bytes, limit: int) -> bytes:
    """The body without its Content-Encoding."""
    name = encoding.strip().lower()
    if name in (b"", b"identity"):
        return body
    if name not in (b"gzip", b"x-gzip", b"deflate"):
        raise ApiError(
            415, "illegal_argument_exception", f"Content-Encoding [{encoding.decode('latin-1')}] is not supported"
        )
    result, rest = b"", body
    while rest:  # a gzip file may have several members
        inflater = zlib.decompressobj(wbits=47)
        try:
            result += inflater.decompress(rest, limit + 1 - len(result))
        except zlib.error as error:
            raise ApiError(400, "zip_exception", f"the body is not valid {name.decode()}: {error}") from None
        if len(result) > limit:
            raise TooLarge
        if not inflater.eof:
            raise ApiError(400, "zip_exception", f"the body is not valid {name.decode()}: it ends too early")
        rest = inflater.unused_data
    return result


class _Loader(yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader):  # type: ignore[misc]
    """YAML without aliases, which could blow a small body up, and without dates."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, regex) for tag, regex in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def from_yaml(body: bytes) -> bytes:
    """A YAML body as JSON."""
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(body, Loader=_Loader)):
            raise ApiError(400, "parse_exception", "YAML aliases are not supported")
        return orjson.dumps(yaml.load(body, Loader=_Loader), option=orjson.OPT_NON_STR_KEYS)
    except yaml.YAMLError as error:
        raise ApiError(400, "parse_exception", f"the body is not valid YAML: {error}") from None
    except (TypeError, orjson.JSONEncodeError) as error:
        raise ApiError(400, "parse_exception", f"the body's YAML has no JSON form: {error}") from None
