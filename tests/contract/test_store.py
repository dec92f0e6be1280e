"""The contract of quidditch.store.api, held by every backend."""

from __future__ import annotations

import asyncio
import gc
import re
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.support.etcd import Cluster as Etcd
from tests.support.stores import HISTORY, Make, memory, on_etcd, on_kubernetes, sqlite
from tests.unit.model import states

from quidditch.model.objects import Cluster, ClusterSpec, Index, Metadata, Object
from quidditch.store import api
from quidditch.store.etcd import open as open_etcd
from quidditch.store.etcd.client import RANGE, REVOKE
from quidditch.store.etcd.store import EtcdStore
from quidditch.store.etcd.wire_pb2 import LeaseRevokeRequest, RangeRequest
from quidditch.store.kubernetes.store import KubernetesStore
from quidditch.store.memory import MemoryStore
from quidditch.store.sqlite import SqliteStore

# asyncio leaves sockets to the collector whose TLS is broken off.
KUBERNETES = pytest.param("kubernetes", marks=pytest.mark.filterwarnings("ignore::ResourceWarning"))


@pytest.fixture(params=["etcd", "memory", "sqlite", KUBERNETES])
def make(request: pytest.FixtureRequest) -> Iterator[Make]:
    if request.param == "kubernetes":
        yield on_kubernetes(request.getfixturevalue("kube_crds"))
        gc.collect()
    elif request.param == "etcd":
        yield on_etcd(request.getfixturevalue("etcd"))
    else:
        yield {"memory": memory, "sqlite": sqlite}[request.param]


async def run_out(store: api.Store) -> None:
    """Lets the leader's lease run out where that goes by the store's clock: what etcd does then is to revoke it."""
    if isinstance(store, EtcdStore):
        held = await store._client.call(RANGE, RangeRequest(key=store._keys.leader))
        await store._client.call(REVOKE, LeaseRevokeRequest(ID=held.kvs[0].lease))


@pytest.fixture
def run(make: Make, tmp_path: Path) -> Callable[[Callable[[api.Store], Coroutine[Any, Any, None]]], None]:
    """Runs a coroutine function with a new store."""

    def runner(test: Callable[[api.Store], Coroutine[Any, Any, None]]) -> None:
        async def main() -> None:
            store = await make(tmp_path)
            try:
                await asyncio.wait_for(test(store), 30)
            finally:
                await store.close()

        asyncio.run(main())

    return runner


Run: TypeAlias = Callable[[Callable[[api.Store], Coroutine[Any, Any, None]]], None]


def changed(obj: Object, **settings: str) -> Index:
    assert isinstance(obj, Index)
    return replace(obj, spec=replace(obj.spec, settings={**obj.spec.settings, **settings}))


def finalized(obj: Object, *finalizers: str) -> Object:
    return replace(obj, metadata=replace(obj.metadata, finalizers=finalizers))


async def changes(events: AsyncIterator[api.Event], count: int) -> list[api.Event]:
    """The next events that are no bookmarks."""
    seen: list[api.Event] = []
    while len(seen) < count:
        event = await anext(events)
        if event.object is not None:
            seen.append(event)
    return seen


def version_of(event: api.Event) -> str:
    """Of the object in it. Where each kind is watched by itself, that of the event is one of all kinds."""
    assert event.object is not None
    version = event.object.metadata.resource_version
    assert version == event.version or not event.version.isdigit()
    return version


@asynccontextmanager
async def watching(store: api.Store, version: str) -> AsyncIterator[AsyncIterator[api.Event]]:
    stream = store.watch(version)
    try:
        yield stream
    finally:
        await stream.aclose()  # type: ignore[attr-defined]


def test_create_get_list(run: Run) -> None:
    async def test(store: api.Store) -> None:
        made = await store.create(states.index("b"))
        await store.create(states.index("a"))
        await store.create(states.alias("l", {"a": {}}))
        assert made.metadata.uid
        assert made.metadata.generation == 1
        assert await store.get("Index", "b") == made
        assert [obj.key for obj in (await store.list("Index")).objects] == ["a", "b"]
        assert [(obj.kind, obj.key) for obj in (await store.list()).objects] == [
            ("Alias", "l"),
            ("Index", "a"),
            ("Index", "b"),
        ]
        with pytest.raises(api.NotFound):
            await store.get("Index", "c")

    run(test)


