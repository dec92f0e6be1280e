"""The control plane's leader on a real etcd."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest
from tests.support.etcd import Cluster
from tests.unit.controlplane.harness import NODE, leader, running, settled, starts_shards
from tests.unit.model import states

from quidditch.controlplane import overflow
from quidditch.controlplane.core.commands import (
    CreateIndex,
    DeleteIndices,
    PutMapping,
    PutTemplate,
    RegisterNode,
    UpdateIndexSettings,
)
from quidditch.controlplane.leader import Leader
from quidditch.model.errors import ApiError
from quidditch.model.state import ClusterState
from quidditch.store.api import Event
from quidditch.store.etcd import EtcdStore
from quidditch.store.etcd import open as open_etcd


async def opened(etcd: Cluster, prefix: str) -> EtcdStore:
    return await open_etcd(etcd.endpoints, prefix=prefix)


async def stored(store: EtcdStore) -> ClusterState:
    listing = await store.list()
    return ClusterState().apply(overflow.join_all(listing.objects), int(listing.version))


def test_what_the_leader_says_is_what_etcd_has(etcd: Cluster) -> None:
    """Many clients at once: their writes share transactions, and so versions."""

    async def client(control: object, name: str) -> None:
        submit = control.submit  # type: ignore[attr-defined]
        await submit(CreateIndex(name=name))
        for number in range(4):
            await submit(UpdateIndexSettings(indices=(name,), settings={"index.refresh_interval": f"{number + 1}s"}))
        if name.endswith("0"):
            await submit(DeleteIndices(indices=(name,)))

    async def main() -> None:
        store = await opened(etcd, f"/leader/{uuid.uuid4()}")
        async with running(store) as control:
            await asyncio.gather(*(client(control, f"i{number}") for number in range(40)))
            assert await control.wait_for(settled, 20)
            here, there = control.state, await stored(store)
            assert here.indices == there.indices
            assert len(here.indices) == 36
            assert here.routing == there.routing
            assert {index.spec.settings["index.refresh_interval"] for index in here.indices.values()} == {"4s"}
        await store.close()

    asyncio.run(asyncio.wait_for(main(), 60))


def test_a_new_index_and_its_routing_are_one_write(etcd: Cluster) -> None:
    """Also where other creations stand beside it, one of a name that another writer took meanwhile."""

    async def main() -> None:
        store = await opened(etcd, f"/leader/{uuid.uuid4()}")
        async with running(store) as control:
            start = (await store.list()).version
            await store.create(states.index("taken"))
            names = ("a", "b", "taken", "c")
            answers = await asyncio.gather(
                *(control.submit(CreateIndex(name=name, aliases={f"of-{name}": {}})) for name in names),
                return_exceptions=True,
            )
            assert [getattr(answer, "type", "") for answer in answers] == [
                "",
                "",
                "resource_already_exists_exception",
                "",
            ]
            assert await control.wait_for(lambda state: len(state.routing) == 4 and settled(state), 20)
            there = await stored(store)
            assert sorted(there.indices) == sorted(names)
            assert control.state.indices == there.indices
            # How it was made: the routing has been written again since, the index has not.
            history = [event async for event in _until(store, start, len(names))]
            made = {
                (event.object.kind, event.object.key): event.version for event in history if event.object is not None
            }
            for name in ("a", "b", "c"):
                assert made["Index", name] == made["Routing", name] == made["Alias", f"of-{name}"]
        await store.close()

    asyncio.run(asyncio.wait_for(main(), 60))


async def _until(store: EtcdStore, version: str, indices: int) -> AsyncIterator[Event]:
    """What was created, until there are so many indices."""
    async for event in store.watch(version):
        if event.type == "added":
            yield event
            indices -= event.object is not None and event.object.kind == "Index"
        if not indices:
            return


def test_what_is_deleted_beside_other_writes_does_not_come_back(etcd: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deletions share transactions with other writes, and the watch brings all of them late."""

    async def client(control: Leader, number: int) -> None:
        """Half of the clients delete while the others create."""
        name = f"i{number}"
        template = PutTemplate(template_kind="index", name=name, body={"index_patterns": [name]})
        for _ in range(number % 2 * 2):
            await control.submit(template)
        for seconds in range(1, 6):
            await control.submit(CreateIndex(name=name, aliases={f"alias-{name}": {}}))
            await control.submit(UpdateIndexSettings(indices=(name,), settings={"refresh_interval": f"{seconds}s"}))
            await control.submit(DeleteIndices(indices=(name,)))
            await control.submit(template)

    async def main() -> None:
        prefix = f"/leader/{uuid.uuid4()}"
        store, other = await opened(etcd, prefix), await opened(etcd, prefix)
        watch, gate = store.watch, asyncio.Event()

        async def late(version: str) -> AsyncIterator[Event]:
            await gate.wait()
            async for event in watch(version):
                yield event
                await asyncio.sleep(0.002)  # the leader takes each by itself

        monkeypatch.setattr(store, "watch", late)
        async with running(store) as control:
            await asyncio.gather(*(client(control, number) for number in range(12)))
            ghosts: set[str] = set()
            control.subscribe(lambda _, new: ghosts.update(new.indices))
            gate.set()
            await other.create(states.index("by-another"))
            assert await control.wait_for(lambda state: "by-another" in state.indices, 20)
            assert ghosts == set(control.state.indices) == {"by-another"}
        for each in (store, other):
            await each.close()

    asyncio.run(asyncio.wait_for(main(), 60))


