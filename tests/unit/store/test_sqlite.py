from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.model import states

from quidditch.model.codec import FormatError
from quidditch.store import api
from quidditch.store.sqlite import SqliteStore


def test_a_watch_goes_on_after_a_restart(tmp_path: Path) -> None:
    async def main() -> None:
        store = await SqliteStore.open(tmp_path / "s")
        first = await store.create(states.index("a"))
        second = await store.create(states.index("b"))
        await store.close()
        store = await SqliteStore.open(tmp_path / "s")
        assert (await store.list()).objects == [first, second]
        stream = store.watch(first.metadata.resource_version)
        assert (await anext(stream)).object == second
        assert (await anext(stream)).type == "bookmark"
        third = await store.create(states.index("c"))
        assert (await anext(stream)).object == third
        assert int(third.metadata.resource_version) > int(second.metadata.resource_version)
        await store.close()

    asyncio.run(main())


def test_versions_rise_after_everything_was_deleted_and_pruned(tmp_path: Path) -> None:
    async def main() -> None:
        store = await SqliteStore.open(tmp_path / "s", history=1)
        await store.create(states.index("a"))
        await store.delete("Index", "a")
        await store.close()
        store = await SqliteStore.open(tmp_path / "s", history=1)
        again = await store.create(states.index("a"))
        assert again.metadata.resource_version == "3"
        with pytest.raises(api.Expired):
            await anext(store.watch("1"))
        await store.close()

    asyncio.run(main())


def test_epochs_outlive_the_process(tmp_path: Path) -> None:
    async def main() -> None:
        store = await SqliteStore.open(tmp_path / "s")
        first = await store.acquire("n", 0, 10)
        await store.close()
        store = await SqliteStore.open(tmp_path / "s")
        second = await store.acquire("n", 100, 10)
        assert first is not None
        assert second is not None
        assert second.epoch == first.epoch + 1
        await store.close()

    asyncio.run(main())


def test_a_newer_file_is_refused(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / "s")
    db.execute("PRAGMA user_version = 7")
    db.close()
    with pytest.raises(FormatError, match="has format 7, this version reads up to 1"):
        asyncio.run(SqliteStore.open(tmp_path / "s"))


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(b"x" * 5000)
    with pytest.raises(api.Unavailable, match="not a database"):
        asyncio.run(SqliteStore.open(tmp_path / "s"))


def test_a_failed_write_leaves_the_others_of_its_batch(tmp_path: Path) -> None:
    async def main() -> None:
        store = await SqliteStore.open(tmp_path / "s")
        writes = [store.create(states.index(name)) for name in ("a", "a", "b")]
        outcomes = await asyncio.gather(*writes, return_exceptions=True)
        assert isinstance(outcomes[1], api.AlreadyExists)
        assert [obj.key for obj in (await store.list()).objects] == ["a", "b"]
        assert (await store.list()).version == "2"
        await store.close()

    asyncio.run(main())


WRITER = """
import asyncio, sys
from pathlib import Path
from tests.unit.model import states
from quidditch.store.sqlite import SqliteStore

async def main():
    store = await SqliteStore.open(Path(sys.argv[1]))
    async def write(name):
        made = await store.create(states.index(name))
        print(name, made.metadata.resource_version, flush=True)
    number = 0
    while True:
        await asyncio.gather(*(write(f"{sys.argv[2]}-{number + step}") for step in range(5)))
        number += 5

asyncio.run(main())
"""


def test_a_killed_process_loses_nothing_that_it_was_told_is_written(tmp_path: Path) -> None:
    acknowledged: dict[str, str] = {}
    for attempt in range(3):
        command = [sys.executable, "-c", WRITER, str(tmp_path / "s"), f"a{attempt}"]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
            assert process.stdout is not None
            for _ in range(20 + attempt * 13):
                name, version = process.stdout.readline().split()
                acknowledged[name] = version
            process.kill()
            for line in process.stdout:
                if line.endswith("\n"):
                    name, version = line.split()
                    acknowledged[name] = version

    async def check() -> None:
        store = await SqliteStore.open(tmp_path / "s")
        listing = await store.list()
        stored = {obj.key: obj.metadata.resource_version for obj in listing.objects}
        assert acknowledged.items() <= stored.items()
        assert sorted(map(int, stored.values())) == list(range(1, int(listing.version) + 1))
        await store.close()

    asyncio.run(check())
