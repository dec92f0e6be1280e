"""What a primary and its replicas owe each other."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from tests.sim.disk import Record, pack
from tests.unit.datanode.copies import Group, Shard, until

from quidditch.controlplane.core.commands import ShardFailed
from quidditch.lib.clock import SystemClock
from quidditch.model.errors import ApiError
from quidditch.transport.replication import OPERATIONS, STALE_TERM, Checkpoints, Head, Operations
from quidditch.transport.shards import RETRY_ON_PRIMARY, ShardMissing

Test = Callable[[Group], Coroutine[Any, Any, None]]


def play(test: Test, replicas: int = 2) -> None:
    async def main() -> None:
        async with asyncio.timeout(60):
            await test(Group(replicas))

    asyncio.run(main())


def contents(group: Group) -> list[Any]:
    return [shard.engine.content() for shard in group.shards]


def test_a_write_is_on_every_copy_before_it_is_answered() -> None:
    async def test(group: Group) -> None:
        answers = await group.primary.index("1", "2")
        assert [answer["_shards"] for answer in answers] == [{"total": 3, "successful": 3, "failed": 0}] * 2
        assert contents(group)[0] == contents(group)[1] == contents(group)[2] != {}
        for shard in group.shards:
            shard.runtime.disk.crash(random.Random(1))
            assert [record.id for record in shard.runtime.disk.folders["shard"].records().values()] == ["1", "2"]

    play(test)


def test_the_global_checkpoint_reaches_the_replicas_when_nothing_is_written_any_more() -> None:
    async def test(group: Group) -> None:
        await group.primary.index("1", "2", "3")
        assert group.primary.engine.checkpoints() == (2, 2, 2, 2)
        await until(lambda: all(shard.engine.checkpoints()[3] == 2 for shard in group.replicas))

    play(test)


def test_a_copy_that_hangs_leaves_the_in_sync_set_before_the_answer() -> None:
    async def test(group: Group) -> None:
        lost = group.replicas[0]
        group.network.cut(group.primary.node, lost.node)
        group.control.lose()
        write = asyncio.ensure_future(group.primary.index("1"))
        await until(lambda: group.replicas[1].engine.checkpoints()[0] == 0)
        await asyncio.sleep(0.3)
        assert not write.done()
        assert lost.allocation_id in group.control.routing().in_sync
        group.control.back()
        (answer,) = await write
        assert answer["_shards"] == {"total": 3, "successful": 2, "failed": 0}
        assert lost.allocation_id not in group.control.routing().in_sync
        (report,) = group.control.heard
        assert isinstance(report, ShardFailed)
        assert (report.allocation_id, report.mark_stale, report.primary_term) == (lost.allocation_id, True, 1)

    play(test)


def test_a_copy_that_is_slow_is_waited_for() -> None:
    async def test(group: Group) -> None:
        slow = group.replicas[0]
        slow.stuck = asyncio.Event()
        write = asyncio.ensure_future(group.primary.index("1"))
        await asyncio.sleep(0.5)
        assert not write.done()
        slow.stuck.set()
        (answer,) = await write
        assert answer["_shards"]["successful"] == 3
        assert not group.control.heard

    play(test)


def test_a_copy_whose_node_has_left_is_marked_stale_by_the_next_write() -> None:
    async def test(group: Group) -> None:
        gone = group.replicas[0]
        group.node_left(gone)
        assert gone.allocation_id in group.control.routing().in_sync
        await group.primary.index("1")
        assert gone.allocation_id not in group.control.routing().in_sync
        assert group.primary.engine.checkpoints()[3] == 0

    play(test)


def test_a_primary_whose_term_is_over_acknowledges_nothing() -> None:
    async def test(group: Group) -> None:
        old = group.primary
        await old.index("1")
        old.follows = False
        group.node_left(old)
        heir = next(shard for shard in group.shards if shard.node == group.control.routing().primary.node)
        await heir.promote()
        with pytest.raises(ApiError, match="no longer the primary") as over:
            await old.index("2")
        assert over.value.type == RETRY_ON_PRIMARY
        assert len(old.deposed) == 1
        with pytest.raises(ShardMissing):
            await old.index("3")
        assert "3" not in old.engine.content()

    play(test)


def test_a_primary_that_was_closed_says_nothing_of_its_term() -> None:
    """Its copy may lead a newer one."""

    async def test(group: Group) -> None:
        old = group.primary
        old.follows = False
        group.node_left(old)
        heir = next(shard for shard in group.shards if shard.node == group.control.routing().primary.node)
        await heir.promote()
        assert old.primary is not None
        write = asyncio.ensure_future(old.index("1"))
        await asyncio.sleep(0)  # until it has begun
        await asyncio.sleep(0)
        assert old.primary.permits.active
        old.primary.close(ShardMissing("begins a new term"))
        with pytest.raises(ApiError, match="no longer the primary"):
            await write
        assert not old.deposed

    play(test)


def test_the_control_plane_refuses_an_old_primary_even_where_the_copy_is_none_any_more() -> None:
    async def test(group: Group) -> None:
        old = group.primary
        group.network.isolate(old.node, [shard.node for shard in group.replicas])
        old.follows = False
        group.node_left(old)
        with pytest.raises(ApiError, match="did not match current primary term"):
            await old.index("1")
        assert set(group.control.routing().in_sync) >= {shard.allocation_id for shard in group.replicas}

    play(test)


async def _uneven(group: Group, more: int) -> Shard:
    """Writes one operation to all, then one each that only replica `more`, or only the primary, gets; the primary is lost. The heir."""
    await group.primary.index("1")
    await until(lambda: all(shard.engine.checkpoints()[3] == 0 for shard in group.replicas))
    first, second = group.replicas[more], group.replicas[1 - more]
    group.control.lose()
    group.network.cut(group.primary.node, second.node)
    one = asyncio.ensure_future(group.primary.index("only-one"))
    await until(lambda: first.engine.checkpoints()[0] == 1)
    group.network.heal()
    group.network.cut(group.primary.node, first.node)
    group.network.cut(group.primary.node, second.node)
    other = asyncio.ensure_future(group.primary.index("nobody"))
    await until(lambda: group.primary.engine.checkpoints()[0] == 2)
    heir = await group.fail_over()
    group.control.back()
    for write in (one, other):
        with pytest.raises(ApiError, match="no longer the primary"):
            await write
    return heir


def test_after_a_promotion_all_copies_have_what_the_new_primary_has() -> None:
    async def test(group: Group) -> None:
        heir = await _uneven(group, 0)
        assert heir.primary is not None
        await heir.primary.resync()
        first, second = group.replicas
        assert first.engine.content() == second.engine.content()
        (answer,) = await heir.index("after")
        assert answer["_primary_term"] == 2
        assert first.engine.content() == second.engine.content()
        assert heir.engine.checkpoints()[3] == answer["_seq_no"]

    play(test)


@pytest.mark.parametrize("more", [0, 1])
def test_what_the_new_primary_does_not_know_is_taken_back(more: int) -> None:
    """Only one replica has the last write; whether that one leads or the other, both end with the same."""

    async def test(group: Group) -> None:
        heir = await _uneven(group, more)
        assert heir.primary is not None
        leads = heir is group.replicas[more]
        await asyncio.gather(heir.index("after"), heir.primary.resync())
        first, second = group.replicas
        assert set(first.engine.content()) == {"1", "after"} | ({"only-one"} if leads else set())
        assert first.engine.content() == second.engine.content()
        assert first.engine.checkpoints()[:3] == second.engine.checkpoints()[:3]

    play(test)


def test_gaps_are_filled_under_the_new_term() -> None:
    async def test(group: Group) -> None:
        (replica,) = group.replicas
        await group.primary.index("0")
        late = pack([Record(2, 1, "index", "late", 1, "{}")])
        assert replica.replica is not None
        head = Head("", 0, replica.allocation_id, 1, -1, 0)
        assert (await replica.replica.take(Operations(head, late))).local_checkpoint == 0
        heir = await group.fail_over()
        greatest, processed, persisted, _ = heir.engine.checkpoints()
        assert (greatest, processed, persisted) == (2, 2, 2)
        assert heir.primary is not None
        assert heir.primary.term_start == 2

    play(test, replicas=1)


def test_a_message_of_an_older_term_is_refused() -> None:
    async def test(group: Group) -> None:
        first, second = group.replicas
        assert first.replica is not None
        newer = Operations(Head("", 0, first.allocation_id, 5, -1, -1))
        assert await first.replica.take(newer) == Checkpoints(-1, -1)
        with pytest.raises(ApiError) as refused:
            await first.replica.take(Operations(Head("", 0, first.allocation_id, 4, -1, -1)))
        assert refused.value.type == STALE_TERM
        with pytest.raises(ApiError):
            await second.peers.call(
                first.node, OPERATIONS, Operations(Head("", 0, first.allocation_id, 1, -1, -1)), Checkpoints, 5.0
            )

    play(test)


def test_a_write_goes_on_when_its_caller_leaves() -> None:
    async def test(group: Group) -> None:
        replica = group.replicas[0]
        replica.stuck = asyncio.Event()
        write = asyncio.ensure_future(group.primary.index("1"))
        await until(lambda: group.primary.engine.checkpoints()[0] == 0)
        write.cancel()
        await asyncio.gather(write, return_exceptions=True)
        replica.stuck.set()
        await until(lambda: group.primary.engine.checkpoints()[3] == 0)

    play(test)


def test_who_finds_an_unsafe_write_is_answered_once_it_is_safe() -> None:
    """A second try finds its document there already: that is told only when the first has reached every copy."""

    async def test(group: Group) -> None:
        replica = group.replicas[0]
        replica.stuck = asyncio.Event()
        first = asyncio.ensure_future(group.primary.index("1"))
        await until(lambda: group.primary.engine.checkpoints()[0] == 0)
        assert group.primary.primary is not None
        found = asyncio.ensure_future(group.primary.primary.write(lambda _sync: _Nothing(), retried=True))
        await asyncio.sleep(0.05)
        assert not found.done()
        replica.stuck.set()
        await asyncio.gather(first, found)

    play(test)


class _Nothing:
    """A result that wrote nothing."""

    def operations(self) -> bytes:
        return b""

    def set_copies(self, total: int, successful: int, failures: bytes) -> None: ...


def test_a_request_for_another_copy_or_term_is_refused() -> None:
    async def test(group: Group) -> None:
        primary = group.primary.primary
        assert primary is not None
        primary.check(group.primary.allocation_id, 1)
        for allocation_id, term in ((group.primary.allocation_id, 2), ("other", 1)):
            with pytest.raises(ShardMissing):
                primary.check(allocation_id, term)

    play(test)


def test_history_is_not_kept_for_ever_for_a_node_that_is_gone() -> None:
    async def test(group: Group) -> None:
        shard, primary = group.primary, group.primary.primary
        assert primary is not None
        now = SystemClock().monotonic()
        await shard.index("a")
        primary.tracker.retain("gone for long", 0, now - 13 * 3600)
        primary.tracker.retain("gone for an hour", 0, now - 3600)
        await shard.index("b")
        assert "gone for long" not in primary.tracker.leases
        assert "gone for an hour" in primary.tracker.leases
        assert primary.tracker.least_retained() == 0

    play(test)
