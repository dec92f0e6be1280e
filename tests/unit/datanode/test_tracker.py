from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from quidditch.datanode.replication.tracker import UNKNOWN, ReplicationTracker, TrackerError

IDS = st.sampled_from(["a", "b", "c", "d"])


class Life(RuleBasedStateMachine):
    """A primary `p` whose copies come, catch up, become in sync and go, in any order; `routing` is what the control plane says."""

    def __init__(self) -> None:
        super().__init__()
        self.tracker = ReplicationTracker("p", 5, 3)
        self.version = 0
        self.in_sync = ["p", "a"]
        self.initializing: list[str] = []
        self.tracker.activate(self.version, self.in_sync, self.initializing)
        self.greatest = self.tracker.global_checkpoint
        self.disk = {"p": 5, "a": 3}
        """What each copy truly holds: a copy can tell less that is outdated, never more."""

    def _route(self) -> None:
        self.version += 1
        assert self.tracker.update(self.version, self.in_sync, self.initializing)

    @rule(copy=IDS)
    def assigned(self, copy: str) -> None:
        if copy not in self.in_sync and copy not in self.initializing:
            self.initializing.append(copy)
            self.disk[copy] = -1
            self._route()

    @rule(copy=IDS)
    def lost(self, copy: str) -> None:
        self.in_sync = [each for each in self.in_sync if each != copy]
        self.initializing = [each for each in self.initializing if each != copy]
        self._route()
        assert copy not in self.tracker.copies

    @rule(copy=IDS)
    def started(self, copy: str) -> None:
        """The control plane takes a copy for in sync only once the primary did."""
        if copy in self.initializing and self.tracker.copies[copy].in_sync:
            self.initializing.remove(copy)
            self.in_sync.append(copy)
            self._route()

    @rule(copy=IDS)
    def tracked(self, copy: str) -> None:
        if copy in self.initializing:
            self.tracker.initiate_tracking(copy)

    @rule(copy=IDS)
    def given_up(self, copy: str) -> None:
        if copy in self.initializing:
            was = self.tracker.copies[copy].in_sync
            self.tracker.stop_tracking(copy)
            assert self.tracker.copies[copy].in_sync == was

    @rule(copy=IDS, operations=st.integers(1, 5), stale=st.integers(0, 5))
    def told(self, copy: str, operations: int, stale: int) -> None:
        if copy in self.tracker.tracked:
            least = self.disk[copy] if self.tracker.copies[copy].local_checkpoint == UNKNOWN else -1
            self.disk[copy] += operations
            self.tracker.told(copy, max(self.disk[copy] - stale, least), self.tracker.global_checkpoint)

    @rule(operations=st.integers(1, 5))
    def wrote(self, operations: int) -> None:
        self.disk["p"] += operations
        self.tracker.told("p", self.disk["p"])

    @rule(copy=IDS)
    def recovered(self, copy: str) -> None:
        if copy in self.tracker.tracked:
            before = self.tracker.global_checkpoint
            done = self.tracker.mark_in_sync(copy, self.disk[copy])
            assert done or copy in self.tracker.pending
            if not done:
                assert self.tracker.global_checkpoint == before
        else:
            with pytest.raises(TrackerError):
                self.tracker.mark_in_sync(copy, 100)

    @rule(age=st.integers(0, 3))
    def old_news(self, age: int) -> None:
        """A routing that is not newer changes nothing, whatever it says."""
        before = (self.tracker.copies, self.tracker.global_checkpoint)
        assert not self.tracker.update(self.version - age, [], [])
        assert (self.tracker.copies, self.tracker.global_checkpoint) == before

    @precondition(lambda self: not self.tracker.pending and len(self.tracker.in_sync) > 1)
    @rule()
    def handed_over(self) -> None:
        """The target goes on from where the source was; here the hand-over is then given up."""
        target = self.tracker.in_sync[1]
        told = self.tracker.hand_over(target)
        for copy in [*self.initializing]:
            with pytest.raises(TrackerError):
                self.tracker.mark_in_sync(copy, 1000)
        there = ReplicationTracker.taken_over(target, told, 0.0)
        assert there.global_checkpoint == self.tracker.global_checkpoint
        assert there.in_sync == self.tracker.in_sync
        assert not there.update(self.version, [], [])
        self.tracker.keep()

    @invariant()
    def never_goes_back(self) -> None:
        assert self.tracker.global_checkpoint >= self.greatest
        self.greatest = self.tracker.global_checkpoint

    @invariant()
    def below_what_every_copy_in_sync_holds(self) -> None:
        for copy in self.tracker.in_sync:
            known = self.tracker.copies[copy].local_checkpoint
            assert known == UNKNOWN or known >= self.tracker.global_checkpoint
            assert self.disk[copy] >= self.tracker.global_checkpoint

    @invariant()
    def in_sync_means_tracked_and_known_to_the_routing(self) -> None:
        for copy in self.tracker.in_sync:
            assert copy in self.tracker.tracked
            assert copy in self.in_sync or copy in self.initializing
        assert set(self.tracker.pending) <= set(self.tracker.tracked) - set(self.tracker.in_sync)
        assert set(self.in_sync) <= set(self.tracker.in_sync)

    @invariant()
    def operations_above_the_global_checkpoint_are_kept(self) -> None:
        assert self.tracker.least_retained() <= self.tracker.global_checkpoint + 1


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def _tracker(*in_sync: str, own: int = 9, known: int = 4) -> ReplicationTracker:
    tracker = ReplicationTracker("p", own, known)
    tracker.activate(1, ["p", *in_sync], [])
    return tracker