def test_create_twice_is_refused(run: Run) -> None:
    async def test(store: api.Store) -> None:
        made = await store.create(states.index("a"))
        with pytest.raises(api.AlreadyExists):
            await store.create(states.index("a"))
        with pytest.raises(api.Conflict):
            await store.create(replace(states.index("b"), metadata=replace(made.metadata, name="b")))
        assert (await store.list()).objects == [made]

    run(test)


def test_many_are_created_in_order_or_the_rest_is_not(run: Run) -> None:
    async def test(store: api.Store) -> None:
        one = await store.acquire("one", 0, 10)
        assert one is not None
        made = await store.create_all([states.index("a"), states.alias("l", {"a": {}})], fence=one.epoch)
        assert [await store.get(obj.kind, obj.key) for obj in made] == list(made)
        assert all(obj.metadata.uid and obj.metadata.generation == 1 for obj in made)
        with pytest.raises(api.AlreadyExists, match=r"\[a\]"):
            await store.create_all([states.index("b"), states.index("a"), states.index("c")])
        names = [obj.key for obj in (await store.list("Index")).objects]
        assert names == (["a", "b"] if isinstance(store, MemoryStore | KubernetesStore) else ["a"])
        with pytest.raises(api.Fenced):
            await store.create_all([states.index("d"), states.index("e")], fence=one.epoch + 1)
        assert await store.update(changed(made[0], x="1"))
        many = [states.index(f"many-{number}") for number in range(40)]
        assert [obj.key for obj in await store.create_all(many)] == [obj.key for obj in many]
        assert [obj.key for obj in (await store.list("Index")).objects] == sorted([*names, *(obj.key for obj in many)])

    run(test)


def test_what_is_created_together_is_watched_together(run: Run) -> None:
    async def test(store: api.Store) -> None:
        start = (await store.list()).version
        async with watching(store, start) as events:
            groups = [[states.index(f"{letter}{number}") for letter in "ab"] for number in range(5)]
            outcomes = await asyncio.gather(*(store.create_all(group) for group in groups))
            wanted = {(obj.key, obj.metadata.resource_version) for made in outcomes for obj in made}
            seen = [(event.object.key, version_of(event)) for event in await changes(events, 10) if event.object]
        assert set(seen) == wanted
        for number in range(5):
            assert seen.index((f"a{number}", dict(seen)[f"a{number}"])) < seen.index(
                (f"b{number}", dict(seen)[f"b{number}"])
            )

    run(test)


def test_update_compares_and_sets(run: Run) -> None:
    async def test(store: api.Store) -> None:
        first = await store.create(states.index("a"))
        second = await store.update(changed(first, x="1"))
        assert second.metadata.resource_version != first.metadata.resource_version
        assert second.metadata.generation == 2
        with pytest.raises(api.Conflict):
            await store.update(changed(first, x="2"))
        third = await store.update(second)
        assert third.metadata.generation == 2
        assert await store.get("Index", "a") == third
        with pytest.raises(api.NotFound):
            await store.update(changed(replace(first, metadata=replace(first.metadata, name="b"))))

    run(test)


def test_only_one_of_concurrent_updates_wins(run: Run) -> None:
    async def test(store: api.Store) -> None:
        first = await store.create(states.index("a"))
        outcomes = await asyncio.gather(
            *(store.update(changed(first, x=str(n))) for n in range(10)), return_exceptions=True
        )
        won = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
        assert len(won) == 1
        assert await store.get("Index", "a") == won[0]
        assert all(isinstance(outcome, api.Conflict) for outcome in outcomes if isinstance(outcome, BaseException))

    run(test)


def test_delete_with_precondition(run: Run) -> None:
    async def test(store: api.Store) -> None:
        first = await store.create(states.index("a"))
        second = await store.update(changed(first, x="1"))
        with pytest.raises(api.Conflict):
            await store.delete("Index", "a", first.metadata.resource_version)
        assert await store.delete("Index", "a", second.metadata.resource_version) is None
        with pytest.raises(api.NotFound):
            await store.delete("Index", "a")
        again = await store.create(states.index("a"))
        assert again.metadata.uid != first.metadata.uid

    run(test)


