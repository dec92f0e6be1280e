"""The threads of this process that keep the processors busy, and what they are at."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

_IDLE = ("wait", "select", "get", "_worker", "poll")
"""Functions in which a thread waits for work."""


@dataclass(slots=True)
class HotThread:
    """`busy`: seconds of processor time within the interval; `stacks`: how often each stack was met, innermost call first."""

    name: str
    busy: float = 0.0
    stacks: Counter[tuple[str, ...]] = field(default_factory=Counter)


def sample(seconds: float, snapshots: int) -> list[HotThread]:
    """Watches all threads for a while, the busiest first. Blocks: to be called from a thread of its own."""
    before = _processor_seconds()
    found: dict[int, HotThread] = {}
    for _ in range(snapshots):
        time.sleep(seconds / snapshots)
        frames = sys._current_frames()
        for thread in threading.enumerate():
            frame = frames.get(thread.ident or 0)
            if frame is None or thread is threading.current_thread() or thread.native_id is None:
                continue
            each = found.setdefault(thread.native_id, HotThread(thread.name))
            stack = []
            while frame is not None:
                stack.append(f"{frame.f_code.co_qualname} ({Path(frame.f_code.co_filename).name}:{frame.f_lineno})")
                frame = frame.f_back
            each.stacks[tuple(stack)] += 1
    for id, (name, after) in _processor_seconds().items():
        if id != threading.get_native_id():
            # Threads of the kernel have no Python frames.
            found.setdefault(id, HotThread(name)).busy = max(0.0, after - before.get(id, (name, 0.0))[1])
    return sorted(found.values(), key=lambda each: -each.busy)


def idle(thread: HotThread) -> bool:
    """Whether the thread only waits for work."""
    return thread.busy == 0 and all(
        stack and stack[0].split(" ")[0].rpartition(".")[2] in _IDLE for stack in thread.stacks
    )


def _processor_seconds() -> dict[int, tuple[str, float]]:
    """Name and processor time of each thread by its id; empty where the system does not tell."""
    ticks = os.sysconf("SC_CLK_TCK")
    found: dict[int, tuple[str, float]] = {}
    try:
        tasks = list(Path("/proc/self/task").iterdir())
    except OSError:
        return found
    for task in tasks:
        try:
            head, _, rest = (task / "stat").read_text().rpartition(")")
        except OSError:
            continue  # it has ended meanwhile
        values = rest.split()
        found[int(task.name)] = (head.partition("(")[2], (int(values[11]) + int(values[12])) / ticks)
    return found