def test_the_global_checkpoint_stands_still_until_every_copy_in_sync_has_told() -> None:
    tracker = _tracker("a", "b")
    tracker.told("a", 9)
    assert tracker.global_checkpoint == 4
    tracker.told("b", 7)
    assert tracker.global_checkpoint == 7


def test_it_goes_on_when_the_silent_copy_is_marked_stale() -> None:
    tracker = _tracker("a", "b")
    tracker.told("a", 8)
    tracker.update(2, ["p", "a"], [])
    assert tracker.global_checkpoint == 8


def test_a_copy_below_the_global_checkpoint_holds_it_until_it_got_there() -> None:
    tracker = _tracker()
    tracker.told("p", 9)
    tracker.update(2, ["p"], ["new"])
    tracker.initiate_tracking("new")
    assert not tracker.mark_in_sync("new", 8)
    tracker.told("p", 20)
    assert tracker.global_checkpoint == 9
    tracker.told("new", 9)
    assert tracker.in_sync == ["p", "new"]
    tracker.told("new", 15)
    assert tracker.global_checkpoint == 15


def test_a_copy_that_is_only_tracked_holds_nothing_up() -> None:
    tracker = _tracker()
    tracker.update(2, ["p"], ["new"])
    tracker.initiate_tracking("new")
    tracker.told("p", 12)
    assert tracker.global_checkpoint == 12
    assert tracker.tracked == ["p", "new"]
    assert tracker.lagging() == ["new"]


def test_the_control_plane_does_not_put_a_copy_in_sync() -> None:
    tracker = _tracker()
    tracker.update(2, ["p", "stranger"], ["new"])
    assert tracker.in_sync == ["p"]


def test_what_a_forgotten_copy_tells_is_passed_over() -> None:
    tracker = _tracker("a")
    tracker.update(2, ["p"], [])
    tracker.told("a", 1)
    assert tracker.global_checkpoint == 9


def test_nobody_takes_over_while_a_copy_is_about_to_become_in_sync() -> None:
    tracker = _tracker("a")
    tracker.told("a", 9)
    tracker.update(2, ["p", "a"], ["new"])
    tracker.initiate_tracking("new")
    tracker.mark_in_sync("new", 3)
    with pytest.raises(TrackerError, match="about to become in sync"):
        tracker.hand_over("a")
    tracker.stop_tracking("new")
    assert tracker.hand_over("a").copies["a"].in_sync
    with pytest.raises(TrackerError, match="handing over"):
        tracker.initiate_tracking("new")
    with pytest.raises(TrackerError):
        ReplicationTracker.taken_over("new", _tracker("a").hand_over("a"), 0.0)


def test_leases_keep_operations_until_they_expire() -> None:
    tracker = _tracker()
    tracker.told("p", 9)
    assert tracker.least_retained() == 10
    tracker.retain("node", 3, now=0.0)
    tracker.retain("other", 7, now=0.0)
    tracker.retain("node", 2, now=5.0)
    assert tracker.least_retained() == 3
    tracker.expire(now=12.0, period=10.0, held=[])
    assert tracker.least_retained() == 3
    tracker.expire(now=16.0, period=10.0, held=["node"])
    assert tracker.leases.keys() == {"node"}
    tracker.release("node")
    assert tracker.least_retained() == 10
