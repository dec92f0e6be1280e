"""The model of the shard by itself: what a crash leaves, rollback, promotion, recovery."""

from __future__ import annotations

import random
from typing import Any

import orjson
import pytest

from quidditch_kernel import KernelError
from tests.sim.disk import Disk, Record, pack, unpack
from tests.sim.model import ModelShard, Runtime
from tests.sim.model_files import Restore, inspect_shard
from tests.sim.slices import Slice

PATH = "u/0"


def opened(disk: Disk, **config: Any) -> ModelShard:
    told = {"index": "i", "primary_term": 1, "replicated": True, **config}
    return ModelShard.open(Runtime(disk), PATH, orjson.dumps(told), None)


def put(shard: ModelShard, *ids: str, sync: bool = True) -> list[Record]:
    items = [{"action": "index", "index": "i", "id": id, "source": f'{{"n":"{id}"}}'} for id in ids]
    return unpack(shard.bulk(Slice("i", items), sync).operations())


class LosesAll(random.Random):
    def randint(self, a: int, _b: int) -> int:
        return a


def test_what_was_not_synced_is_lost() -> None:
    disk = Disk("one")
    shard = opened(disk)
    put(shard, "a")
    put(shard, "b", sync=False)
    assert shard.checkpoints() == (1, 1, 0, -1)
    disk.crash(LosesAll())
    again = opened(disk)
    assert again.content() == {"a": (0, 1, 1, '{"n":"a"}')}
    assert again.checkpoints() == (0, 0, 0, -1)


def test_a_primary_restores_its_whole_log_and_fills_gaps() -> None:
    disk = Disk("one")
    replica = opened(disk, role="replica")
    replica.apply(pack([Record(0, 1, "index", "a", 1, "{}"), Record(3, 1, "index", "b", 1, "{}")]), 1)
    assert replica.checkpoints() == (3, 0, 0, -1)
    replica.close()
    primary = opened(disk, primary_term=2)
    assert primary.checkpoints() == (3, 3, 3, -1)
    assert [(r.seq_no, r.term, r.kind) for r in unpack(primary.history(1).next(1000))] == [
        (1, 2, "noop"),
        (2, 2, "noop"),
        (3, 1, "index"),
    ]


def test_a_rollback_forgets_what_is_above_until_a_promotion_restores_it() -> None:
    disk = Disk("one")
    replica = opened(disk, role="replica")
    replica.apply(pack([Record(n, 1, "index", "a", n + 1, str(n)) for n in range(5)]), 1)
    replica.set_global_checkpoint(2)
    replica.flush(True)
    replica.abandon()
    back = opened(disk, role="replica", recover_to=2)
    assert back.checkpoints() == (2, 2, 2, 2)
    assert back.content()["a"][0] == 2
    back.trim_above(3)
    back.promote(2)
    assert back.checkpoints() == (3, 3, 3, 2)
    assert back.content()["a"][0] == 3


def test_of_two_records_with_a_number_the_later_counts() -> None:
    disk = Disk("one")
    replica = opened(disk, role="replica")
    replica.apply(pack([Record(0, 1, "index", "a", 1, "old")]), 1)
    replica.abandon()
    back = opened(disk, role="replica", recover_to=-1)
    back.apply(pack([Record(0, 2, "index", "a", 1, "new")]), 2)
    back.close()
    assert opened(disk, primary_term=3).content()["a"] == (0, 2, 1, "new")


def test_an_old_term_is_refused() -> None:
    replica = opened(Disk("one"), role="replica", primary_term=4)
    with pytest.raises(KernelError, match="illegal_argument"):
        replica.apply(pack([Record(0, 3, "noop")]), 3)


def test_files_bring_a_copy_to_a_safe_commit() -> None:
    disk, other = Disk("one"), Disk("two")
    primary = opened(disk)
    put(primary, *"abcdefgh")
    primary.set_global_checkpoint(7)
    primary.flush()
    put(primary, "z")
    primary.flush()
    files = primary.files()
    restore = Restore(other, PATH, files.manifest())
    for name, offset, length in restore.needed():
        restore.write(name, offset, files.read(name, offset, length - 1))
    restore = Restore(other, PATH, files.manifest())
    assert all(length == 1 for _, _, length in restore.needed())
    with pytest.raises(KernelError):
        restore.finish()
    for name, offset, length in restore.needed():
        restore.write(name, offset, files.read(name, offset, length))
    restore.finish()
    target = opened(other, role="replica")
    assert target.checkpoints() == (7, 7, 7, 7)
    target.apply(primary.history(8).next(1000), 1)
    assert target.content() == primary.content()
    assert Restore(other, PATH, files.manifest()).needed() == []
    told = orjson.loads(inspect_shard(other, PATH) or b"")
    assert told["max_seq_no"] == 8
    assert told["history_uuid"] == primary.history_uuid()


def test_history_is_kept_as_long_as_it_is_asked_for() -> None:
    shard = opened(Disk("one"))
    put(shard, *"abcdef")
    shard.set_global_checkpoint(5)
    shard.retain_history(2)
    shard.flush()
    assert shard.history(1) is None
    held = shard.history(3)
    assert held is not None
    assert len(held) == 3
    shard.retain_history(6)
    put(shard, "g")
    shard.set_global_checkpoint(6)
    shard.flush()
    assert shard.history(3) is not None
    del held
    shard.flush()
    assert shard.history(3) is None


def test_little_history_is_kept_where_little_may_be() -> None:
    shard = opened(Disk("one"), retention_bytes=100)
    put(shard, *"abcdef")
    shard.set_global_checkpoint(5)
    shard.retain_history(0)
    shard.flush()
    assert shard.history(3) is None
    assert shard.history(5) is not None
