"""What a copy that is built from the primary's has in the end, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from tests.sim.disk import Record, pack
from tests.unit.datanode.copies import INDEX, Group, run, until
from tests.unit.datanode.recoveries import Building, Giver, add_replica, come_back, leave, move

from quidditch.controlplane.core.commands import ShardFailed
from quidditch.datanode.recovery import source
from quidditch.datanode.recovery.target import Failed
from quidditch.model.errors import ApiError
from quidditch.transport import recovery as wire
from quidditch.transport.replication import Head, Operations
from quidditch.transport.shards import ShardMissing

Test = Callable[[Group, Giver], Coroutine[Any, Any, None]]


def play(test: Test, replicas: int = 1) -> None:
    async def main() -> None:
        async with asyncio.timeout(60):
            group = Group(replicas)
            for shard in group.shards:
                shard.engine.folder.history_uuid = group.primary.engine.history_uuid()
            await test(group, Giver(group.primary))

    asyncio.run(main())


@contextlib.asynccontextmanager
async def writing(group: Group) -> Any:
    """Somebody writes all the time; what was acknowledged comes out as a list of ids."""
    acknowledged: list[str] = []
    ended = False

    async def write() -> None:
        number = 0
        while not ended:
            primary = group.primary.primary
            with contextlib.suppress(ShardMissing):
                if primary is not None:
                    await group.primary.index(f"w{number}", source=f'{{"n":{number}}}')
                    acknowledged.append(f"w{number}")
            number += 1
            await asyncio.sleep(0)

    task = asyncio.ensure_future(write())
    try:
        yield acknowledged
    finally:
        ended = True
        await task


def same(group: Group) -> dict[str, Any]:
    """The documents, which all copies have alike."""
    contents = [shard.engine.content() for shard in group.shards if shard.primary or shard.replica]
    assert all(content == contents[0] for content in contents[1:])
    return dict(contents[0])


async def fill(group: Group, first: int, count: int) -> None:
    for number in range(first, first + count):
        await group.primary.index(f"d{number}", source=f'{{"text":"{"x" * 50}"}}')


def test_a_new_replica_gets_files_and_then_what_was_written_since() -> None:
    async def test(group: Group, giver: Giver) -> None:
        await fill(group, 0, 40)
        built = add_replica(group, giver)
        async with writing(group) as acknowledged:
            await built.recover()
        progress = built.progress
        assert (progress.stage, progress.source) == ("DONE", group.primary.node)
        assert progress.files.total == progress.files.recovered > 0
        assert progress.bytes.total == progress.bytes.recovered > 0
        assert progress.operations == progress.operations_recovered
        assert built.taker.kept == [built.shard.allocation_id]
        assert built.taker.voided == 1
        assert len(same(group)) == 40 + len(acknowledged)
        assert built.shard.allocation_id in group.control.routing().in_sync
        assert giver.source.total == 0

    play(test)


def test_a_copy_back_from_a_short_absence_catches_up_by_operations_alone() -> None:
    async def test(group: Group, giver: Giver) -> None:
        await fill(group, 0, 30)
        (replica,) = group.replicas
        before = replica.engine.checkpoints()[3]
        leave(group, replica)
        await fill(group, 30, 5)
        built = come_back(group, giver, replica)
        await built.recover()
        assert (built.progress.files.total, built.progress.bytes.total) == (0, 0)
        assert built.progress.operations == built.progress.operations_recovered == 34 - before
        assert built.taker.voided == 0
        assert wire.READ not in giver.heard
        assert len(same(group)) == 35

    play(test)


def test_files_that_are_here_are_not_carried_over_again() -> None:
    async def test(group: Group, giver: Giver) -> None:
        await fill(group, 0, 30)
        (replica,) = group.replicas
        await until(lambda: replica.engine.checkpoints()[3] == 29)
        group.primary.engine.flush(True)
        replica.engine.flush(True)
        leave(group, replica)
        replica.runtime.disk.folders["shard"].history_uuid = "another"
        await fill(group, 0, 1)
        built = come_back(group, giver, replica)
        await built.recover()
        counts = built.progress.files
        assert counts.reused > 0
        assert counts.recovered > 0
        assert counts.total == counts.reused + counts.recovered
        assert built.progress.bytes.total == built.progress.bytes.reused + built.progress.bytes.recovered
        same(group)

    play(test)


def test_what_was_received_before_a_failure_is_not_asked_for_again() -> None:
    async def test(group: Group, giver: Giver) -> None:
        await fill(group, 0, 60)
        reads = 0

        async def fail_once(action: str) -> None:
            nonlocal reads
            reads += action == wire.READ
            if reads == 40 and action == wire.READ:
                raise ApiError(503, "rejected_execution_exception", "busy")

        giver.before = fail_once
        built = add_replica(group, giver)
        await built.recover()
        assert built.progress.retries == 1
        assert giver.heard.count(wire.START) == 2
        total = built.progress.bytes.total
        assert reads < total // 64 + built.progress.files.total + 10
        assert built.progress.bytes.recovered == total
        same(group)

    play(test)


def test_the_next_file_is_asked_for_before_this_one_is_there() -> None:
    async def test(group: Group, giver: Giver) -> None:
        await fill(group, 0, 60)
        under_way, most = 0, 0

        async def begin(action: str) -> None:
            nonlocal under_way, most
            under_way += action == wire.READ
            most = max(most, under_way)
            await asyncio.sleep(0.001)

        async def end(action: str) -> None:
            nonlocal under_way
            under_way -= action == wire.READ

        giver.before, giver.after = begin, end
        built = add_replica(group, giver, chunk=1 << 20, chunks=3)
        await built.recover()
        assert giver.heard.count(wire.READ) == built.progress.files.recovered > 3
        assert most == 3
        same(group)

    play(test)


class Applying:
    """Calls of `apply` that take until `go` is set; `most`: how many there were at a time."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.under_way = self.most = 0

    async def run(self, function: Callable[..., Any], *args: Any) -> Any:
        if function.__name__ != "apply":
            return await run(function, *args)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await self.go.wait()
            return function(*args)
        finally:
            self.under_way -= 1


