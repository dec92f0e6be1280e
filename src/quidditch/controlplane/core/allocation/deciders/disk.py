"""The disk watermarks. Below `low` a node takes new copies; above `high` its copies leave; what is on its way counts.

(Above `flood` the indices on the node are blocked for writes: see `core/flood.py`.)
"""

from __future__ import annotations

from quidditch.controlplane.core.allocation.deciders.base import Answer, Asking, Decider, Subject
from quidditch.controlplane.core.allocation.info import Disk
from quidditch.controlplane.core.allocation.rules import Watermark
from quidditch.controlplane.core.allocation.table import NodeSlot
from quidditch.mapping.settings.units import format_bytes

_PREFIX = "cluster.routing.allocation.disk.watermark."


class DiskThreshold(Decider):
    name = "disk_threshold"

    def concerns(self, asking: Asking) -> bool:
        return asking.aloud or self._off(asking) is None

    def can_allocate(self, asking: Asking, subject: Subject, slot: NodeSlot) -> Answer:
        off = self._off(asking)
        if off is not None:
            return asking.say("YES", off)
        disk = asking.problem.info.disks.get(slot.id)
        if disk is None:
            return asking.say("YES", "disk usages are unavailable")
        return self._fits(asking, subject, slot, disk)

    def _fits(self, asking: Asking, subject: Subject, slot: NodeSlot, disk: Disk) -> Answer:
        rules, free = asking.problem.rules, free_bytes(asking, slot, disk, leaving=False)
        fresh = subject.copy.primary and subject.at is None and not subject.shard.in_sync
        if free < rules.high.least_free(disk.total) and fresh:
            return asking.say("NO", "{}", _above("high", rules.high, disk, free))
        if free < rules.low.least_free(disk.total):
            if fresh:
                text = (
                    "the node is above the low watermark, but less than the high watermark, and this primary shard has"
                    " never been allocated before"
                )
                return asking.say("YES", text)
            return asking.say("NO", "{}", _above("low", rules.low, disk, free))
        size = subject.row.size(subject.number)
        after = free - size
        if after < rules.high.least_free(disk.total):
            return asking.say("NO", "{}", _would_be_above(rules.high, disk, free, size))
        text = "enough disk for shard on node, free: [{}], shard size: [{}], free after allocating shard: [{}]"
        return asking.say("YES", text, _size(free), _size(size), _size(after))

    def can_remain(self, asking: Asking, _subject: Subject, slot: NodeSlot) -> Answer:
        off = self._off(asking)
        if off is not None:
            return asking.say("YES", off)
        disk = asking.problem.info.disks.get(slot.id)
        if disk is None:
            return asking.say("YES", "disk usages are unavailable")
        rules, free = asking.problem.rules, free_bytes(asking, slot, disk, leaving=True)
        if free >= rules.high.least_free(disk.total):
            return asking.say(
                "YES", "there is enough disk on this node for the shard to remain, free: [{}]", _size(free)
            )
        return asking.say("NO", "{}", _must_leave(rules.high, disk, free))

    def _off(self, asking: Asking) -> str | None:
        problem = asking.problem
        if not problem.rules.disk_enabled:
            return "the disk threshold decider is disabled"
        if problem.data_nodes <= 1:
            return "there is only a single data node present"
        return None if problem.info.disks else "disk usages are unavailable"


def free_bytes(asking: Asking, slot: NodeSlot, disk: Disk, *, leaving: bool) -> int:
    """What will be free once all that is on its way has come, and (`leaving`) gone; of a plan, once it is carried out."""
    if asking.ahead:
        return disk.free + slot.stored - slot.then_bytes
    return disk.free - slot.coming + (slot.leaving if leaving else 0)


def _size(size: float) -> str:
    return format_bytes(max(0, int(size)))


def _percent(disk: Disk, free: float) -> float:
    return 100.0 * max(0.0, free) / disk.total if disk.total else 0.0


def _allowed(mark: Watermark) -> float:
    assert mark.used is not None
    return round(100.0 * mark.used, 10)


def _above(which: str, mark: Watermark, disk: Disk, free: float) -> str:
    setting = f"the node is above the {which} watermark cluster setting [{_PREFIX}{which}={mark.text}]"
    if mark.free is not None:
        return (
            f"{setting}, having less than the minimum required [{_size(mark.free)}] free space, actual free:"
            f" [{_size(free)}]"
        )
    return (
        f"{setting}, using more disk space than the maximum allowed [{_allowed(mark)}%], actual free:"
        f" [{_percent(disk, free)}%]"
    )


def _would_be_above(mark: Watermark, disk: Disk, free: float, size: int) -> str:
    start = (
        f"allocating the shard to this node will bring the node above the high watermark cluster setting"
        f" [{_PREFIX}high={mark.text}] and cause it to"
    )
    if mark.free is not None:
        return (
            f"{start} have less than the minimum required [{_size(mark.free)}] of free space (free: [{_size(free)}],"
            f" estimated shard size: [{_size(size)}])"
        )
    after = _percent(disk, free - size)
    return (
        f"{start} use more disk space than the maximum allowed [{_allowed(mark)}%] (free space after shard added:"
        f" [{after}%])"
    )


def _must_leave(mark: Watermark, disk: Disk, free: float) -> str:
    start = (
        f"the shard cannot remain on this node because it is above the high watermark cluster setting"
        f" [{_PREFIX}high={mark.text}] and there is less than the required"
    )
    if mark.free is not None:
        return f"{start} [{_size(mark.free)}] free space on node, actual free: [{_size(free)}]"
    return f"{start} [{round(100.0 - _allowed(mark), 10)}%] free disk on node, actual free: [{_percent(disk, free)}%]"
