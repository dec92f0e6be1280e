"""What nodes and the leader say to each other, as bytes. Actions, by who serves them:

    leader   control/join       a node asks to be taken in             Join    -> Joined
             control/beat       it lives, and how it is               Beat    -> Heard
             control/leave      it goes                                Leave   -> Heard
             control/submit     a command to be decided                Submit  -> Submitted
             control/pending    what waits to be decided               (none)  -> [Pending]
    master   control/alive      in which epoch it leads or led         (none)  -> Heard
    node     control/here       whether it is there                    (none)  -> (none)
             control/publish    a newer cluster state                  Publish -> Applied

A master that does not lead refuses with `not_leading` and names the leader that it knows.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

import msgspec

from quidditch.controlplane.core.allocation.info import NodeLoad
from quidditch.controlplane.core.commands import Command, HeldShard, Result
from quidditch.model.errors import ApiError
from quidditch.model.objects import NodeSpec

JOIN: Final = "control/join"
BEAT: Final = "control/beat"
LEAVE: Final = "control/leave"
SUBMIT: Final = "control/submit"
PENDING: Final = "control/pending"
ALIVE: Final = "control/alive"
HERE: Final = "control/here"
PUBLISH: Final = "control/publish"

NOT_LEADING: Final = "not_cluster_manager_exception"
T = TypeVar("T")


class _Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """Members that a later version adds have defaults: an older reader passes over them."""


class Join(_Message, frozen=True):
    """`fresh`: the process has just started and holds no open shard. `cluster`: the uuid on its disk, empty if none. `held`: the data
    of shards there; None: it does not say.
    """

    node: NodeSpec
    cluster: str = ""
    fresh: bool = False
    held: tuple[HeldShard, ...] | None = None


class Joined(_Message, frozen=True):
    """Taken in by the leader at `address` in its `epoch`; the state comes by `control/publish`."""

    cluster: str
    leader: str
    address: str
    epoch: int


class Beat(_Message, frozen=True):
    """`version`: the newest cluster state that the node has applied. Shards that a leader has been told of are left out."""

    node: str
    ephemeral: str
    epoch: int
    version: int
    load: NodeLoad = NodeLoad()


class Heard(_Message, frozen=True):
    """`known` False: the leader has no such node (any more): join again."""

    known: bool
    epoch: int


class Leave(_Message, frozen=True):
    node: str
    ephemeral: str


class Submit(_Message, frozen=True):
    """`wait_seconds`: how long it may wait to be decided; None: as long as it takes."""

    command: Command
    wait_seconds: float | None = None


class Submitted(_Message, frozen=True):
    """`version`: the cluster state that has it. `everywhere`: every live node has applied that version."""

    result: Result
    version: int
    everywhere: bool = True


class Pending(_Message, frozen=True):
    insert_order: int
    priority: str
    source: str
    executing: bool
    time_in_queue_ms: int


class Publish(_Message, frozen=True):
    """Differences that follow each other, oldest first; see :mod:`quidditch.model.diff`."""

    epoch: int
    leader: str
    diffs: list[bytes]


class Applied(_Message, frozen=True):
    """`version` is what the node has now; 0 if it could not apply the differences and wants the whole state."""

    epoch: int
    version: int


_encoder = msgspec.msgpack.Encoder()
_decoders: dict[type, msgspec.msgpack.Decoder[Any]] = {}


def encode(message: Any) -> bytes:
    return _encoder.encode(message)


def decode(data: bytes, kind: type[T]) -> T:
    """Raises :class:`ApiError` for bytes that are no such message."""
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.msgpack.Decoder(kind)
    try:
        found: T = decoder.decode(data)
    except msgspec.DecodeError as error:
        raise ApiError(
            400, "illegal_argument_exception", f"message [{kind.__name__}] is not readable: {error}"
        ) from None
    return found


def not_leading(node: str, leader: str) -> ApiError:
    """What a master answers that is not the leader; `leader` is the address of the one it knows, empty if none."""
    return ApiError(503, NOT_LEADING, f"node [{node}] does not lead", {"leader": leader})