async def catching_up(group: Group, giver: Giver) -> tuple[Building, Applying]:
    """A copy that is about to apply many chunks of operations."""
    await fill(group, 0, 30)
    (replica,) = group.replicas
    leave(group, replica)
    await fill(group, 30, 20)
    built, applying = come_back(group, giver, replica), Applying()
    built.run = applying.run
    return built, applying


def test_operations_are_applied_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "OPERATIONS_BYTES", 64)

    async def test(group: Group, giver: Giver) -> None:
        built, applying = await catching_up(group, giver)
        task = asyncio.ensure_future(built.recover())
        await until(lambda: applying.under_way == 2)
        applying.go.set()
        await task
        assert applying.most == 2
        assert giver.heard.count(wire.OPERATIONS) > 10
        assert built.progress.operations == built.progress.operations_recovered >= 20
        assert len(same(group)) == 50

    play(test)


@pytest.mark.parametrize("fails", [True, False])
def test_a_recovery_that_ends_waits_for_what_it_applies(monkeypatch: pytest.MonkeyPatch, fails: bool) -> None:
    monkeypatch.setattr(source, "OPERATIONS_BYTES", 64)

    async def test(group: Group, giver: Giver) -> None:
        built, applying = await catching_up(group, giver)

        async def fail(action: str) -> None:
            if action == wire.OPERATIONS and giver.heard.count(wire.OPERATIONS) == 3:
                raise ApiError(500, "recovery_failed_exception", "broken")

        giver.before = fail if fails else None
        task = asyncio.ensure_future(built.recover())
        await until(lambda: applying.under_way == 2)
        if not fails:
            task.cancel()
        for _ in range(20):
            await asyncio.sleep(0)
        assert not task.done()
        applying.go.set()
        with pytest.raises(Failed if fails else asyncio.CancelledError):
            await task
        assert applying.under_way == 0
        assert built.taker.engine is None

    play(test)


def test_a_source_that_is_not_ready_is_asked_again() -> None:
    async def test(group: Group, giver: Giver) -> None:
        await fill(group, 0, 3)
        built = add_replica(group, giver)
        primary, group.primary.primary = group.primary.primary, None
        task = asyncio.ensure_future(built.recover())
        await until(lambda: giver.heard.count(wire.START) >= 8)
        group.primary.primary = primary
        await task
        same(group)

    play(test)


def test_a_dead_source_ends_the_recovery_with_the_reason() -> None:
    async def test(group: Group, giver: Giver) -> None:
        await fill(group, 0, 3)
        built = add_replica(group, giver, action=0.05)

        async def never(_action: str) -> None:
            await asyncio.Event().wait()

        giver.before = never
        with pytest.raises(Failed, match="did not answer within"):
            await built.recover()
        assert built.taker.engine is None

    play(test)


