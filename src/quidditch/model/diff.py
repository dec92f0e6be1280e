"""Differences between two versions of the cluster state, for publication: versioned bytes, applied only to the
version they start from.
"""

from __future__ import annotations

import msgspec

from quidditch.model.codec import FORMAT, FormatError
from quidditch.model.objects import Object
from quidditch.model.state import ClusterState, Deleted


class StateDiff(msgspec.Struct, frozen=True):
    """From `base` to `version`; `base` 0 stands for an empty state, that is: the full state."""

    base: int
    version: int
    written: list[Object]
    deleted: list[Deleted]


class VersionMismatch(Exception):
    """The diff starts from another version than the state has: ask for the full state."""


class _Versioned(msgspec.Struct, frozen=True):
    format: int
    diff: StateDiff


class _Header(msgspec.Struct, frozen=True):
    format: int


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Versioned).decode
_header = msgspec.msgpack.Decoder(_Header).decode


def between(old: ClusterState, new: ClusterState) -> StateDiff:
    """What leads from `old` to `new`; what both share is not looked at."""
    written: list[Object] = []
    deleted: list[Deleted] = []
    for kind in sorted({*old.kinds(), *new.kinds()}):
        before, after = old.objects(kind), new.objects(kind)
        for key in old.differs(new, kind):
            obj = after.get(key)
            if obj is None:
                deleted.append(Deleted(kind, key))
            elif before.get(key) != obj:
                written.append(obj)
    return StateDiff(old.version, new.version, written, deleted)


def full(state: ClusterState) -> StateDiff:
    """The whole state as a diff from nothing."""
    return StateDiff(0, state.version, list(state), [])


def apply(state: ClusterState, diff: StateDiff) -> ClusterState:
    """`state` at the diff's version. Raises :class:`VersionMismatch`."""
    if diff.base == 0:
        return ClusterState().apply(diff.written, diff.version)
    if state.version != diff.base:
        raise VersionMismatch(f"state has version {state.version}, the diff starts from {diff.base}")
    return state.apply([*diff.deleted, *diff.written], diff.version)


def encode(diff: StateDiff) -> bytes:
    return _encode(_Versioned(FORMAT, diff))


def decode(data: bytes) -> StateDiff:
    """Raises :class:`FormatError` for a newer format."""
    try:
        found = _decode(data)
    except msgspec.DecodeError as error:
        _refuse_newer(data)
        raise FormatError(f"cluster state diff is not readable: {error}") from error
    if found.format > FORMAT:
        _refuse_newer(data)
    return found.diff


def _refuse_newer(data: bytes) -> None:
    try:
        number = _header(data).format
    except msgspec.DecodeError as error:
        raise FormatError(f"cluster state diff is not readable: {error}") from error
    if number > FORMAT:
        raise FormatError(f"cluster state diff has format {number}, this version reads up to {FORMAT}")
