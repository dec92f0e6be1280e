"""A control plane that dies between any two writes: the next one finds the objects as they are and brings them in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from tests.unit.controlplane.harness import NODE, leader, settled, starts_shards

from quidditch.controlplane.core.commands import (
    AddAlias,
    CloseIndices,
    Command,
    CreateIndex,
    DeleteIndices,
    OpenIndices,
    PutMapping,
    PutTemplate,
    RegisterNode,
    RemoveAlias,
    RemoveIndex,
    Rollover,
    UpdateAliases,
    UpdateIndexSettings,
)
from quidditch.controlplane.core.decide import upkeep
from quidditch.controlplane.core.draft import Env
from quidditch.lib.ids import CountedIds
from quidditch.model.objects import Alias, Object
from quidditch.model.state import ClusterState
from quidditch.store import api
from quidditch.store.memory import MemoryStore


class Dying(api.Store):
    """Lets the first `writes` writes through; then nothing answers any more."""

    def __init__(self, inner: api.Store, writes: int) -> None:
        self._inner = inner
        self._left = writes
        self.died = asyncio.Event()

    def _spend(self) -> None:
        if self._left <= 0:
            self.died.set()
            raise api.Unavailable("the process died")
        self._left -= 1

    async def get(self, kind: str, name: str) -> Object:
        return await self._inner.get(kind, name)

    async def list(self, kind: str | None = None) -> api.Listing:
        return await self._inner.list(kind)

    async def create(self, obj: Object, fence: int | None = None) -> Object:
        self._spend()
        return await self._inner.create(obj, fence)

    async def update(self, obj: Object, fence: int | None = None) -> Object:
        self._spend()
        return await self._inner.update(obj, fence)

    async def delete(self, kind: str, name: str, version: str | None = None, fence: int | None = None) -> Object | None:
        self._spend()
        return await self._inner.delete(kind, name, version, fence)

    def watch(self, version: str) -> AsyncIterator[api.Event]:
        return self._inner.watch(version)

    async def acquire(self, holder: str, now: float, duration: float) -> api.Lease | None:
        return await self._inner.acquire(holder, now, duration)

    async def leader(self) -> api.Lease | None:
        return await self._inner.leader()

    async def epoch(self) -> int:
        return await self._inner.epoch()

    async def release(self, lease: api.Lease) -> None:
        await self._inner.release(lease)

    async def close(self) -> None:
        await self._inner.close()


BEFORE: Sequence[Command] = (
    CreateIndex(
        name="old",
        settings={"number_of_shards": 2},
        aliases={"both": {}, "only-old": {}, "written": {"is_write_index": True}},
    ),
    CreateIndex(name="kept", aliases={"both": {}}),
)
SCENARIOS: dict[str, Sequence[Command]] = {
    "create": (CreateIndex(name="new", aliases={"both": {}, "fresh": {}}, settings={"number_of_shards": 2}),),
    "delete": (DeleteIndices(indices=("old",)),),
    "delete all": (DeleteIndices(indices=("_all",)),),
    "delete and create again": (DeleteIndices(indices=("old",)), CreateIndex(name="old", aliases={"both": {}})),
    "close and open": (CloseIndices(indices=("old",)), OpenIndices(indices=("old",))),
    "replicas": (UpdateIndexSettings(indices=("*",), settings={"number_of_replicas": 3}),),
    "mapping": (PutMapping(indices=("*",), mapping={"properties": {"x": {"type": "long"}}}),),
    "swap": (
        UpdateAliases(
            actions=(
                RemoveAlias(indices=("old",), aliases=("both",)),
                AddAlias(indices=("kept",), aliases=("only-old",)),
            )
        ),
    ),
    "index to alias": (
        UpdateAliases(actions=(RemoveIndex(indices=("old",)), AddAlias(indices=("kept",), aliases=("old",)))),
    ),
    "templates": (
        PutTemplate(template_kind="index", name="t", body={"index_patterns": ["n*"]}),
        CreateIndex(name="n1"),
    ),
    "rollover": (Rollover(alias="only-old", new_index="new"),),
    "rollover of a write index": (Rollover(alias="written", new_index="new"),),
    "restart": (RegisterNode(node=NODE, fresh=True),),
}


async def _prepared() -> MemoryStore:
    store = MemoryStore()
    control = leader(store)
    await control.start()
    starts_shards(control)
    await control.submit(RegisterNode(node=NODE, fresh=True))
    for command in BEFORE:
        await control.submit(command)
    assert await control.wait_for(settled, 5)
    await control.stop()
    return store


async def _die_after(store: api.Store, writes: int, commands: Sequence[Command]) -> bool:
    """Runs the commands on a store that dies after some writes; answers whether it died."""
    dying = Dying(store, writes)
    control = leader(dying)
    starting = asyncio.create_task(control.start())
    died = asyncio.create_task(dying.died.wait())
    work = asyncio.create_task(_work(control, starting, commands))
    await asyncio.wait([work, died], return_when=asyncio.FIRST_COMPLETED)
    hit = dying.died.is_set()
    for task in (work, starting, died, *control._tasks, control._watch):
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    if not hit:
        work.result()
    return hit


async def _work(control: object, starting: asyncio.Task[None], commands: Sequence[Command]) -> None:
    from quidditch.controlplane.leader import Leader

    assert isinstance(control, Leader)
    await starting
    starts_shards(control)
    for command in commands:
        await control.submit(command)
    await control.wait_for(settled, 5)


def check_invariants(state: ClusterState) -> None:
    """What must hold of any state that a control plane publishes."""
    assert set(state.routing) == set(state.indices)
    for name, index in state.indices.items():
        assert not index.deleting
        routing = state.routing[name]
        assert routing.spec.uuid == index.uuid
        assert len(routing.spec.shards) == index.number_of_shards
        for shard in routing.spec.shards:
            assert len(shard.copies) == 1 + index.number_of_replicas
            assert shard.copies[0].primary
            assert not any(copy.primary for copy in shard.copies[1:])
            ids = [copy.allocation_id for copy in shard.copies if copy.allocation_id]
            assert len(ids) == len(set(ids))
            if shard.copies[0].active:
                assert shard.copies[0].allocation_id in shard.in_sync
    for alias in state.aliases.values():
        assert alias.spec.indices
        assert set(alias.spec.indices) <= set(state.indices)
        assert alias.name not in state.indices


async def _recover(store: api.Store) -> ClusterState:
    control = leader(store)
    await control.start()
    try:
        check_invariants(control.state)
        env = Env(0, CountedIds())
        starts_shards(control)
        await control.submit(RegisterNode(node=NODE, fresh=True))
        assert await control.wait_for(settled, 5)
        check_invariants(control.state)
        assert upkeep(control.state, env).ops == ()
        listing = await store.list()
        assert ClusterState().apply(listing.objects, 1) == control.state
        return control.state
    finally:
        await control.stop()


@pytest.mark.parametrize("scenario", sorted(SCENARIOS))
def test_every_crash_point(scenario: str) -> None:
    async def main() -> None:
        for writes in range(200):
            store = await _prepared()
            died = await asyncio.wait_for(_die_after(store, writes, SCENARIOS[scenario]), 10)
            state = await asyncio.wait_for(_recover(store), 10)
            assert "kept" in state.indices or scenario == "delete all"
            for index in state.indices.values():
                assert index.open or scenario == "close and open"
            if not died:
                assert writes > 0
                return
        raise AssertionError("never got through")

    asyncio.run(main())


def test_a_deletion_once_marked_is_finished() -> None:
    async def main() -> None:
        store = await _prepared()
        assert await _die_after(store, 1, (DeleteIndices(indices=("old",)),))
        assert (await store.get("Index", "old")).metadata.deletion_timestamp
        state = await _recover(store)
        assert "old" not in state.indices
        assert "only-old" not in state.aliases
        assert set(state.aliases["both"].spec.indices) == {"kept"}

    asyncio.run(main())


@pytest.mark.parametrize("alias", ["only-old", "written"])
def test_a_rollover_once_begun_is_finished(alias: str) -> None:
    """The alias belongs to the old index until the new one is there, and never to none or two that it could write to."""

    async def main() -> None:
        begun = 0
        for writes in range(1, 20):
            store = await _prepared()
            died = await _die_after(store, writes, (Rollover(alias=alias, new_index="new"),))
            known = await store.get("Alias", alias)
            assert isinstance(known, Alias)
            assert known.write_index in ("old", "new")
            there = "new" in {obj.key for obj in (await store.list("Index")).objects}
            state = await _recover(store)
            assert state.aliases[alias].write_index == ("new" if there else "old")
            assert set(state.aliases[alias].spec.indices) == (
                {"old"} if not there else {"new"} if alias == "only-old" else {"old", "new"}
            )
            assert bool(state.indices["old"].spec.rollover) == there
            if there:
                begun += 1
                assert state.indices["new"].spec.takes_over is None
            if not died:
                assert begun > 1
                return
        raise AssertionError("never got through")

    asyncio.run(main())