def test_a_recovery_that_is_cancelled_leaves_nothing_behind() -> None:
    async def test(group: Group, giver: Giver) -> None:
        await fill(group, 0, 10)
        built = add_replica(group, giver)
        waits = asyncio.Event()

        async def stop_there(action: str) -> None:
            if action == wire.FINISH:
                waits.set()
                await asyncio.Event().wait()

        giver.before = stop_there
        task = asyncio.ensure_future(built.recover())
        await waits.wait()
        primary = group.primary.primary
        assert primary is not None
        assert built.shard.allocation_id in primary.tracker.tracked
        giver.before = None
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert built.taker.engine is None
        assert giver.source.total == 0
        assert built.shard.allocation_id not in primary.tracker.tracked
        await fill(group, 10, 3)

    play(test)


def test_a_copy_that_the_routing_has_no_more_is_given_up_by_the_source() -> None:
    async def test(group: Group, giver: Giver) -> None:
        await fill(group, 0, 10)
        built = add_replica(group, giver)
        waits = asyncio.Event()

        async def stop_there(action: str) -> None:
            if action == wire.OPERATIONS:
                waits.set()
                await asyncio.Event().wait()

        giver.before = stop_there
        task = asyncio.ensure_future(built.target.recover())
        await waits.wait()
        built.report(ShardFailed)
        giver.source.look()
        giver.before = None
        await asyncio.sleep(0)
        assert giver.source.total == 0
        task.cancel()

    play(test)


def test_a_primary_moves_while_it_is_written_to() -> None:
    async def test(group: Group, giver: Giver) -> None:
        await fill(group, 0, 20)
        source = group.primary
        built = move(group, giver, source.node)
        async with writing(group) as acknowledged:
            await until(lambda: len(acknowledged) >= 5)
            await built.recover()
            assert built.taker.led
            group.primary = built.shard
            count = len(acknowledged)
            await until(lambda: len(acknowledged) >= count + 5)
        with pytest.raises(ShardMissing):
            await source.index("late")
        source.primary = None
        group.shards.remove(source)
        content = same(group)
        assert set(acknowledged) <= set(content)
        routing = group.control.routing()
        assert (routing.primary.node, routing.primary.state) == (built.shard.node, "STARTED")

    play(test)


@pytest.mark.parametrize("lost", [wire.HAND_OVER, wire.HANDED])
def test_a_target_that_does_not_take_over_leaves_the_primary_where_it_is(lost: str) -> None:
    async def test(group: Group, giver: Giver) -> None:
        await fill(group, 0, 5)
        built = move(group, giver, group.primary.node)
        task = asyncio.ensure_future(built.target.recover())
        held = asyncio.Event()

        async def lose(action: str) -> None:
            if action == lost:
                held.set()
                await asyncio.Event().wait()

        giver.before, giver.after = (None, lose) if lost == wire.HAND_OVER else (lose, None)
        await held.wait()
        write = asyncio.ensure_future(group.primary.index("waits"))
        await asyncio.sleep(0.02)
        assert not write.done()
        task.cancel()
        await asyncio.wait([task])
        await write
        assert not built.taker.led
        built.report(ShardFailed)
        assert group.control.routing().primary.state == "STARTED"
        await group.primary.index("goes on")

    play(test)


def test_the_answer_that_the_source_has_left_may_be_lost() -> None:
    async def test(group: Group, giver: Giver) -> None:
        await fill(group, 0, 5)
        built = move(group, giver, group.primary.node)
        lost = 0

        async def lose(action: str) -> None:
            nonlocal lost
            if action == wire.HANDED and not lost:
                lost += 1
                group.network.cut(group.primary.node, built.shard.node, both=False)
                asyncio.get_running_loop().call_later(0.2, group.network.heal)

        giver.after = lose
        await built.recover()
        assert built.taker.led
        assert lost == 1

    play(test)


def test_a_copy_that_lacks_operations_does_not_believe_that_all_have_them() -> None:
    """What its log holds of an older term would count when it is opened anew, though the primary has something else there."""

    async def test(group: Group, _giver: Giver) -> None:
        (replica,) = group.replicas
        await fill(group, 0, 3)
        await until(lambda: replica.engine.checkpoints()[3] == 2)
        primary = group.primary.primary
        assert primary is not None
        assert replica.replica is not None
        old = [Record(seq_no, primary.primary_term, "index", "old", 1, "{}") for seq_no in (3, 4)]
        replica.engine.folder.log += old
        live = Record(9, primary.primary_term, "index", "live", 1, "{}")
        uuid = group.control.state.indices[INDEX].uuid
        head = Head(uuid, 0, replica.allocation_id, primary.primary_term, primary.term_start, 8)
        await replica.replica.take(Operations(head, pack([live])))
        replica.engine.sync()
        replica.engine.abandon()
        replica.follow(primary.primary_term)
        assert replica.engine.checkpoints()[:2] == (2, 2)
        assert "old" not in replica.engine.content()

    play(test)
