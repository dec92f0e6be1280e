"""What the target of a recovery asks of its source, the primary, and what each tells of a recovery.

The target asks for everything; the source keeps, for each recovery, what must not go away meanwhile. In this order: `START`, `READ` as
often as files need it, `PREPARE`, `TRACK`, `OPERATIONS` until there are no more, `FINISH`; where a primary moves also `HAND_OVER` and
`HANDED`; `END` whenever the target is through with it.
"""

from __future__ import annotations

from typing import Literal

import msgspec

START = "recovery/start"
READ = "recovery/read"
PREPARE = "recovery/prepare"
TRACK = "recovery/track"
OPERATIONS = "recovery/operations"
FINISH = "recovery/finish"
HAND_OVER = "recovery/hand_over"
HANDED = "recovery/handed"
END = "recovery/end"

DELAY = "delay_recovery_exception"
"""The source cannot yet: try later."""
UNKNOWN = "peer_recovery_not_found"
"""The source knows nothing of this recovery (any more): begin again."""

Kind = Literal["EMPTY_STORE", "EXISTING_STORE", "PEER"]
Stage = Literal["INIT", "INDEX", "VERIFY_INDEX", "TRANSLOG", "FINALIZE", "DONE"]


class _Message(msgspec.Struct, frozen=True, array_like=True):
    pass


class Start(_Message, frozen=True):
    """`from_seq_no`: the first operation that the target lacks of the history `history_uuid`; empty: it has nothing."""

    uuid: str
    number: int
    allocation_id: str
    node: str
    history_uuid: str
    from_seq_no: int


class Plan(_Message, frozen=True):
    """`manifest`: the files to take, see the kernel's `Files`; empty: operations from `from_seq_no` on are enough."""

    recovery: str
    primary_term: int
    manifest: bytes
    from_seq_no: int
    operations: int


class Recovery(_Message, frozen=True):
    recovery: str


class Read(_Message, frozen=True):
    recovery: str
    name: str
    offset: int
    length: int


class Chunk(_Message, frozen=True):
    """`waited`: milliseconds that the source's throttle took."""

    data: bytes
    waited: int = 0


class Prepared(_Message, frozen=True):
    """What the target holds above `max_seq_no` is void: no primary has it."""

    max_seq_no: int
    term_start: int
    global_checkpoint: int


class Tracked(_Message, frozen=True):
    """From here on new operations come by themselves; `operations` are asked for."""

    max_seq_no: int
    operations: int


class Next(_Message, frozen=True):
    """The chunk with this number; the one before may be asked for again."""

    recovery: str
    chunk: int


class Records(_Message, frozen=True):
    """Records of the translog in the order of their numbers, empty at the end; how many are left, about; the mapping they need."""

    records: bytes
    left: int
    mapping_version: int


class Finish(_Message, frozen=True):
    recovery: str
    local_checkpoint: int


class Finished(_Message, frozen=True):
    global_checkpoint: int


class HandedOver(_Message, frozen=True):
    """The state of the source's tracker, which the target goes on with."""

    tracker: bytes
    term_start: int


class Counts(msgspec.Struct, array_like=True):
    """Of what is carried over: `total`, of that `reused` since it was there before, and `recovered` so far."""

    total: int = 0
    reused: int = 0
    recovered: int = 0


class File(msgspec.Struct, array_like=True):
    name: str
    length: int
    reused: bool = False
    recovered: int = 0


class Progress(msgspec.Struct, array_like=True):
    """How far the recovery of a copy is. Times are milliseconds, `started` and `stopped` since the epoch, 0: not yet. `operations` are
    those of the translog; -1: not known yet.
    """

    kind: Kind
    stage: Stage = "INIT"
    started: int = 0
    stopped: int = 0
    source: str = ""
    """The id of the source's node."""
    files: Counts = msgspec.field(default_factory=Counts)
    bytes: Counts = msgspec.field(default_factory=Counts)
    details: list[File] = msgspec.field(default_factory=list)
    operations: int = 0
    operations_recovered: int = 0
    index_millis: int = 0
    verify_millis: int = 0
    translog_millis: int = 0
    source_throttled: int = 0
    target_throttled: int = 0
    retries: int = 0