def test_finalizers_hold_a_deletion(run: Run) -> None:
    async def test(store: api.Store) -> None:
        first = await store.create(finalized(states.index("a"), "routing", "data"))
        marked = await store.delete("Index", "a")
        assert marked is not None
        assert marked.metadata.deletion_timestamp
        assert marked.metadata.uid == first.metadata.uid
        unmarked = replace(marked, metadata=replace(marked.metadata, deletion_timestamp=None, finalizers=("data",)))
        left = await store.update(unmarked)
        assert left.metadata.deletion_timestamp == marked.metadata.deletion_timestamp
        async with watching(store, left.metadata.resource_version) as events:
            await store.update(finalized(left))
            (event,) = await changes(events, 1)
            assert event.type == "deleted"
            assert event.object is not None
            assert event.object.metadata.finalizers == ()
        with pytest.raises(api.NotFound):
            await store.get("Index", "a")

    run(test)


def test_watch_is_ordered_and_resumes(run: Run) -> None:
    async def test(store: api.Store) -> None:
        start = (await store.list()).version
        a = await store.create(states.index("a"))
        b = await store.create(states.index("b"))
        a2 = await store.update(changed(a, x="1"))
        await store.delete("Index", "b")
        async with watching(store, start) as events:
            seen = await changes(events, 4)
            assert [event.type for event in seen] == ["added", "added", "modified", "deleted"]
            assert [event.object.key for event in seen if event.object] == ["a", "b", "a", "b"]
            assert seen[2].object == a2
            if not isinstance(store, KubernetesStore):  # whose bookmarks come when the server likes
                after = await anext(events)
                assert after.type == "bookmark"
                assert after.version == seen[3].version == (await store.list()).version
        for version in (b.metadata.resource_version, seen[1].version):
            async with watching(store, version) as events:
                assert (await changes(events, 1))[0].object == a2

    run(test)


def test_watch_waits_for_what_comes(run: Run) -> None:
    async def test(store: api.Store) -> None:
        async with watching(store, (await store.list()).version) as events:
            assert (await anext(events)).type == "bookmark"
            pending = asyncio.ensure_future(anext(events))
            await asyncio.sleep(0)
            assert not pending.done()
            made = await store.create(states.index("a"))
            assert (await pending).object == made

    run(test)


def test_list_and_watch_leave_no_gap(run: Run) -> None:
    async def test(store: api.Store) -> None:
        async def writer() -> None:
            for number in range(15):
                await store.create(states.index(f"i{number}"))

        async def reader() -> set[str]:
            listing = await store.list()
            known = {obj.key for obj in listing.objects}
            async with watching(store, listing.version) as events:
                while len(known) < 15:
                    event = await anext(events)
                    if event.object is not None:
                        assert event.object.key not in known
                        known.add(event.object.key)
            return known

        results = await asyncio.gather(writer(), *(reader() for _ in range(4)))
        assert all(result == {f"i{number}" for number in range(15)} for result in results[1:])

    run(test)


def test_writes_side_by_side_stand_or_fall_alone(run: Run) -> None:
    async def test(store: api.Store) -> None:
        there = await store.create(states.index("there"))
        stale = await store.create(states.index("stale"))
        await store.update(changed(stale, x="1"))
        start = (await store.list()).version
        names = [f"i{number}" for number in range(HISTORY - 5)]
        async with watching(store, start) as events:
            outcomes = await asyncio.gather(
                *(store.create(states.index(name)) for name in names),
                store.create(states.index("there")),
                store.update(changed(stale, x="2")),
                store.update(changed(there, x="1")),
                store.delete("Index", "missing"),
                return_exceptions=True,
            )
            assert [type(outcome) for outcome in outcomes[-4:]] == [
                api.AlreadyExists,
                api.Conflict,
                Index,
                api.NotFound,
            ]
            assert [obj.key for obj in outcomes[:-4] if isinstance(obj, Index)] == names
            seen = await changes(events, len(names) + 1)
        versions = [int(version_of(event)) for event in seen]
        assert versions == sorted(versions)
        assert sorted(event.object.key for event in seen if event.object) == sorted([*names, "there"])
        for event in seen:
            assert event.object is not None
            assert event.object == await store.get("Index", event.object.key)

    run(test)


