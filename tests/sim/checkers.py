"""What must be true of a cluster, whatever happened to it: looked at while it runs, and once it has come to rest."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from tests.sim.disk import Folder, Record

ShardId = tuple[str, int]
Content = Mapping[str, tuple[int, int, int, str]]


class Violation(AssertionError):
    """The cluster broke a promise."""


@dataclass
class Write:
    """One operation of a writer on one document. `value` None deletes; each value is written once."""

    shard: ShardId
    id: str
    value: str | None
    began: float
    ended: float = float("inf")
    outcome: Literal["ok", "refused", "unknown"] = "unknown"
    seq_no: int = -1
    term: int = -1


class Read(NamedTuple):
    shard: ShardId
    id: str
    ended: float
    value: str | None


class CopyAtRest(NamedTuple):
    """A copy when all is over: where it is, its documents with the marks of deleted ones, and its checkpoints."""

    where: str
    documents: Mapping[str, Record]
    max_seq_no: int
    local_checkpoint: int
    global_checkpoint: int
    history: Mapping[int, Record]


@dataclass
class Ledger:
    """What clients saw and what primaries did."""

    writes: list[Write] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    made: dict[tuple[ShardId, int, int], tuple[str, Record]] = field(default_factory=dict)

    def assigned(self, shard: ShardId, where: str, record: Record) -> None:
        """A primary gave an operation its number: nobody else does so in that term."""
        key = (shard, record.term, record.seq_no)
        known = self.made.setdefault(key, (where, record))
        if known[1] != record or known[0] != where:
            raise Violation(f"{shard}: {known[0]} made {known[1]} and {where} made {record} in one term")

    @property
    def acknowledged(self) -> list[Write]:
        return [write for write in self.writes if write.outcome == "ok"]


def check_history(ledger: Ledger) -> None:
    """What was acknowledged has one order, and it is that in which it happened; nothing is read that nobody wrote."""
    owners: dict[tuple[ShardId, int], Write] = {}
    for write in ledger.acknowledged:
        other = owners.setdefault((write.shard, write.seq_no), write)
        if other is not write:
            raise Violation(f"two acknowledged writes have one number: {other} and {write}")
    for shard in dict.fromkeys(write.shard for write in ledger.writes):
        _check_order([write for write in ledger.acknowledged if write.shard == shard])
    written = {(write.shard, write.id, write.value): write for write in ledger.writes}
    for read in ledger.reads:
        source = written.get((read.shard, read.id, read.value))
        if read.value is not None and (source is None or source.began > read.ended or source.outcome == "refused"):
            raise Violation(f"{read} was never written")


def _check_order(writes: Iterable[Write]) -> None:
    """Who began after another had been acknowledged has the greater number."""
    writes = list(writes)
    ends = sorted(writes, key=lambda write: write.ended)
    done, newest = 0, None
    for write in sorted(writes, key=lambda write: write.began):
        while done < len(ends) and ends[done].ended < write.began:
            newest = ends[done] if newest is None or ends[done].seq_no > newest.seq_no else newest
            done += 1
        if newest is not None and newest.seq_no > write.seq_no:
            raise Violation(f"{write} began after {newest} had been acknowledged")


def check_rest(shard: ShardId, ledger: Ledger, copies: list[CopyAtRest]) -> None:
    """All active copies of a shard, the primary first: nothing acknowledged is missing anywhere, and they are the same."""
    for copy in copies:
        _check_acknowledged(shard, ledger, copy)
        _check_terms(shard, ledger, copy)
    primary = copies[0]
    if not (primary.global_checkpoint == primary.local_checkpoint == primary.max_seq_no):
        raise Violation(f"{shard} is at rest with checkpoints behind: {_numbers(primary)}")
    for copy in copies[1:]:
        live, there = _live(primary), _live(copy)
        for id in sorted(live.keys() | there.keys()):
            if live.get(id) != there.get(id):
                raise Violation(f"{shard} [{id}]: {primary.where} has {live.get(id)}, {copy.where} has {there.get(id)}")
        if _numbers(copy) != _numbers(primary):
            raise Violation(f"{shard}: {primary.where} is at {_numbers(primary)}, {copy.where} at {_numbers(copy)}")
        for seq_no, record in copy.history.items():
            if primary.history.get(seq_no, record) != record:
                raise Violation(
                    f"{shard}: at {seq_no} {primary.where} has {primary.history[seq_no]}, {copy.where} has {record}"
                )


def _check_terms(shard: ShardId, ledger: Ledger, copy: CopyAtRest) -> None:
    """Above what a primary has acknowledged nothing of an earlier term comes back: it was void before that."""
    newest: Write | None = None
    acknowledged = sorted((each for each in ledger.acknowledged if each.shard == shard), key=lambda each: each.seq_no)
    left = deque(acknowledged)
    for seq_no, record in sorted(copy.history.items()):
        while left and left[0].seq_no < seq_no:
            write = left.popleft()
            newest = write if newest is None or write.term > newest.term else newest
        if newest is not None and record.term < newest.term:
            raise Violation(f"{shard}: {copy.where} has {record}, which is void since {newest} was acknowledged")


def _live(copy: CopyAtRest) -> dict[str, Record]:
    return {id: record for id, record in copy.documents.items() if record.kind == "index"}


def _numbers(copy: CopyAtRest) -> tuple[int, int, int]:
    return copy.max_seq_no, copy.local_checkpoint, copy.global_checkpoint


def _check_acknowledged(shard: ShardId, ledger: Ledger, copy: CopyAtRest) -> None:
    writes: dict[str, list[Write]] = {}
    for write in ledger.writes:
        if write.shard == shard:
            writes.setdefault(write.id, []).append(write)
    for id, all_of_it in writes.items():
        _check_document(shard, id, all_of_it, copy)
    for write in ledger.acknowledged:
        record = copy.history.get(write.seq_no) if write.shard == shard else None
        if record is not None and (record.term, record.id) != (write.term, write.id):
            raise Violation(f"{shard}: {copy.where} has {record} in place of {write}")


def _check_document(shard: ShardId, id: str, writes: list[Write], copy: CopyAtRest) -> None:
    acknowledged = [write for write in writes if write.outcome == "ok"]
    newest = max(acknowledged, key=lambda write: write.seq_no, default=None)
    found = copy.documents.get(id)
    if found is None:
        if newest is not None:
            raise Violation(f"{shard} [{id}]: {copy.where} has nothing, {newest} was acknowledged")
        return
    if newest is not None and found.seq_no < newest.seq_no:
        raise Violation(f"{shard} [{id}]: {copy.where} has {found}, {newest} was acknowledged")
    value = None if found.kind == "delete" else found.source
    sources = [write for write in writes if write.value == value and write.outcome != "refused"]
    if not any(write.outcome == "unknown" or write.seq_no == found.seq_no for write in sources):
        raise Violation(f"{shard} [{id}]: {copy.where} has {found}, which none of {writes} was")


def check_checkpoints(shard: ShardId, known: Mapping[str, int], stored: Mapping[str, int]) -> None:
    """`known`: the global checkpoint that each open copy goes by; `stored`: up to where each copy in sync has all on disk."""
    for where, checkpoint in known.items():
        for other, local in stored.items():
            if checkpoint > local:
                raise Violation(
                    f"{shard}: {where} has the global checkpoint {checkpoint}, {other} in sync has {local} on disk"
                )


def check_stored(shard: ShardId, where: str, writes: Iterable[Write], folder: Folder) -> None:
    """A copy that counts as in sync has on disk what was acknowledged, at any time: it may be all that is left."""
    certain = folder.certain()
    committed = max(commit.local_checkpoint for commit in folder.commits)
    for write in writes:
        found = certain.get(write.seq_no)
        if (found is None or found.term != write.term) and (found is not None or write.seq_no > committed):
            raise Violation(f"{shard}: {where} counts as in sync and has {found} in place of {write}, acknowledged")
