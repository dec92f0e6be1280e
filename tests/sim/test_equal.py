"""The model of the shard and the kernel's shard: the same operations, the same answers and checkpoints.

Three copies of a shard, each twice: once as a model, once in the kernel. A first is the primary; its operations reach the others in any
order, twice or not at all. What a crash takes of writes that were not synced is the model's alone here: the kernel's own tests lose them
by a file system that forgets.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import quidditch_kernel as kernel
from tests.sim.disk import Disk
from tests.sim.model import ModelShard, Runtime
from tests.sim.model_files import Restore as ModelRestore
from tests.sim.model_files import inspect_shard as inspect_model
from tests.sim.slices import Slice

IDS = [f"d{number}" for number in range(4)]
COPIES = 3
MAPPING = kernel.Mapping(b'{"properties":{"n":{"type":"long"}}}', b'{"index":{}}')
_runtimes: list[kernel.Runtime] = []


def runtime() -> kernel.Runtime:
    if not _runtimes:
        config = {"indexing_buffer_bytes": 48 << 20, "merge_threads": 1, "node_name": "n"}
        _runtimes.append(kernel.Runtime(orjson.dumps(config)))
    return _runtimes[0]


class Twice:
    """One copy, as a model and in the kernel."""

    def __init__(self, name: str, folder: Path) -> None:
        self.disk = Disk(name)
        self.path = str(folder / name)
        self.term = 1
        self.role = "replica"
        self.open("replica")

    def open(self, role: str, **more: Any) -> None:
        self.role = role
        config = orjson.dumps(
            {
                "index": "i",
                "uuid": "u",
                "shard": 0,
                "primary_term": self.term,
                "durability": "request",
                "sync_interval_ms": 1 << 30,
                "refresh_interval_ms": -1,
                "translog_flush_bytes": 1 << 29,
                "gc_deletes_ms": 1 << 30,
                "role": role,
                "replicated": True,
                **more,
            }
        )
        self.kernel: Any = kernel.Shard.open(runtime(), self.path, config, MAPPING)
        self.model = ModelShard.open(Runtime(self.disk), self.path, config, None)

    def both(self, method: str, *args: Any) -> None:
        outcomes: list[Any] = []
        for shard in (self.model, self.kernel):
            try:
                outcomes.append(getattr(shard, method)(*args))
            except kernel.KernelError as error:
                outcomes.append(error.args[0])
        assert outcomes[0] == outcomes[1], method


Chunk = tuple[bytes, bytes]
"""The same operations as the model and as the kernel writes them."""


class Copies(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.copies = [Twice(f"c{number}", self.folder) for number in range(COPIES)]
        self.sent: list[Chunk] = []
        self.deleted: set[str] = set()
        self.values = 0
        self.primary = 0

    @initialize()
    def begin(self) -> None:
        self.copies[0].both("promote", 1)
        self.copies[0].role = "primary"

    def teardown(self) -> None:
        for copy in self.copies:
            copy.kernel.abandon()
        shutil.rmtree(self.folder)

    # --- the primary ------------------------------------------------------------------------------------------------

    def _write(self, item: dict[str, Any], sync: bool) -> None:
        copy = self.copies[self.primary]
        op = {"index": "i", "uuid": "u", "total_copies": COPIES, **{k: v for k, v in item.items() if k != "source"}}
        in_kernel = copy.kernel.bulk(kernel.Slice.single(orjson.dumps(op), item.get("source", "").encode()), sync)
        in_model = copy.model.bulk(Slice("i", [{**op, "source": item.get("source", "")}], COPIES), sync)
        told, expected = (next(iter(orjson.loads(each.item(0)).values())) for each in (in_kernel, in_model))
        for answer in (told, expected):
            if item["id"] in self.deleted:
                answer.pop("_version", None)
            if "error" in answer:
                answer["error"] = answer["error"]["type"]
        assert told == expected
        assert in_kernel.max_seq_no() == in_model.max_seq_no()
        assert bool(in_kernel.operations()) == bool(in_model.operations())
        if in_model.operations():
            self.sent.append((in_model.operations(), in_kernel.operations()))
        if item["action"] == "delete":
            self.deleted.add(item["id"])

    @rule(id=st.sampled_from(IDS), sync=st.booleans(), action=st.sampled_from(["index", "create"]))
    def index(self, id: str, sync: bool, action: str) -> None:
        self.values += 1
        self._write({"action": action, "id": id, "source": f'{{"n":{self.values}}}'}, sync)

    @rule(id=st.sampled_from(IDS), sync=st.booleans())
    def delete(self, id: str, sync: bool) -> None:
        self._write({"action": "delete", "id": id}, sync)

    @rule(id=st.sampled_from(IDS), seq_no=st.integers(0, 6), right=st.booleans())
    def write_if(self, id: str, seq_no: int, right: bool) -> None:
        known = self.copies[self.primary].model.content().get(id)
        at = known[:2] if known is not None and right else (seq_no, 1)
        self.values += 1
        item = {"action": "index", "id": id, "source": f'{{"n":{self.values}}}'}
        self._write({**item, "if_seq_no": at[0], "if_primary_term": at[1]}, True)

    # --- the others -------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), number=st.integers(0, COPIES - 1), sync=st.booleans())
    def apply(self, data: st.DataObject, number: int, sync: bool) -> None:
        if number == self.primary:
            return
        chunk = data.draw(st.sampled_from(self.sent))
        copy = self.copies[number]
        copy.model.apply(chunk[0], copy.term, sync)
        copy.kernel.apply(chunk[1], copy.term, sync)

    @rule(number=st.integers(0, COPIES - 1))
    def refuse_an_old_term(self, number: int) -> None:
        if number != self.primary:
            self.copies[number].both("apply", b"", self.copies[number].term - 1)

    @rule(number=st.integers(0, COPIES - 1))
    def sync(self, number: int) -> None:
        self.copies[number].both("sync")

    @rule(number=st.integers(0, COPIES - 1), force=st.booleans())
    def flush(self, number: int, force: bool) -> None:
        self.copies[number].both("flush", force, True)

    @rule(number=st.integers(0, COPIES - 1), back=st.integers(0, 3))
    def tell_the_global_checkpoint(self, number: int, back: int) -> None:
        least = min(copy.model.checkpoints()[2] for copy in self.copies)
        self.copies[number].both("set_global_checkpoint", max(least - back, -1))

    @rule(number=st.integers(0, COPIES - 1), from_seq_no=st.integers(0, 20))
    def retain(self, number: int, from_seq_no: int) -> None:
        self.copies[number].both("retain_history", from_seq_no)

    # --- ends and beginnings ----------------------------------------------------------------------------------------

    @rule(number=st.integers(0, COPIES - 1), end=st.sampled_from(["close", "abandon"]))
    def reopen(self, number: int, end: str) -> None:
        """A replica falls back to the global checkpoint that its log tells; a primary restores all of its log."""
        copy = self.copies[number]
        copy.both("sync")
        copy.both(end)
        told, expected = kernel.inspect_shard(copy.path), inspect_model(copy.disk, copy.path)
        assert told is not None
        assert expected is not None
        found, wanted = orjson.loads(told), orjson.loads(expected)
        for member in ("max_seq_no", "global_checkpoint"):
            assert found[member] == wanted[member], member
        if number == self.primary:
            copy.term += 1
        copy.open(copy.role)

    @rule(number=st.integers(0, COPIES - 1), above=st.integers(0, 4))
    def roll_back(self, number: int, above: int) -> None:
        if number == self.primary:
            return
        copy = self.copies[number]
        greatest, _, _, known = copy.model.checkpoints()
        copy.both("sync")
        copy.both("abandon")
        copy.open("replica", recover_to=max(known, greatest - above))

    @rule(number=st.integers(0, COPIES - 1), above=st.integers(0, 4))
    def trim(self, number: int, above: int) -> None:
        if number != self.primary:
            known = self.copies[number].model.checkpoints()[3]
            greatest = self.copies[number].model.checkpoints()[0]
            self.copies[number].both("trim_above", max(known, greatest) + above)

    @rule(number=st.integers(0, COPIES - 1))
    def promote(self, number: int) -> None:
        """Another copy becomes the primary; the others follow it as the protocol has them do."""
        old, new = self.copies[self.primary], self.copies[number]
        if old is new:
            return
        term = max(copy.term for copy in self.copies) + 1
        new.term = term
        new.both("promote", term)
        new.role = "primary"
        old.role = "replica"
        self.primary = number
        self.sent.clear()
        start = new.model.checkpoints()[0]
        checkpoint = min(copy.model.checkpoints()[3] for copy in self.copies)
        chunk = self._history(new, checkpoint + 1)
        for copy in self.copies:
            if copy is not new:
                copy.term = term
                copy.both("sync")
                copy.both("abandon")
                copy.open("replica", recover_to=checkpoint)
                copy.both("trim_above", start)
        if chunk is not None:
            self.sent.append(chunk)

    def _history(self, copy: Twice, from_seq_no: int) -> Chunk | None:
        """Neither may lack what the model says is kept; the kernel may keep more."""
        expected, told = copy.model.history(from_seq_no), copy.kernel.history(from_seq_no)
        if expected is None:
            return None
        assert told is not None
        assert (len(told), told.max_seq_no) == (len(expected), expected.max_seq_no)
        chunks: Chunk = expected.next(1 << 30), told.next(1 << 30)
        assert (expected.next(1), told.next(1)) == (b"", b"")
        return chunks

    @rule(number=st.integers(0, COPIES - 1), from_seq_no=st.integers(0, 20))
    def history(self, number: int, from_seq_no: int) -> None:
        chunk = self._history(self.copies[number], from_seq_no)
        if chunk is not None and number == self.primary and chunk[0]:
            self.sent.append(chunk)

    @rule(number=st.integers(0, COPIES - 1), part=st.integers(1, 1 << 16))
    def copy_files(self, number: int, part: int) -> None:
        """A copy is made anew from the primary's files and history."""
        if number == self.primary:
            return
        source, target = self.copies[self.primary], self.copies[number]
        target.both("abandon")
        files, model_files = source.kernel.files(), source.model.files()
        told, expected = orjson.loads(files.manifest()), orjson.loads(model_files.manifest())
        assert told["max_seq_no"] == expected["max_seq_no"]
        assert told["local_checkpoint"] == expected["local_checkpoint"]
        restores = (
            (kernel.Restore(target.path, files.manifest()), files),
            (ModelRestore(target.disk, target.path, model_files.manifest()), model_files),
        )
        for restore, served in restores:
            for name, offset, length in restore.needed():
                for at in range(offset, offset + length, part):
                    restore.write(name, at, served.read(name, at, min(part, offset + length - at)))
            assert restore.needed() == []
            restore.finish()
        target.term = source.term
        target.open("replica")
        chunk = self._history(source, target.model.checkpoints()[1] + 1)
        if chunk is not None:
            target.model.apply(chunk[0], target.term)
            target.kernel.apply(chunk[1], target.term)

    # --- what is compared -------------------------------------------------------------------------------------------

    @invariant()
    def the_same_checkpoints(self) -> None:
        for copy in self.copies:
            assert copy.kernel.checkpoints() == copy.model.checkpoints()

    @invariant()
    def the_same_documents(self) -> None:
        for copy in self.copies:
            for id in IDS:
                request = orjson.dumps({"id": id, "realtime": True, "source": True})
                told, expected = (_members(shard.get(request)) for shard in (copy.kernel, copy.model))
                if id in self.deleted:
                    for answer in (told, expected):
                        answer.pop("_version", None)
                assert told == expected


def _members(answer: bytes | None) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(b"{%s}" % (answer or b""))
    return found


@pytest.mark.skipif(not hasattr(kernel.Shard, "promote"), reason="the kernel has no replicas yet")
def test_the_model_is_the_kernel() -> None:
    run_state_machine_as_test(
        Copies,
        settings=settings(
            max_examples=40, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