def test_a_deposed_leader_cannot_write_among_others(run: Run) -> None:
    async def test(store: api.Store) -> None:
        one = await store.acquire("one", 0, 10)
        assert one is not None
        await store.release(one)
        two = await store.acquire("two", 1, 10)
        assert two is not None
        fences = [one.epoch, two.epoch, None]
        outcomes = await asyncio.gather(
            *(store.create(states.index(f"i{number}"), fence=fences[number % 3]) for number in range(12)),
            return_exceptions=True,
        )
        assert [isinstance(outcome, api.Fenced) for outcome in outcomes] == [True, False, False] * 4
        written = [obj.key for obj in (await store.list()).objects]
        assert written == sorted(f"i{number}" for number in range(12) if number % 3)

    run(test)


def test_only_one_founds_the_cluster(run: Run) -> None:
    async def test(store: api.Store) -> None:
        def cluster(number: int) -> Cluster:
            return Cluster(metadata=Metadata(name=Cluster.NAME), spec=ClusterSpec(name="c", uuid=str(number)))

        outcomes = await asyncio.gather(*(store.create(cluster(number)) for number in range(5)), return_exceptions=True)
        (founded,) = [outcome for outcome in outcomes if isinstance(outcome, Cluster)]
        assert await store.get("Cluster", Cluster.NAME) == founded
        assert all(isinstance(outcome, Cluster | api.AlreadyExists) for outcome in outcomes)

    run(test)


def test_a_long_list_is_whole_and_in_order(run: Run) -> None:
    async def test(store: api.Store) -> None:
        names = [f"i{number:04}" for number in range(600)]
        for start in range(0, len(names), 100):
            await asyncio.gather(*(store.create(states.index(name)) for name in names[start : start + 100]))
        assert [obj.key for obj in (await store.list("Index")).objects] == names

    run(test)


def test_a_watch_from_too_long_ago_is_expired(run: Run) -> None:
    async def test(store: api.Store) -> None:
        start = (await store.list()).version
        obj = await store.create(states.index("a"))
        for number in range(3 * HISTORY):
            obj = await store.update(changed(obj, x=str(number)))
        if isinstance(store, KubernetesStore):
            start = "1"  # the API server keeps more than this test writes, but nothing of the time before the CRDs
        with pytest.raises(api.Expired):
            async with watching(store, start) as events:
                await changes(events, 1)
        recent = str(int(obj.metadata.resource_version) - HISTORY + 1)
        async with watching(store, recent) as events:
            assert (await changes(events, 1))[0].type == "modified"

    run(test)


def test_leases_and_fences(run: Run) -> None:
    async def test(store: api.Store) -> None:
        one = await store.acquire("one", 0, 10)
        assert one is not None
        assert await store.leader() == one
        assert await store.acquire("two", 5, 10) is None
        assert await store.acquire("one", 9, 10) == one
        made = await store.create(states.index("a"), fence=one.epoch)
        await run_out(store)
        two = await store.acquire("two", 20, 10)
        assert two is not None
        assert two.epoch > one.epoch
        for write in (
            store.create(states.index("b"), fence=one.epoch),
            store.update(changed(made, x="1"), fence=one.epoch),
            store.delete("Index", "a", fence=one.epoch),
        ):
            with pytest.raises(api.Fenced):
                await write
        assert (await store.list()).objects == [made]
        await store.update(changed(made, x="1"), fence=two.epoch)
        await store.release(one)
        assert await store.acquire("one", 21, 10) is None
        await store.release(two)
        assert await store.leader() is None
        three = await store.acquire("one", 21, 10)
        assert three is not None
        assert three.epoch > two.epoch

    run(test)


def test_a_leader_may_ask_for_a_later_epoch(run: Run) -> None:
    async def test(store: api.Store) -> None:
        assert await store.epoch() == 0
        one = await store.acquire("one", 0, 10, least=1000)
        assert one == api.Lease("one", 1000)
        assert await store.acquire("one", 1, 10, least=2000) == one
        await store.release(one)
        assert await store.epoch() == 1000
        two = await store.acquire("two", 2, 10, least=7)
        assert two == api.Lease("two", 1001)
        assert await store.epoch() == 1001

    run(test)


def test_a_lease_that_ran_out_comes_back_with_a_new_epoch(run: Run) -> None:
    async def test(store: api.Store) -> None:
        first = await store.acquire("one", 0, 10)
        await run_out(store)
        again = await store.acquire("one", 11, 10)
        assert first is not None
        assert again is not None
        assert again.epoch > first.epoch

    run(test)


