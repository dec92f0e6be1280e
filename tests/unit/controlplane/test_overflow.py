from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace
from tests.unit.controlplane.crashes import Faulty
from tests.unit.controlplane.harness import leader, running, settled

from quidditch.controlplane import overflow
from quidditch.controlplane.core.commands import CreateIndex, DeleteIndices, PutMapping
from quidditch.model.codec import encode
from quidditch.model.objects import Index, MappingPart
from quidditch.store import api
from quidditch.store.memory import MemoryStore


def mapping(fields: int, prefix: str = "field-with-quite-a-long-name") -> dict[str, Any]:
    return {"properties": {f"{prefix}-{n}-{hash(n * 7919) % 10**9}": {"type": "keyword"} for n in range(fields)}}


LIMITS = {"mapping.total_fields.limit": 100_000}


def test_small_mappings_stay() -> None:
    async def main() -> None:
        store = MemoryStore()
        async with running(store) as control:
            await control.submit(CreateIndex(name="a", mappings=mapping(10)))
            assert (await store.list("MappingPart")).objects == []

    asyncio.run(main())


def test_a_big_mapping_has_objects_of_its_own_and_comes_back_whole() -> None:
    async def main() -> None:
        store = MemoryStore()
        async with running(store) as control:
            await control.submit(CreateIndex(name="a", settings=LIMITS))
            await control.wait_for(settled, 5)
            await control.submit(PutMapping(indices=("a",), mapping=mapping(5000)))
            first = {part.metadata.name for part in (await store.list("MappingPart")).objects}
            assert first
            await control.submit(PutMapping(indices=("a",), mapping=mapping(100, "other")))
            second = {part.metadata.name for part in (await store.list("MappingPart")).objects}
            assert second
            assert not first & second
            for obj in (await store.list()).objects:
                assert len(encode(obj)) < 256 * 1024
            whole = control.state.indices["a"]
            assert len(whole.spec.mappings["properties"]) == 5100
        async with running(store) as control:
            assert control.state.indices["a"].spec.mappings == whole.spec.mappings
            assert control.state.indices["a"].spec.mapping_digest == ""
            known = await store.get("Index", "a")
            assert isinstance(known, Index)
            await store.update(replace(known, spec=replace(known.spec, version=99)))
            assert await control.wait_for(lambda state: state.indices["a"].spec.version == 99, 5)
            assert control.state.indices["a"].spec.mappings == whole.spec.mappings
            await control.submit(DeleteIndices(indices=("a",)))
            assert [obj for obj in (await store.list()).objects if isinstance(obj, Index | MappingPart)] == []

    asyncio.run(main())


def test_a_missing_part_is_named() -> None:
    async def main() -> None:
        store = MemoryStore()
        async with running(store) as control:
            await control.submit(CreateIndex(name="a", settings=LIMITS, mappings=mapping(5000)))
        part = (await store.list("MappingPart")).objects[0]
        await store.delete("MappingPart", part.metadata.name)
        with pytest.raises(api.StoreError, match="mapping of index \\[a\\] is incomplete"):
            await leader(store).start()

    asyncio.run(main())


def test_every_crash_point_of_a_big_mapping() -> None:
    async def main() -> None:
        for writes in range(20):
            store = MemoryStore()
            async with running(store) as control:
                await control.submit(CreateIndex(name="a", settings=LIMITS, mappings=mapping(5000)))
                await control.wait_for(settled, 5)
            before = control.state.indices["a"].spec.mappings
            control = leader(Faulty(store, writes))
            starting = asyncio.create_task(control.start())
            try:
                await asyncio.wait_for(starting, 5)
                put = PutMapping(indices=("a",), mapping=mapping(50, "other"))
                await asyncio.wait_for(control.submit(put), 0.5)
                died = False
            except Exception:
                died = True
            for task in (*control._tasks, control._foreign._task):
                if task is not None:
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)
            async with running(store) as control:
                now = control.state.indices["a"].spec.mappings
                assert now == before or len(now["properties"]) == 5050
                digests = {part.spec.digest for part in (await store.list("MappingPart")).objects}  # type: ignore[union-attr]
                assert len(digests) == 1
            if not died:
                return
        raise AssertionError("never got through")

    asyncio.run(main())


def test_joining_what_was_split_gives_the_same() -> None:
    from tests.unit.model import states

    index = states.index("a")
    index = replace(index, spec=replace(index.spec, mappings=mapping(6000)))
    slim, parts = overflow.split(index)
    assert len(parts) >= 1
    assert overflow.join(slim, parts) == index
    assert overflow.join_all([*parts, slim]) == [index]
