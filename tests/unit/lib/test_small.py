from __future__ import annotations

from pathlib import Path

from quidditch.lib import machine
from quidditch.lib.clock import ManualClock, SystemClock
from quidditch.lib.ids import CountedIds, RandomIds
from quidditch.lib.metrics import Metrics


def test_clocks() -> None:
    clock = ManualClock(1000)
    clock.advance(2.5)
    assert (clock.now_ms(), clock.monotonic()) == (3500, 2.5)
    system = SystemClock()
    assert system.monotonic() <= system.monotonic()
    assert system.now_ms() > 1_600_000_000_000


def test_ids_are_distinct_and_22_characters() -> None:
    for ids in (RandomIds(), CountedIds()):
        made = {ids.uuid() for _ in range(100)}
        assert len(made) == 100
        assert {len(each) for each in made} == {22}


def test_machine_answers_something(tmp_path: Path) -> None:
    memory, disk = machine.memory(), machine.disk(tmp_path / "not" / "there")
    assert 0 < memory.available <= memory.total
    assert 0 < disk.available <= disk.total
    assert 0 <= machine.ProcessorLoad().percent()[0] <= 100
    assert machine.resident_bytes() > 1_000_000


def test_metrics_render() -> None:
    metrics = Metrics()
    metrics.counter("things", "how many", ("kind",)).labels("a").inc(2)
    assert metrics.counter("things", "how many", ("kind",)) is metrics.counter("things", "how many", ("kind",))
    metrics.duration("work", "how long").observe(0.002)
    text = metrics.render().decode()
    assert 'quidditch_things_total{kind="a"} 2.0' in text
    assert 'quidditch_work_seconds_bucket{le="0.0025"} 1.0' in text
