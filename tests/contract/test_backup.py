"""Backups of the cluster's state: from any store into any other; damaged ones and stores that are not empty are refused."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.support.etcd import Cluster as Etcd
from tests.unit.model import states

from quidditch.controlplane import overflow
from quidditch.model.objects import (
    Cluster,
    ClusterSpec,
    Copy,
    Index,
    Metadata,
    Object,
    Routing,
    RoutingSpec,
    Settings,
    SettingsSpec,
    ShardRouting,
    metadata_for,
)
from quidditch.store import api, backup
from quidditch.store.backup import BackupError
from quidditch.store.etcd import open as open_etcd
from quidditch.store.memory import MemoryStore
from quidditch.store.sqlite import SqliteStore

Open: TypeAlias = Callable[[str], Awaitable[api.Store]]
KINDS = ("memory", "sqlite", "etcd")
NOW = 1_700_000_000.0


@pytest.fixture
def stores(tmp_path: Path, etcd: Etcd) -> dict[str, Open]:
    """Opens an empty store of each kind, by a name of its own."""

    async def memory(_name: str) -> api.Store:
        return MemoryStore()

    async def sqlite(name: str) -> api.Store:
        return await SqliteStore.open(tmp_path / f"{name}.sqlite")

    async def on_etcd(name: str) -> api.Store:
        return await open_etcd(etcd.endpoints, prefix=f"/backup/{tmp_path}/{name}")

    return {"memory": memory, "sqlite": sqlite, "etcd": on_etcd}


def cluster(name: str = "c", uuid: str = "cluster-uuid") -> Cluster:
    return Cluster(metadata=Metadata(name=Cluster.NAME), spec=ClusterSpec(name=name, uuid=uuid))


def routing(name: str, term: int) -> Routing:
    shard = ShardRouting(primary_term=term, in_sync=("a1",), copies=(Copy(primary=True, node="n", allocation_id="a1"),))
    return Routing(
        metadata=metadata_for(name), spec=RoutingSpec(index=name, uuid=f"uuid-{name}", shards=(shard, ShardRouting()))
    )


def big_index() -> list[Object]:
    """An index with a mapping in parts of its own."""
    properties = {f"a field with the long name {n} {n * 7919}": {"type": "keyword"} for n in range(20_000)}
    index = states.index("big")
    stored, parts = overflow.split(replace(index, spec=replace(index.spec, mappings={"properties": properties})))
    assert parts
    return [*parts, stored]


async def fill(store: api.Store) -> None:
    """A cluster on its third leader, with an index on its way out and one that was changed."""
    for holder in ("one", "two", "three"):
        lease = await store.acquire(holder, NOW, 30)
        assert lease is not None
        if holder != "three":
            await store.release(lease)
    objects: list[Object] = [cluster(), states.alias("alias", {"index-0": {}}), routing("index-0", 3), *big_index()]
    objects.append(Settings(metadata=metadata_for("cluster"), spec=SettingsSpec(persistent={"a": "ü", "b": ["1"]})))
    objects += [states.index(f"index-{n}") for n in range(200)]
    await asyncio.gather(*(store.create(obj, 3) for obj in objects))
    going = states.index("going")
    await store.create(replace(going, metadata=replace(going.metadata, finalizers=("quidditch.io/index",))), 3)
    await store.delete("Index", going.metadata.name, fence=3)
    changed = await store.get("Index", states.index("index-1").metadata.name)
    assert isinstance(changed, Index)
    await store.update(replace(changed, spec=replace(changed.spec, version=2)), 3)


async def restored(store: api.Store, kept: backup.Backup) -> int:
    """Restores and answers how many objects the progress told of."""
    told: list[int] = []
    await backup.restore(store, kept, "restore", lambda: NOW, told.append)
    return sum(told)


def kept_parts(objects: Any) -> list[Object]:
    """Objects without what a restore does not keep."""
    found = []
    for obj in objects:
        meta = replace(obj.metadata, generation=1, resource_version="", deletion_timestamp=None)
        obj = replace(obj, metadata=meta)
        if isinstance(obj, Cluster):
            obj = replace(obj, status=replace(obj.status, restored=0))
        if isinstance(obj, Routing):
            shards = tuple(replace(shard, primary_term=shard.primary_term % backup.TERMS) for shard in obj.spec.shards)
            obj = replace(obj, spec=replace(obj.spec, shards=shards))
        found.append(obj)
    return found


def run(test: Callable[[], Any]) -> None:
    async def main() -> None:
        await asyncio.wait_for(test(), 120)

    asyncio.run(main())


@pytest.mark.parametrize("source", KINDS)
@pytest.mark.parametrize("target", KINDS)
def test_all_objects_go_from_any_store_into_any_other(source: str, target: str, stores: dict[str, Open]) -> None:
    async def test() -> None:
        old, new = await stores[source]("old"), await stores[target]("new")
        await fill(old)
        taken = backup.parse(backup.dump(await backup.take(old)))
        assert taken.epoch == 3
        assert await restored(new, taken) == len(taken.objects)
        before, after = (await old.list()).objects, (await new.list()).objects
        assert kept_parts(after) == kept_parts(before)
        assert [obj.metadata.uid for obj in after] == [obj.metadata.uid for obj in before]
        assert [bool(obj.metadata.deletion_timestamp) for obj in after] == [
            bool(obj.metadata.deletion_timestamp) for obj in before
        ]
        (routed,) = (await new.list("Routing")).objects
        assert isinstance(routed, Routing)
        assert [shard.primary_term for shard in routed.spec.shards] == [3 + backup.TERMS, 0]
        await old.close()
        await new.close()

    run(test)


@pytest.mark.parametrize("kind", KINDS)
def test_a_leader_from_before_stays_fenced_and_the_next_is_above_it(kind: str, stores: dict[str, Open]) -> None:
    async def test() -> None:
        old, new = await stores["memory"]("old"), await stores[kind]("new")
        await fill(old)
        kept = await backup.take(old)
        await restored(new, kept)
        with pytest.raises(api.Fenced):
            await new.create(states.index("stale"), fence=kept.epoch)
        restorer = await new.epoch()
        assert restorer > kept.epoch + 1000
        stored = await new.get("Cluster", Cluster.NAME)
        assert isinstance(stored, Cluster)
        assert (stored.spec.uuid, stored.status.restored) == ("cluster-uuid", restorer)
        lease = await new.acquire("next", NOW, 30)
        assert lease is not None
        assert lease.epoch == await new.epoch() == restorer + 1
        later = await stores["memory"]("again")
        await backup.restore(later, kept, "restore", lambda: NOW + 60, lambda _count: None)
        assert await later.epoch() > lease.epoch
        for store in (old, new, later):
            await store.close()

    run(test)


@pytest.mark.parametrize("kind", KINDS)
def test_a_store_that_is_not_empty_is_refused_by_what_is_there(kind: str, stores: dict[str, Open]) -> None:
    async def test() -> None:
        old, new = await stores["memory"]("old"), await stores[kind]("new")
        await fill(old)
        kept = await backup.take(old)
        foreign = await new.create(states.index("foreign"))
        with pytest.raises(BackupError, match=re.escape(f"it holds Index [{foreign.metadata.name}]")):
            await restored(new, kept)
        assert len((await new.list()).objects) == 1
        await new.create(cluster("other", "other-uuid"))
        with pytest.raises(BackupError, match=re.escape("the cluster [other] with the uuid other-uuid, 2 objects")):
            await restored(new, kept)
        lease = await new.acquire("a leader", NOW, 30)
        assert lease is not None
        with pytest.raises(BackupError, match="a leader has the lead"):
            await restored(new, kept)
        await old.close()
        await new.close()

    run(test)


@pytest.mark.parametrize("kind", KINDS)
def test_an_interrupted_restore_is_completed_by_the_same_backup_only(kind: str, stores: dict[str, Open]) -> None:
    async def test() -> None:
        old, new = await stores["memory"]("old"), await stores[kind]("new")
        await fill(old)
        kept = await backup.take(old)

        class Enough(Exception):
            pass

        def stop(count: int) -> None:
            if count:
                raise Enough

        with pytest.raises(Enough):
            await backup.restore(new, kept, "restore", lambda: NOW, stop)
        begun = len((await new.list()).objects)
        assert 0 < begun < len(kept.objects)
        with pytest.raises(BackupError, match="is not of this backup"):
            await restored(new, backup.Backup(kept.cluster, kept.epoch, [kept.cluster, states.index("another")]))
        assert await restored(new, kept) == len(kept.objects)
        assert kept_parts((await new.list()).objects) == kept_parts(kept.objects)
        await old.close()
        await new.close()

    run(test)


def test_a_store_without_a_cluster_is_not_backed_up() -> None:
    with pytest.raises(BackupError, match="holds no cluster"):
        asyncio.run(backup.take(MemoryStore()))


def file() -> bytes:
    objects = [cluster(), states.index("a"), routing("a", 1)]
    return backup.dump(backup.Backup(cluster(), 7, objects))


@given(st.integers(0, len(file()) - 1), st.integers(1, 255))
def test_one_wrong_byte_is_noticed(position: int, difference: int) -> None:
    data = bytearray(file())
    data[position] ^= difference
    with pytest.raises(BackupError):
        backup.parse(bytes(data))


@given(st.integers(0, len(file()) - 1))
def test_a_truncated_file_is_noticed(length: int) -> None:
    with pytest.raises(BackupError):
        backup.parse(file()[:length])


def test_refusals_say_what_is_wrong() -> None:
    data = file()
    problems = {
        b"": "not a backup",
        b'{"some": "json"}\n': "not a backup",
        data[:-10]: "truncated",
        data.replace(b'"format":1', b'"format":2', 1): "has format 2, this version reads up to 1",
        data.replace(b"uuid-a", b"uuid-b", 1): "does not match its checksum",
    }
    for wrong, message in problems.items():
        with pytest.raises(BackupError, match=message):
            backup.parse(wrong)
