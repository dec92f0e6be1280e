"""Versioned bytes of objects: JSON with a `format` number. An older format is read (and upgraded), a newer one is
refused.

A change of what objects mean raises `FORMAT` and adds an upgrade from the number before; tests/unit/model/formats keeps
bytes of every format.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from quidditch.model.objects import Object

FORMAT = 1
_Tree = dict[str, Any]
_UPGRADES: Mapping[int, Callable[[_Tree], _Tree]] = {}


class FormatError(Exception):
    """Stored bytes that this version cannot read; the message says why."""


class _Envelope(msgspec.Struct, frozen=True):
    format: int
    object: msgspec.Raw


class _Versioned(msgspec.Struct, frozen=True):
    format: int
    object: Object


_encoder = msgspec.json.Encoder()
_decode_versioned = msgspec.json.Decoder(_Versioned).decode
_decode_envelope = msgspec.json.Decoder(_Envelope).decode


def encode(obj: Object) -> bytes:
    """The stored form, without the resource version (which is the store's)."""
    if obj.metadata.resource_version:
        obj = with_version(obj, "")
    return _encoder.encode(_Versioned(format=FORMAT, object=obj))


def decode(data: bytes, resource_version: str = "") -> Object:
    """The object of these bytes. Raises :class:`FormatError` for a newer format or for bytes that are no object."""
    try:
        envelope = _decode_envelope(data)
    except msgspec.DecodeError as error:
        raise FormatError(f"stored object is not readable: {error}") from error
    if envelope.format > FORMAT:
        raise FormatError(
            f"stored object has format {envelope.format}, this version reads up to {FORMAT}; upgrade before starting"
        )
    try:
        obj = _decode_versioned(data).object if envelope.format == FORMAT else _upgraded(envelope)
    except msgspec.DecodeError as error:
        raise FormatError(f"stored object is not readable: {error}") from error
    return with_version(obj, resource_version) if resource_version else obj


def _upgraded(envelope: _Envelope) -> Object:
    tree: _Tree = msgspec.json.decode(envelope.object)
    for number in range(envelope.format, FORMAT):
        if number not in _UPGRADES:
            raise FormatError(f"stored object has unknown format {number}")
        tree = _UPGRADES[number](tree)
    obj: Object = msgspec.convert(tree, Object)
    return obj


def with_version(obj: Object, resource_version: str) -> Object:
    """The same object with another resource version."""
    metadata = msgspec.structs.replace(obj.metadata, resource_version=resource_version)
    return msgspec.structs.replace(obj, metadata=metadata)
