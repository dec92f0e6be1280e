"""What the primary knows of the copies of its shard; pure.

A copy is *tracked* once operations are sent to it, and *in sync* once every acknowledged operation is on its disk: only such a copy
may become primary. The *global checkpoint* is the greatest sequence number up to which all copies in sync hold everything; below it
nothing is ever taken back. After Elasticsearch's `ReplicationTracker`, whose invariants its formal models state.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

UNKNOWN = -2
"""A checkpoint that nobody has told yet."""


class Progress(msgspec.Struct):
    """How far one copy is, as far as it has told: its persisted local checkpoint, and the global checkpoint that it knows."""

    local_checkpoint: int = UNKNOWN
    global_checkpoint: int = UNKNOWN
    tracked: bool = False
    in_sync: bool = False


class Lease(msgspec.Struct, frozen=True):
    """Operations from `from_seq_no` on are kept for somebody who will ask for them. `at`: when it was renewed, seconds."""

    from_seq_no: int
    at: float


class Handover(msgspec.Struct, frozen=True):
    """All that a primary tells the copy that takes its place within the same term."""

    version: int
    global_checkpoint: int
    copies: dict[str, Progress]
    leases: dict[str, int]


class TrackerError(Exception):
    """What was asked for makes no sense for the copies as they are; the message says why."""


class ReplicationTracker:
    """Of one primary in one term. `own` is its allocation id; ids name copies everywhere.

    `version` is that of the newest routing taken; what is older is passed over.
    """

    def __init__(self, own: str, local_checkpoint: int = -1, global_checkpoint: int = -1) -> None:
        self.own = own
        self.version = -1
        self.copies: dict[str, Progress] = {own: Progress(local_checkpoint, global_checkpoint, True, True)}
        self.pending: dict[str, None] = {}
        """Copies that have everything but what is below the global checkpoint: it stands still until they are in sync."""
        self.leases: dict[str, Lease] = {}
        self.handing_over = False
        self._global_checkpoint = global_checkpoint

    @classmethod
    def taken_over(cls, own: str, told: Handover, now: float) -> ReplicationTracker:
        """The tracker of a relocation's target, from what its source told. `own` is a copy in sync there."""
        if own not in told.copies or not told.copies[own].in_sync:
            raise TrackerError(f"[{own}] is not in sync, it cannot take over")
        tracker = cls(own, told.copies[own].local_checkpoint, told.global_checkpoint)
        tracker.copies = dict(told.copies)
        tracker.version = told.version
        tracker.leases = {id: Lease(seq_no, now) for id, seq_no in told.leases.items()}
        return tracker

    # --- questions ----------------------------------------------------------------------------------------------------

    @property
    def global_checkpoint(self) -> int:
        return self._global_checkpoint

    @property
    def in_sync(self) -> list[str]:
        return [id for id, copy in self.copies.items() if copy.in_sync]

    @property
    def tracked(self) -> list[str]:
        """The copies that get every operation, this one included."""
        return [id for id, copy in self.copies.items() if copy.tracked]

    def lagging(self) -> list[str]:
        """Tracked copies that do not know the global checkpoint yet."""
        return [
            id
            for id, copy in self.copies.items()
            if id != self.own and copy.tracked and copy.global_checkpoint < self._global_checkpoint
        ]

    # --- the routing ----------------------------------------------------------------------------------------------------

    def activate(self, version: int, in_sync: Iterable[str], initializing: Iterable[str]) -> None:
        """The first routing of a new primary: whoever is in sync there is in sync here, how far is not known."""
        for id in in_sync:
            if id != self.own:
                self.copies[id] = Progress(tracked=True, in_sync=True)
        self.version = version
        self._settle(in_sync, initializing)

    def update(self, version: int, in_sync: Sequence[str], initializing: Sequence[str]) -> bool:
        """Takes a newer routing: copies that are neither in sync nor being built are forgotten, new ones noted. It makes no copy in
        sync: only :meth:`mark_in_sync` does. False for what is no newer.
        """
        if version <= self.version:
            return False
        self.version = version
        self._settle(in_sync, initializing)
        return True

    def _settle(self, in_sync: Iterable[str], initializing: Iterable[str]) -> None:
        keep = dict.fromkeys([self.own, *in_sync, *initializing])
        self.copies = {id: copy for id, copy in self.copies.items() if id in keep}
        self.pending = {id: None for id in self.pending if id in keep}
        for id in initializing:
            self.copies.setdefault(id, Progress())
        self._advance()

    # --- what copies tell -----------------------------------------------------------------------------------------------

    def told(self, id: str, local_checkpoint: int, global_checkpoint: int = UNKNOWN) -> None:
        """A copy told its persisted local checkpoint and the global checkpoint that it knows. Neither ever goes back; what a copy
        tells that is not known any more is passed over.
        """
        copy = self.copies.get(id)
        if copy is None:
            return
        copy.local_checkpoint = max(copy.local_checkpoint, local_checkpoint)
        copy.global_checkpoint = max(copy.global_checkpoint, global_checkpoint)
        if id in self.pending and copy.local_checkpoint >= self._global_checkpoint:
            del self.pending[id]
            copy.in_sync = True
        self._advance()

    def _advance(self) -> None:
        """The global checkpoint follows the slowest copy in sync. It stands still while one has not told how far it is, or waits to
        become in sync.
        """
        if self.pending:
            return
        least = min(copy.local_checkpoint for copy in self.copies.values() if copy.in_sync)
        if least != UNKNOWN:
            self._global_checkpoint = max(self._global_checkpoint, least)
            own = self.copies[self.own]
            own.global_checkpoint = self._global_checkpoint

    # --- recovery -------------------------------------------------------------------------------------------------------

    def initiate_tracking(self, id: str) -> None:
        """From now on a copy that is being built gets every operation. Raises :class:`TrackerError`."""
        self._require_active()
        if id not in self.copies:
            raise TrackerError(f"[{id}] is not among the copies of the shard")
        self.copies[id].tracked = True

    def stop_tracking(self, id: str) -> None:
        """A copy that was being built is given up; it may be tried again."""
        copy = self.copies.get(id)
        if copy is not None and not copy.in_sync:
            self.pending.pop(id, None)
            self.copies[id] = Progress()
            self._advance()

    def mark_in_sync(self, id: str, local_checkpoint: int) -> bool:
        """A tracked copy has recovered up to `local_checkpoint`. False: that is below the global checkpoint, which stands still
        until :meth:`told` says it got there. Raises :class:`TrackerError`.
        """
        self._require_active()
        copy = self.copies.get(id)
        if copy is None or not copy.tracked:
            raise TrackerError(f"[{id}] is not tracked")
        copy.local_checkpoint = max(copy.local_checkpoint, local_checkpoint)
        if copy.local_checkpoint >= self._global_checkpoint:
            self.pending.pop(id, None)
            copy.in_sync = True
        elif not copy.in_sync:
            self.pending[id] = None
        self._advance()
        return copy.in_sync

    # --- retention leases -----------------------------------------------------------------------------------------------

    def retain(self, holder: str, from_seq_no: int, now: float) -> None:
        """Keeps operations from `from_seq_no` on for `holder`; a lease that there is is renewed and never goes back."""
        known = self.leases.get(holder)
        if known is not None:
            from_seq_no = max(from_seq_no, known.from_seq_no)
        self.leases[holder] = Lease(from_seq_no, now)

    def release(self, holder: str) -> None:
        self.leases.pop(holder, None)

    def expire(self, now: float, period: float, held: Sequence[str]) -> None:
        """Lets go of leases that were not renewed for `period` seconds, but those of `held`, whose copies are there."""
        self.leases = {id: lease for id, lease in self.leases.items() if id in held or now - lease.at <= period}

    def least_retained(self) -> int:
        """The sequence number from which on operations are kept: nobody needs what is below it."""
        return min([self._global_checkpoint + 1, *(lease.from_seq_no for lease in self.leases.values())])

    # --- relocation -----------------------------------------------------------------------------------------------------

    def hand_over(self, target: str) -> Handover:
        """What `target`, a copy in sync, needs to go on as primary. Until :meth:`keep` or the end nothing may become in sync; the
        caller holds all operations off. Raises :class:`TrackerError`.
        """
        self._require_active()
        if self.pending:
            raise TrackerError(f"{list(self.pending)} are about to become in sync")
        if target == self.own or target not in self.copies or not self.copies[target].in_sync:
            raise TrackerError(f"[{target}] is not in sync, it cannot take over")
        self.handing_over = True
        copies = {id: msgspec.structs.replace(copy) for id, copy in self.copies.items()}
        leases = {id: lease.from_seq_no for id, lease in self.leases.items()}
        return Handover(self.version, self._global_checkpoint, copies, leases)

    def keep(self) -> None:
        """The hand-over did not come about: this copy stays the primary."""
        self.handing_over = False

    def _require_active(self) -> None:
        if self.handing_over:
            raise TrackerError("the primary is handing over")
