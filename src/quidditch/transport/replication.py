"""What a primary and the other copies of its shard tell each other."""

from __future__ import annotations

import msgspec

OPERATIONS = "replica/operations"
"""Operations, or only checkpoints, of the primary to another copy: :class:`Operations`, answered by :class:`Checkpoints`."""
PING = "replica/ping"
"""Answered at once by a node that is alive: what tells a slow copy from one that hangs."""

STALE_TERM = "stale_primary_term_exception"
"""The error of a copy that follows a newer primary: whoever asked is the primary no longer."""


class _Message(msgspec.Struct, frozen=True, array_like=True):
    pass


class Head(_Message, frozen=True):
    """Who speaks to which copy. `term_start`: the greatest sequence number of the primary when its term began, after it had restored
    its history and filled the gaps: what another copy holds above it so far is of an older term and void.
    """

    uuid: str
    number: int
    allocation_id: str
    primary_term: int
    term_start: int
    global_checkpoint: int


class Operations(_Message, frozen=True):
    """Records as the translog holds them, oldest first; empty in a message that carries only checkpoints. The copy waits for
    `mapping_version` first. `retain`: operations from this number on are kept for copies that are away.
    """

    head: Head
    operations: bytes = b""
    mapping_version: int = 0
    retain: int = 0


class Checkpoints(_Message, frozen=True):
    """How far a copy is: its persisted local checkpoint and the global checkpoint that it knows."""

    local_checkpoint: int
    global_checkpoint: int
