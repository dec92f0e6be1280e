"""The etcd store against what happens to real etcd processes and the network between.

The measure of a watch is another one: after the storm a second watch reads the whole history from an etcd that is well, and the first one
must have seen the same, event for event. That is: in order, each once, none left out, those of one revision together, and gone on after
every break.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any, TypeAlias

import pytest
from msgspec.structs import replace
from tests.support.etcd import Cluster, Member
from tests.support.proxy import Proxy
from tests.unit.model import states

from quidditch.model.codec import FormatError
from quidditch.model.objects import Index, Object
from quidditch.store import api
from quidditch.store.etcd import EtcdStore, batch
from quidditch.store.etcd import open as open_etcd
from quidditch.store.etcd.client import COMPACT, STATUS, TXN, WATCH
from quidditch.store.etcd.keys import put
from quidditch.store.etcd.wire_pb2 import CompactionRequest, StatusRequest, TxnRequest, WatchResponse

_numbers = itertools.count()
Seen: TypeAlias = list[tuple[str, str, str, str]]


def run(test: Callable[[], Coroutine[Any, Any, None]], seconds: float = 90) -> None:
    async def main() -> None:
        await asyncio.wait_for(test(), seconds)

    asyncio.run(main())


@asynccontextmanager
async def opened(endpoints: Sequence[str], **options: Any) -> AsyncIterator[EtcdStore]:
    options = {"prefix": f"/test/{next(_numbers)}", "history": None, "timeout": 10.0, **options}
    store = await open_etcd(endpoints, **options)
    try:
        yield store
    finally:
        await store.close()


async def retried(call: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """For what may be done again: until etcd is there."""
    while True:
        try:
            return await call()
        except api.Unavailable:
            await asyncio.sleep(0.02)


async def until(condition: Callable[[], bool]) -> None:
    while True:
        if condition():
            return
        await asyncio.sleep(0.01)


def changed(obj: Object, x: str) -> Index:
    assert isinstance(obj, Index)
    return replace(obj, spec=replace(obj.spec, settings={**obj.spec.settings, "x": x}))


class Storm:
    """Writers that change objects of their own as fast as they can, and a watch that follows; both go on over every break."""

    def __init__(self, store: EtcdStore, writers: int = 8) -> None:
        self.store = store
        self.acknowledged: set[tuple[str, str]] = set()
        self.lost = 0
        self.seen: Seen = []
        self.at = 0
        self._names = [f"i{number}" for number in range(writers)]
        self._running = True

    async def write(self, name: str) -> None:
        """Creates, changes and deletes its object, round and round."""
        lost = 0
        for number in itertools.count():
            if not self._running:
                return
            try:
                known = await self._current(name)
                if known is None:
                    written: Object | None = await self.store.create(states.index(name))
                elif number % 7 == 6:
                    await self.store.delete("Index", name, known.metadata.resource_version)
                    written = None
                else:
                    written = await self.store.update(changed(known, str(number)))
            except api.Unavailable:
                self.lost += 1
                lost += 1
                await asyncio.sleep(0.01)
                continue
            except (api.Conflict, api.NotFound):
                # Nobody else writes this object: only a write whose answer was lost can have come in between, once.
                assert lost > 0
                lost -= 1
                continue
            if written is not None:
                self.acknowledged.add((name, written.metadata.resource_version))

    async def _current(self, name: str) -> Object | None:
        try:
            return await self.store.get("Index", name)
        except api.NotFound:
            return None

    async def follow(self, version: str) -> None:
        while True:
            try:
                async with aclosing(self.store.watch(version)) as events:
                    async for event in events:
                        version = event.version
                        self.at = int(version)
                        if event.object is not None:
                            self.seen.append(told(event))
                return
            except api.Unavailable:
                await asyncio.sleep(0.01)

    async def rage(self, trouble: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Runs while the trouble does, and judges what the watch saw."""
        start = (await self.store.list()).version
        following = asyncio.create_task(self.follow(start))
        writing = [asyncio.create_task(self.write(name)) for name in self._names]
        await trouble()
        self._running = False
        await asyncio.gather(*writing)
        listing = await retried(self.store.list)
        await until(lambda: self.at >= int(listing.version))
        following.cancel()
        truth = await history(self.store, start)
        assert self.seen == truth
        assert self.acknowledged <= {(key, version) for type, version, key, _ in truth if type != "deleted"}
        assert final(truth) == {obj.key: obj.metadata.resource_version for obj in listing.objects}

    async def until(self, more: int) -> None:
        """Until so many more writes were acknowledged."""
        wanted = len(self.acknowledged) + more
        await until(lambda: len(self.acknowledged) >= wanted)


