"""How far the recovery of a copy is, in the figures that `_recovery` and `_cat/recovery` show."""

from __future__ import annotations

from quidditch.coordinator.shards import Place
from quidditch.transport.recovery import Counts, Progress


def of(place: Place) -> Progress:
    """What the copy's node tells; where it does not, what can be said without it."""
    index, copy = place.index, place.copy
    if place.about is not None and place.about.progress is not None:
        return place.about.progress
    created = int(str(index.setting("index.creation_date", "0")))
    if copy.active or not index.open:
        return Progress("EXISTING_STORE", "DONE", created, created)
    stage = "INIT" if copy.recovery == "PEER" else "INDEX"
    return Progress(copy.recovery or "EXISTING_STORE", stage, created)  # type: ignore[arg-type]


def millis(progress: Progress, now_ms: int) -> int:
    """How long it has taken so far."""
    return max(0, (progress.stopped or now_ms) - progress.started) if progress.started else 0


def to_recover(counts: Counts) -> int:
    """What is not there already."""
    return counts.total - counts.reused


def carried(counts: Counts) -> str:
    """The percentage of what has to be carried over; nothing at all counts as not begun."""
    if not counts.total:
        return "0.0%"
    return percent(counts.recovered, to_recover(counts))


def replayed(progress: Progress) -> str:
    """The percentage of the operations."""
    return percent(progress.operations_recovered, progress.operations)


def percent(done: int, total: int) -> str:
    return f"{100.0 if done >= total else 100.0 * done / total:.1f}%"