def test_a_closed_store_refuses_writes_and_ends_watches(make: Make, tmp_path: Path) -> None:
    async def main() -> None:
        store = await make(tmp_path)
        stream = store.watch((await store.list()).version)
        assert (await anext(stream)).type == "bookmark"
        pending = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        await store.close()
        with pytest.raises(StopAsyncIteration):
            await pending
        with pytest.raises(api.Unavailable):
            await store.create(states.index("a"))

    asyncio.run(main())


NAMES = st.sampled_from(["a", "b", "c"])
OPS = st.lists(
    st.one_of(
        st.tuples(st.just("create"), NAMES, st.booleans()),
        st.tuples(st.just("update"), NAMES, st.booleans()),
        st.tuples(st.just("stale"), NAMES, st.booleans()),
        st.tuples(st.just("delete"), NAMES, st.booleans()),
        st.tuples(st.just("unfinalize"), NAMES, st.booleans()),
        st.tuples(st.just("lease"), NAMES, st.booleans()),
    ),
    max_size=25,
)


async def _apply(store: api.Store, ops: list[tuple[str, str, bool]]) -> list[Any]:
    """What each operation answers, and then every event and the final list."""
    answers: list[Any] = []
    epoch: int | None = None
    for step, (op, name, flag) in enumerate(ops):
        try:
            if op == "create":
                obj = states.index(name)
                answers.append(await store.create(finalized(obj, "f") if flag else obj, fence=epoch if flag else None))
            elif op == "update":
                answers.append(await store.update(changed(await store.get("Index", name), x=str(step)), fence=epoch))
            elif op == "stale":
                old = await store.get("Index", name)
                answers.append(await store.update(replace(old, metadata=replace(old.metadata, resource_version="0"))))
            elif op == "delete":
                answers.append(await store.delete("Index", name, fence=epoch if flag else None))
            elif op == "unfinalize":
                answers.append(await store.update(finalized(await store.get("Index", name))))
            else:
                lease = await store.acquire(name, float(step), 3.0)
                answers.append(lease)
                epoch = lease.epoch if lease and flag else epoch
        except api.StoreError as error:
            answers.append((type(error).__name__, str(error)))
    listing = await store.list()
    answers.append(listing)
    last = int(listing.version)
    async with watching(store, str(max(0, last - HISTORY))) as events:
        async for event in events:
            answers.append(event)
            if event.type == "bookmark":
                break
    return answers


@given(OPS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_stores_agree(tmp_path_factory: pytest.TempPathFactory, ops: list[tuple[str, str, bool]]) -> None:
    async def main() -> None:
        folder = tmp_path_factory.mktemp("store")
        one = MemoryStore(history=HISTORY, new_uid=lambda: "uid", timestamp=lambda: "now")
        two = await SqliteStore.open(folder / "s", history=HISTORY, new_uid=lambda: "uid", timestamp=lambda: "now")
        try:
            assert await _apply(one, ops) == await _apply(two, ops)
        finally:
            await one.close()
            await two.close()

    asyncio.run(main())


def _ranked(answers: list[Any]) -> str:
    """The answers with every version replaced by its rank: stores count from different numbers."""
    text = repr(answers)
    number = re.compile(r"(version='|at version |expected )(\d+)")
    ranks = {version: rank for rank, version in enumerate(sorted({int(found[2]) for found in number.finditer(text)}))}
    return number.sub(lambda found: f"{found[1]}v{ranks[int(found[2])]}", text)


@pytest.fixture(scope="module")
def quiet() -> Iterator[Etcd]:
    """An etcd where nobody else writes and no lease runs out: revisions are those of the test's own writes."""
    with Etcd.temporary() as cluster:
        yield cluster


@given(OPS.map(lambda ops: [op for op in ops if op[0] != "lease"]))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_etcd_agrees(quiet: Etcd, ops: list[tuple[str, str, bool]]) -> None:
    """Leases are left out: theirs is another clock."""

    async def main() -> None:
        one = MemoryStore(history=HISTORY, new_uid=lambda: "uid", timestamp=lambda: "now")
        prefix = f"/agree/{uuid.uuid4()}"
        two = await open_etcd(
            quiet.endpoints, prefix=prefix, history=None, new_uid=lambda: "uid", timestamp=lambda: "now"
        )
        try:
            assert _ranked(await _apply(one, ops)) == _ranked(await _apply(two, ops))
        finally:
            await one.close()
            await two.close()

    asyncio.run(main())