def told(event: api.Event) -> tuple[str, str, str, str]:
    assert isinstance(event.object, Index)
    return event.type, event.version, event.object.key, str(event.object.spec.settings.get("x", ""))


async def history(store: api.Store, version: str) -> Seen:
    """Every change from there to now, by a watch that nothing disturbs."""
    seen: Seen = []
    async with aclosing(store.watch(version)) as events:  # type: ignore[type-var]
        async for event in events:
            if event.object is None:
                break
            seen.append(told(event))
    return seen


def final(seen: Seen) -> dict[str, str]:
    left: dict[str, str] = {}
    for type, version, key, _ in seen:
        if type == "deleted":
            del left[key]
        else:
            left[key] = version
    return left


def test_the_watch_keeps_its_promises_while_etcd_is_killed() -> None:
    with Cluster.temporary() as cluster:

        async def test() -> None:
            async with opened(cluster.endpoints) as store:
                storm = Storm(store)

                async def kill() -> None:
                    for _ in range(4):
                        await storm.until(100)
                        cluster.members[0].kill()
                        await asyncio.to_thread(cluster.restart, cluster.members[0])
                    await storm.until(20)

                await storm.rage(kill)

        run(test)


def test_the_watch_keeps_its_promises_while_members_fall_out() -> None:
    with Cluster.temporary(3) as cluster:

        async def test() -> None:
            async with opened(cluster.endpoints, timeout=4.0) as store:
                storm = Storm(store)

                async def trouble() -> None:
                    for member in cluster.members:
                        await storm.until(50)
                        member.kill()
                        await storm.until(50)
                        await asyncio.to_thread(cluster.restart, member)
                    cluster.members[0].pause()
                    await storm.until(50)
                    cluster.members[0].resume()
                    await storm.until(20)

                await storm.rage(trouble)

        run(test)


def test_the_watch_keeps_its_promises_over_a_bad_line(etcd: Cluster) -> None:
    async def test() -> None:
        async with Proxy.to(etcd.endpoints[0]) as proxy, opened([proxy.address], timeout=3.0) as store:
            storm = Storm(store)

            async def trouble() -> None:
                for _ in range(5):
                    await storm.until(40)
                    proxy.cut()
                await storm.until(20)
                lost = storm.lost
                proxy.swallow()
                await until(lambda: storm.lost > lost)
                proxy.flow()
                await storm.until(20)

            await storm.rage(trouble)

    run(test)


def test_a_lost_etcd_is_said_to_be_lost(etcd: Cluster) -> None:
    async def test() -> None:
        async with Proxy.to(etcd.endpoints[0]) as proxy, opened([proxy.address], timeout=1.0) as store:
            made = await store.create(states.index("a"))
            async with aclosing(store.watch(made.metadata.resource_version)) as events:
                assert (await anext(events)).type == "bookmark"
                proxy.swallow()
                for lost in (
                    store.get("Index", "a"),
                    store.list(),
                    store.update(changed(made, "1")),
                    store.acquire("one", 0, 5),
                    anext(events),
                ):
                    with pytest.raises(api.Unavailable):
                        await lost

    run(test)


