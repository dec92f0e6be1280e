from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest
from msgspec.structs import replace
from tests.unit.controlplane.harness import NODE, leader, run, running, settled, starts_shards, submit_all
from tests.unit.model import states

from quidditch.controlplane.core.commands import (
    Acknowledged,
    AddAlias,
    CreateIndex,
    DeleteIndices,
    GrowMapping,
    PutClusterSettings,
    PutMapping,
    RegisterNode,
    UpdateAliases,
    UpdateIndexSettings,
)
from quidditch.controlplane.core.wait import enough_active
from quidditch.controlplane.leader import Leader
from quidditch.model.errors import ApiError
from quidditch.model.state import ClusterState
from quidditch.store.api import Unavailable
from quidditch.store.memory import MemoryStore


def test_an_index_is_created_and_its_primaries_start() -> None:
    async def test(control: Leader) -> None:
        made = await control.submit(CreateIndex(name="a", settings={"number_of_shards": 3}, aliases={"l": {}}))
        assert made.index == "a"
        assert await control.wait_for(lambda state: enough_active(state, ["a"]), 5)
        state = control.state
        assert state.indices["a"].uuid == made.uuid
        routing = state.routing["a"]
        assert len(routing.spec.shards) == 3
        for shard in routing.spec.shards:
            assert shard.primary_term == 1
            assert shard.copies[0].state == "STARTED"
            assert shard.in_sync == (shard.copies[0].allocation_id,)
            assert shard.copies[1].state == "UNASSIGNED"
        assert [alias.name for alias in state.aliases_of("a")] == ["l"]

    run(test)


def test_a_refused_command_changes_nothing() -> None:
    async def test(control: Leader) -> None:
        await control.submit(CreateIndex(name="a"))
        await control.wait_for(settled, 5)
        before = control.state
        for command in (
            CreateIndex(name="a"),
            CreateIndex(name="B"),
            DeleteIndices(indices=("missing",)),
            PutMapping(indices=("a", "missing"), mapping={"properties": {"x": {"type": "keyword"}}}),
        ):
            with pytest.raises(ApiError):
                await control.submit(command)
        assert control.state is before

    run(test)


def test_commands_submitted_together_see_each_other() -> None:
    async def test(control: Leader) -> None:
        answers = await submit_all(
            control,
            CreateIndex(name="a"),
            CreateIndex(name="a"),
            PutMapping(indices=("a",), mapping={"properties": {"x": {"type": "keyword"}}}),
            UpdateAliases(actions=(AddAlias(indices=("a",), aliases=("l",)),)),
            CreateIndex(name="b"),
            DeleteIndices(indices=("b",)),
            CreateIndex(name="b", settings={"number_of_shards": 2}),
        )
        assert isinstance(answers[1], ApiError)
        assert answers[1].type == "resource_already_exists_exception"
        assert not any(isinstance(answer, BaseException) for number, answer in enumerate(answers) if number != 1)
        state = control.state
        assert state.indices["a"].spec.mappings == {"properties": {"x": {"type": "keyword"}}}
        assert state.indices["b"].number_of_shards == 2
        assert len(state.routing["b"].spec.shards) == 2
        assert state.routing["b"].spec.uuid == state.indices["b"].uuid

    run(test)


def test_a_restart_finds_everything_and_opens_it_again() -> None:
    async def main() -> None:
        store = MemoryStore()
        async with running(store) as control:
            await control.submit(CreateIndex(name="a"))
            assert await control.wait_for(lambda state: enough_active(state, ["a"]), 5)
            first = control.state.routing["a"].spec.shards[0]
            uuid = control.state.cluster_uuid
        async with running(store) as control:
            assert await control.wait_for(lambda state: enough_active(state, ["a"]), 5)
            again = control.state.routing["a"].spec.shards[0]
            assert again.copies[0].allocation_id == first.copies[0].allocation_id
            assert again.primary_term == first.primary_term + 1
            assert control.state.cluster_uuid == uuid

    asyncio.run(main())


