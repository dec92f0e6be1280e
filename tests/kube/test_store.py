"""What the store of k8s mode does beyond the contract that all stores hold (tests/contract/test_store.py)."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeAlias

import pytest
from msgspec.structs import replace

from quidditch.lib.kube import config
from quidditch.lib.kube.client import Client
from quidditch.lib.kube.resource import LEASES
from quidditch.model.objects import Index, Object
from quidditch.store import api
from quidditch.store.kubernetes.leadership import EPOCH
from quidditch.store.kubernetes.resources import INDICES
from quidditch.store.kubernetes.store import LEASE, KubernetesStore
from quidditch.store.kubernetes.store import open as open_store
from tests.support.crds import new_namespace
from tests.support.kube import ApiServer
from tests.unit.model import states

pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning"
)  # TLS that is broken off leaves sockets to the collector
Test: TypeAlias = Callable[[Client, str, KubernetesStore], Awaitable[None]]
Run: TypeAlias = Callable[[Test], None]


@pytest.fixture
def run(kube_crds: ApiServer) -> Iterator[Run]:
    """Runs a coroutine function with a client, a new namespace and its store."""

    def runner(test: Test) -> None:
        async def main() -> None:
            client = Client(config.load({}, kube_crds.kubeconfig))
            namespace = await new_namespace(client)
            store = await open_store(client, namespace)
            try:
                await asyncio.wait_for(test(client, namespace, store), 30)
            finally:
                await store.close()
                await client.close()

        asyncio.run(main())

    yield runner
    gc.collect()


def changed(obj: Object, value: str) -> Index:
    assert isinstance(obj, Index)
    return replace(obj, spec=replace(obj.spec, settings={**obj.spec.settings, "index.x": value}))


def test_what_is_not_the_stores_own_stays(run: Run) -> None:
    async def test(client: Client, namespace: str, store: KubernetesStore) -> None:
        made = await store.create(states.index("a"))
        marks = {"labels": {"team": "search"}, "annotations": {"note": "mine"}}
        await client.patch(INDICES, "a", {"metadata": marks}, namespace)
        await client.patch(INDICES, "a", {"status": {"state": "ACTIVE"}}, namespace, subresource="status")
        await store.update(changed(made, "1"))  # at the version that it knew: the object is still the same
        tree = await client.get(INDICES, "a", namespace)
        meta = tree["metadata"]
        assert (meta["labels"], meta["annotations"]) == (marks["labels"], marks["annotations"])
        assert tree["status"] == {"state": "ACTIVE"}
        known = await store.get("Index", "a")
        await client.patch(INDICES, "a", {"spec": {"replicas": 2}}, namespace)
        for late in (store.update(changed(known, "2")), store.delete("Index", "a", known.metadata.resource_version)):
            with pytest.raises(api.Conflict):
                await late

    run(test)


def test_a_users_wish_is_adopted_in_its_own_words(run: Run) -> None:
    async def test(client: Client, namespace: str, store: KubernetesStore) -> None:
        wish = {"metadata": {"name": "a", "finalizers": ["example.com/mine"]}, "spec": {"replicas": 0}}
        tree = {"apiVersion": INDICES.api_version, "kind": INDICES.kind, **wish}
        applied = await client.create(INDICES, tree, namespace)
        assert (await store.list("Index")).objects == []
        with pytest.raises(api.NotFound):
            await store.get("Index", "a")
        made = await store.create(states.index("a"))
        assert made.metadata.uid == applied["metadata"]["uid"]
        assert made.metadata.finalizers == ("example.com/mine",)
        kept = (await client.get(INDICES, "a", namespace))["spec"]
        assert {field: value for field, value in kept.items() if field != "control"} == {"replicas": 0}
        with pytest.raises(api.AlreadyExists):
            await store.create(states.index("a"))

    run(test)


def test_a_late_write_of_a_deposed_leader_loses_to_what_the_new_one_wrote(run: Run) -> None:
    """The old leader is paused after its look at the lease: that look says yes, and only then another takes the lead and writes."""

    async def test(client: Client, namespace: str, store: KubernetesStore) -> None:
        other = await open_store(client, namespace)
        one = await store.acquire("one", 0, 10)
        assert one is not None
        made = [await store.create(states.index(name), fence=one.epoch) for name in ("a", "b", "c")]

        async def take_over_and_write() -> None:
            await store.release(one)
            two = await other.acquire("two", 0, 10)
            assert two is not None
            for obj in made[:2]:
                await other.update(changed(obj, "two"), fence=two.epoch)
            await other.delete("Index", "c", made[2].metadata.resource_version, fence=two.epoch)
            await other.create(states.index("d"), fence=two.epoch)

        taking: asyncio.Task[None] | None = None
        check = store._fence.check

        async def paused(fence: int | None) -> None:
            nonlocal taking
            await check(fence)
            taking = taking or asyncio.create_task(take_over_and_write())
            await taking

        store._fence.check = paused  # type: ignore[method-assign]
        late = await asyncio.gather(
            store.update(changed(made[0], "one"), fence=one.epoch),
            store.delete("Index", "b", made[1].metadata.resource_version, fence=one.epoch),
            store.update(changed(made[2], "one"), fence=one.epoch),
            store.create(states.index("d"), fence=one.epoch),
            return_exceptions=True,
        )
        assert [type(outcome) for outcome in late] == [api.Conflict, api.Conflict, api.NotFound, api.AlreadyExists]
        store._fence.check = check  # type: ignore[method-assign]
        for write in (
            store.create(states.index("e"), fence=one.epoch),
            store.delete("Index", "a", fence=one.epoch),
        ):
            with pytest.raises(api.Fenced):
                await write
        there: dict[str, Any] = {obj.key: obj for obj in (await store.list("Index")).objects}
        assert sorted(there) == ["a", "b", "d"]
        assert {there[name].spec.settings["index.x"] for name in "ab"} == {"two"}

    run(test)


def test_a_candidate_waits_for_as_long_as_it_has_seen_nothing_new(run: Run) -> None:
    """However far its clock is from the holder's."""

    async def test(client: Client, namespace: str, store: KubernetesStore) -> None:
        other = await open_store(client, namespace)
        one = await store.acquire("one", 1_000, 10)
        assert one is not None
        assert await other.acquire("two", 900_000, 10) is None
        assert await other.acquire("two", 900_009, 10) is None
        assert await store.acquire("one", 1_005, 10) == one
        assert await other.acquire("two", 900_010, 10) is None
        assert await other.acquire("two", 900_019, 10) is None
        assert await other.acquire("two", 900_020, 10) == api.Lease("two", one.epoch + 1)
        assert await store.acquire("one", 1_006, 10) is None
        lease = await client.get(LEASES, LEASE, namespace)
        assert lease["metadata"]["annotations"][EPOCH] == str(one.epoch + 1)
        assert lease["spec"]["holderIdentity"] == "two"
        assert lease["spec"]["leaseTransitions"] == 1

    run(test)


def test_refusals_of_the_api_server_are_told(run: Run, kube_crds: ApiServer) -> None:
    async def test(client: Client, namespace: str, store: KubernetesStore) -> None:
        big = changed(states.index("a"), "x" * 2_000_000)
        with pytest.raises(api.TooLarge, match=r"Index \[a\] has \d+ bytes"):
            await store.create(big)
        with pytest.raises(api.Refused, match="namespaces"):
            await (await open_store(client, "nowhere")).create(states.index("a"))
        with pytest.raises(api.Expired):
            await anext(store.watch("quidditchindices:5"))
        nobody = Client(config.load({}, kube_crds.kubeconfig), timeout=0.1)
        await nobody.close()
        with pytest.raises(api.Unavailable):
            await open_store(nobody, namespace)

    run(test)