async def raft_leader(cluster: Cluster) -> Member:
    """The member that leads."""
    while True:
        for member in cluster.members:
            async with opened([member.address]) as store:
                status = await store._client.call(STATUS, StatusRequest(), repeatable=True)
            if status.leader == status.header.member_id:
                return member


def test_a_lease_is_released_although_what_was_proposed_went_to_a_dead_leader() -> None:
    with Cluster.temporary(3) as cluster:

        async def test() -> None:
            for _ in range(3):
                leading = await raft_leader(cluster)
                other = next(member for member in cluster.members if member is not leading)
                async with opened([other.address], prefix="/released", timeout=4.0) as store:
                    lease = await store.acquire("gone", 0.0, 10.0)
                    assert lease is not None
                    leading.kill()
                    await store.release(lease)  # the member does not know yet that nobody hears it
                    following = await retried(lambda store=store: store.acquire("next", 0.0, 10.0))
                    assert (following.holder, following.epoch) == ("next", lease.epoch + 1)
                    await store.release(following)
                await asyncio.to_thread(cluster.restart, leading)

        run(test)


def test_a_member_without_a_quorum_is_said_to_be_lost() -> None:
    with Cluster.temporary(3) as cluster:

        async def test() -> None:
            async with opened(cluster.endpoints[:1], timeout=2.0) as store:
                made = await store.create(states.index("a"))
                async with aclosing(store.watch(made.metadata.resource_version)) as events:
                    assert (await anext(events)).type == "bookmark"
                    for member in cluster.members[1:]:
                        member.kill()
                    with pytest.raises(api.Unavailable):
                        await anext(events)
                with pytest.raises(api.Unavailable):
                    await store.get("Index", "a")

        run(test)


def test_what_was_compacted_while_the_line_was_down_is_expired(etcd: Cluster) -> None:
    async def test() -> None:
        prefix = f"/test/{next(_numbers)}"
        async with Proxy.to(etcd.endpoints[0]) as proxy, opened([proxy.address], prefix=prefix) as far:
            made = await far.create(states.index("a"))
            async with aclosing(far.watch(made.metadata.resource_version)) as events:
                assert (await anext(events)).type == "bookmark"
                proxy.swallow()
                async with opened(etcd.endpoints, prefix=prefix) as near:
                    obj: Object = made
                    for number in range(5):
                        obj = await near.update(changed(obj, str(number)))
                    await near._client.call(COMPACT, CompactionRequest(revision=int(obj.metadata.resource_version)))
                proxy.cut()
                proxy.flow()
                with pytest.raises(api.Expired):
                    await anext(events)

    run(test)