def test_another_leads_when_the_first_has_gone_silent(etcd: Cluster) -> None:
    async def main() -> None:
        prefix = f"/leader/{uuid.uuid4()}"
        one_store, two_store = await opened(etcd, prefix), await opened(etcd, prefix)
        one = leader(one_store)
        one._candidate.seconds = 1.0
        await one.start()
        await one._chores.stop()  # it no longer renews its lease, and does not know
        starts_shards(one)
        await one.submit(RegisterNode(node=NODE, fresh=True))
        await one.submit(CreateIndex(name="a"))
        two = leader(two_store)
        two._candidate.holder = "node-2"
        await two.start()
        await two.submit(CreateIndex(name="b"))
        assert set(two.state.indices) == {"a", "b"}
        assert two.state.version > 0
        # The first learns by its next write that it is deposed, and leads again only when the second has gone.
        late = asyncio.create_task(one.submit(CreateIndex(name="c")))
        await two.submit(CreateIndex(name="d"))
        assert not late.done()
        await two.stop()
        await late
        assert set(one.state.indices) == {"a", "b", "c", "d"}
        await one.stop()
        for store in (one_store, two_store):
            await store.close()

    asyncio.run(asyncio.wait_for(main(), 60))


def test_what_is_too_large_for_etcd_is_the_clients_error(etcd: Cluster) -> None:
    async def main() -> None:
        store = await opened(etcd, f"/leader/{uuid.uuid4()}")
        async with running(store) as control:
            with pytest.raises(ApiError) as refused:
                await control.submit(CreateIndex(name="a", aliases={"l": {"filter": {"term": {"x": "x" * 1_500_000}}}}))
            assert refused.value.status == 400
            assert "bytes, this store keeps at most" in str(refused.value)
            # A big mapping is no such thing: it is kept in parts.
            fields = {f"field_{number}": {"type": "text", "analyzer": "standard"} for number in range(900)}
            await control.submit(CreateIndex(name="b", settings={"index.mapping.total_fields.limit": 10_000}))
            for start in range(0, 8):
                named = {f"{'long' * 40}_{start}_{name}": field for name, field in fields.items()}
                await control.submit(PutMapping(indices=("b",), mapping={"properties": named}))
            assert (await stored(store)).indices["b"].spec.mappings == control.state.indices["b"].spec.mappings
        await store.close()

    asyncio.run(asyncio.wait_for(main(), 60))
