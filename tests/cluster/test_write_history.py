"""The recorder of write histories on a real etcd: it sees every write with its writer, also those that should not be."""

from __future__ import annotations

import asyncio
import uuid

import pytest
from tests.support.etcd import Cluster
from tests.support.write_history import Commit, Recorder, lost, problems
from tests.unit.model import states

from quidditch.store import api
from quidditch.store.etcd import open as open_etcd


def test_every_write_is_seen_with_its_writer(etcd: Cluster) -> None:
    name = str(uuid.uuid4())

    async def write() -> None:
        store = await open_etcd(etcd.endpoints, prefix=f"/quidditch/{name}")
        first = await store.acquire("one", 0, 30)
        assert first is not None
        await asyncio.gather(*(store.create(states.index(f"i{number}"), first.epoch) for number in range(100)))
        await store.release(first)
        second = await store.acquire("two", 0, 30)
        assert second is not None
        with pytest.raises(api.Fenced):
            await store.create(states.index("late"), first.epoch)
        await store.delete("Index", "i7", fence=second.epoch)
        await store.close()

    with Recorder(etcd.endpoints, name, from_now=True).running() as recorder:
        asyncio.run(write())
        history = recorder.everything()
        assert problems(history) == []
        assert lost(history, [f"Index/i{number}" for number in range(100)]) == set()
        assert lost(history, ["Index/late"])
        assert history[-1] == Commit(history[-1].revision, (("Index/i7", False),), 2)
        asyncio.run(_unfenced(etcd, name))
        (problem,) = problems(recorder.everything())
        assert "nobody's write" in problem


async def _unfenced(etcd: Cluster, name: str) -> None:
    store = await open_etcd(etcd.endpoints, prefix=f"/quidditch/{name}")
    await store.create(states.index("from-elsewhere"))
    await store.close()