@pytest.mark.parametrize("at_once", [1, 2])
def test_no_write_is_left_waiting(etcd: Cluster, monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr(batch, "_AT_ONCE", at_once)

    async def test() -> None:
        async with opened(etcd.endpoints) as store:

            async def writer(name: str) -> None:
                obj: Object = await store.create(states.index(name))
                for number in range(40):
                    obj = await store.update(changed(obj, str(number)))

            await asyncio.gather(*(writer(f"i{number}") for number in range(16)))

    run(test, 30)


def test_a_watch_ends_when_it_is_cancelled(etcd: Cluster) -> None:
    async def test() -> None:
        async with opened(etcd.endpoints) as store:
            start = (await store.list()).version

            async def follow() -> None:
                async for _ in store.watch(start):
                    pass

            for number in range(150):
                following = asyncio.create_task(follow())
                await asyncio.sleep(number / 5_000)
                following.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await following

    run(test)


def test_a_deletion_is_told_with_what_was_deleted(etcd: Cluster) -> None:
    async def test() -> None:
        async with opened(etcd.endpoints) as store:
            made = await store.create(states.index("a"))
            await store.delete("Index", "a")
            async with aclosing(store.watch(made.metadata.resource_version)) as events:
                event = await anext(events)
            assert event.type == "deleted"
            assert event.object is not None
            assert event.object.metadata.uid == made.metadata.uid

    run(test)


def test_bookmarks_move_on_while_others_write(etcd: Cluster) -> None:
    async def test() -> None:
        async with opened(etcd.endpoints) as one, opened(etcd.endpoints) as other:
            async with aclosing(one.watch((await one.list()).version)) as events:
                assert (await anext(events)).type == "bookmark"
                made = await other.create(states.index("a"))
                event = await anext(events)
            assert event.type == "bookmark"
            assert int(event.version) >= int(made.metadata.resource_version)

    run(test)


def test_a_long_history_comes_in_fragments(etcd: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    fragments = 0

    def counted(data: bytes) -> WatchResponse:
        nonlocal fragments
        response = WatchResponse.FromString(data)
        fragments += response.fragment
        return response

    async def test() -> None:
        async with opened(etcd.endpoints) as store:
            start = (await store.list()).version
            obj: Object = await store.create(states.index("a"))
            for number in range(20):
                obj = await store.update(changed(obj, f"{number} {'x' * 150_000}"))
            monkeypatch.setattr(WATCH, "response", counted)
            seen = await history(store, start)
            assert [x.partition(" ")[0] for _, _, _, x in seen] == ["", *map(str, range(20))]
            assert fragments > 0

    run(test)


def test_big_objects_are_listed_and_too_big_ones_refused_by_name(etcd: Cluster) -> None:
    async def test() -> None:
        async with opened(etcd.endpoints) as store:
            big = [states.index(f"big{number:02}", x="x" * 1_000_000) for number in range(20)]
            made = [await store.create(obj) for obj in big]
            assert list((await store.list()).objects) == made
            with pytest.raises(api.TooLarge, match=r"Index \[huge\] has 1\d{6} bytes"):
                await store.create(states.index("huge", x="x" * 1_100_000))
            with pytest.raises(api.TooLarge, match=r"Index \[big00\]"):
                await store.update(changed(made[0], "x" * 1_100_000))
            assert await store.get("Index", "big00") == made[0]

    run(test)


def test_a_lease_that_is_not_renewed_runs_out(etcd: Cluster) -> None:
    async def test() -> None:
        prefix = f"/test/{next(_numbers)}"
        async with opened(etcd.endpoints, prefix=prefix) as one, opened(etcd.endpoints, prefix=prefix) as two:
            first = await one.acquire("one", 0, 1)
            assert first is not None
            assert await two.acquire("two", 0, 1) is None
            second = None
            while second is None:
                second = await two.acquire("two", 0, 1)
            assert second.epoch == first.epoch + 1
            with pytest.raises(api.Fenced):
                await one.create(states.index("a"), fence=first.epoch)
            assert await one.acquire("one", 0, 1) is None
            await two.create(states.index("a"), fence=second.epoch)

    run(test)


def test_one_etcd_keeps_several_clusters_apart(etcd: Cluster) -> None:
    async def test() -> None:
        prefix = f"/test/{next(_numbers)}"
        async with opened(etcd.endpoints, prefix=prefix) as one, opened(etcd.endpoints, prefix=prefix + "0/") as two:
            made = await one.create(states.index("a"))
            assert await one.acquire("one", 0, 5) is not None
            assert await two.acquire("two", 0, 5) is not None
            assert (await two.list()).objects == []
            await two.create(states.index("a"))
            assert (await one.list()).objects == [made]

    run(test)


def test_a_newer_layout_is_refused(etcd: Cluster) -> None:
    async def test() -> None:
        prefix = f"/test/{next(_numbers)}"
        async with opened(etcd.endpoints, prefix=prefix) as store:
            await store._client.call(TXN, TxnRequest(success=[put(store._keys.format, b"2")]))
        with pytest.raises(FormatError, match="format 2"):
            await open_etcd(etcd.endpoints, prefix=prefix)

    run(test)