def test_versions_only_rise_and_subscribers_see_all_of_them() -> None:
    async def test(control: Leader) -> None:
        seen: list[tuple[ClusterState, ClusterState]] = []
        end = control.subscribe(lambda old, new: seen.append((old, new)))
        start = control.state
        for number in range(5):
            await control.submit(CreateIndex(name=f"i{number}"))
        await control.wait_for(settled, 5)
        end()
        await control.submit(CreateIndex(name="last"))
        assert seen[0][0] is start
        assert all(old.version < new.version for old, new in seen)
        assert all(one[1] is two[0] for one, two in itertools.pairwise(seen))
        assert "last" not in seen[-1][1].indices

    run(test)


def test_a_failing_subscriber_does_not_stop_the_others() -> None:
    async def test(control: Leader) -> None:
        seen: list[int] = []
        control.subscribe(lambda _old, _new: 1 // 0)  # type: ignore[arg-type,return-value]
        control.subscribe(lambda _old, new: seen.append(new.version))
        await control.submit(CreateIndex(name="a"))
        assert seen

    run(test)


def test_another_writers_change_is_taken_over() -> None:
    async def main() -> None:
        store = MemoryStore()
        async with running(store) as control:
            await control.submit(CreateIndex(name="a"))
            await control.wait_for(settled, 5)
            known = await store.get("Index", "a")
            spec = replace(known.spec, settings={**known.spec.settings, "index.refresh_interval": "7s"})
            await store.update(replace(known, spec=spec))
            assert await control.wait_for(lambda state: state.indices["a"].setting("index.refresh_interval") == "7s", 5)
            await store.create(states.index("by-hand"))
            assert await control.wait_for(lambda state: enough_active(state, ["by-hand"]), 5)
            await store.delete("Index", "a")
            assert await control.wait_for(lambda state: "a" not in state.indices and "a" not in state.routing, 5)
            assert {obj.kind for obj in (await store.list()).objects if obj.key == "a"} == set()

    asyncio.run(main())


def test_a_conflict_is_decided_again_on_what_is_there() -> None:
    async def main() -> None:
        store = MemoryStore()
        async with running(store) as control:
            await control.submit(CreateIndex(name="a"))
            await control.wait_for(settled, 5)
            known = await store.get("Index", "a")
            write = store.update(replace(known, spec=replace(known.spec, version=99)))
            put = control.submit(PutMapping(indices=("a",), mapping={"properties": {"x": {"type": "keyword"}}}))
            await asyncio.gather(write, put)
            stored = await store.get("Index", "a")
            assert stored.spec.version == 100
            assert stored.spec.mappings == {"properties": {"x": {"type": "keyword"}}}

    asyncio.run(main())


def test_a_deposed_leader_leads_again_only_with_a_new_epoch() -> None:
    async def main() -> None:
        store = MemoryStore()
        async with running(store) as control:
            await control.submit(CreateIndex(name="a"))
            thief = await store.acquire("thief", 10.0**12, 1.0)
            assert thief is not None
            await store.release(thief)
            await control.submit(CreateIndex(name="b"))
            assert {"a", "b"} <= set(control.state.indices)
            with pytest.raises(ApiError):
                await control.submit(CreateIndex(name="a"))

    asyncio.run(main())


def test_a_refusal_and_what_needs_no_write_wait_for_what_they_build_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        store = MemoryStore()
        async with running(store) as control:
            await control.submit(CreateIndex(name="a"))
            await control.wait_for(settled, 5)
            fails_once(store, "delete", monkeypatch)
            first, second = await submit_all(control, DeleteIndices(indices=("a",)), DeleteIndices(indices=("a",)))
            assert first.status == 503, "whether it was written is not known"
            assert second == Acknowledged(("a",)), "it was not, so that the second found it"
            fails_once(store, "create", monkeypatch)
            first, second = await submit_all(
                control, CreateIndex(name="b"), CreateIndex(name="b", auto=True, uuid="of-the-second")
            )
            assert first.status == 503
            assert second.uuid == control.state.indices["b"].uuid == "of-the-second"

    asyncio.run(main())


def fails_once(store: MemoryStore, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = getattr(store, method)

    async def failing(*_: Any, **__: Any) -> Any:
        monkeypatch.setattr(store, method, real)
        raise Unavailable("not now")

    monkeypatch.setattr(store, method, failing)


def test_parts_of_mappings_that_cannot_be_cleared_away_are_another_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        store = MemoryStore()
        async with running(store) as control:
            big = {f"{'long' * 40}_{number}": {"type": "keyword"} for number in range(1500)}
            settings = {"index.mapping.total_fields.limit": 10_000}
            await control.submit(CreateIndex(name="a", settings=settings, mappings={"properties": big}))
            assert (await store.list("MappingPart")).objects
            real = store.delete

            async def failing(kind: str, *arguments: Any, **options: Any) -> Any:
                if kind == "MappingPart":
                    monkeypatch.setattr(store, "delete", real)
                    raise Unavailable("not now")
                return await real(kind, *arguments, **options)

            monkeypatch.setattr(store, "delete", failing)
            assert await asyncio.wait_for(control.submit(DeleteIndices(indices=("a",))), 10) == Acknowledged(("a",))
            assert (await store.list("MappingPart")).objects
            await control.submit(CreateIndex(name="b"))
            assert not (await store.list("MappingPart")).objects

    asyncio.run(main())


def test_growing_a_mapping_many_times_at_once_is_few_writes() -> None:
    async def main() -> None:
        store = MemoryStore()
        async with running(store) as control:
            made = await control.submit(CreateIndex(name="a"))
            await control.wait_for(settled, 5)
            before = int((await store.list()).version)
            grow = [
                GrowMapping(index="a", uuid=made.uuid, mapping={"properties": {f"f{n}": {"type": "long"}}})
                for n in range(50)
            ]
            answers = await submit_all(control, *grow)
            assert all(isinstance(answer, Acknowledged) for answer in answers)
            assert len(control.state.indices["a"].spec.mappings["properties"]) == 50
            assert int((await store.list()).version) - before <= 50

    asyncio.run(main())


def test_settings_and_waits() -> None:
    async def test(control: Leader) -> None:
        changed = await control.submit(PutClusterSettings(persistent={"cluster": {"max_shards_per_node": 2}}))
        assert changed.persistent == {"cluster.max_shards_per_node": "2"}
        await control.submit(CreateIndex(name="a"))
        with pytest.raises(ApiError, match="maximum LOCAL_ONLY shards open"):
            await control.submit(CreateIndex(name="b"))
        assert not await control.wait_for(lambda state: "b" in state.indices, 0)
        await control.submit(UpdateIndexSettings(indices=("a",), settings={"number_of_replicas": 0}))
        assert len(control.state.routing["a"].spec.shards[0].copies) == 1

    run(test)


def test_a_command_that_never_gets_its_turn_times_out_by_name() -> None:
    async def main() -> None:
        control = leader(MemoryStore())
        with pytest.raises(ApiError) as caught:
            await control.submit(CreateIndex(name="a"), timeout=0.01)
        assert caught.value.status == 503
        assert caught.value.reason == "failed to process cluster event (create-index [a], cause [api]) within 10ms"
        assert await control.pending_tasks() == []

    asyncio.run(main())


def test_stop_answers_what_is_queued() -> None:
    async def main() -> None:
        control = leader(MemoryStore())
        await control.start()
        starts_shards(control)
        await control.submit(RegisterNode(node=NODE, fresh=True))
        pending = [asyncio.ensure_future(control.submit(CreateIndex(name=f"i{n}"))) for n in range(10)]
        await asyncio.sleep(0)
        await control.stop()
        await asyncio.gather(*pending)
        with pytest.raises(ApiError, match="closing"):
            await control.submit(CreateIndex(name="late"))

    asyncio.run(main())
