"""The flood stage: while a disk is nearly full, the indices on it take no writes; when there is room again, they do."""

from __future__ import annotations

from collections.abc import Set

from quidditch.controlplane.core.allocation.problem import Problem
from quidditch.controlplane.core.allocation.rules import Watermark
from quidditch.controlplane.core.draft import Draft, index_spec
from quidditch.model.objects import Index

BLOCK = "index.blocks.read_only_allow_delete"


def apply_flood_stage(draft: Draft) -> None:
    """Blocks every index with a copy on a node above the flood stage. Releases the others once none of their nodes is
    above the high watermark. Nodes whose disks nobody measured change nothing.
    """
    problem = draft.env.memory.follow(draft.state, draft.env)
    if not problem.rules.disk_enabled or not problem.info.disks:
        return
    flooded = _above(problem, problem.rules.flood)
    unsure = _above(problem, problem.rules.high) | _unmeasured(problem)
    for row in list(problem.rows.values()):
        blocked = row.index.setting(BLOCK) == "true"
        if not blocked and row.now.keys() & flooded:
            draft.put(_with_block(row.index, True))
        elif blocked and not row.now.keys() & (unsure | flooded):
            draft.put(_with_block(row.index, False))


def _above(problem: Problem, mark: Watermark) -> Set[int]:
    disks = problem.info.disks
    measured = ((slot, disks.get(slot.id)) for slot in problem.nodes)
    return {slot.at for slot, disk in measured if disk is not None and disk.free < mark.least_free(disk.total)}


def _unmeasured(problem: Problem) -> Set[int]:
    return {slot.at for slot in problem.nodes if slot.id not in problem.info.disks}


def _with_block(index: Index, on: bool) -> Index:
    flat = {key: value for key, value in index.spec.settings.items() if key != BLOCK}
    if on:
        flat[BLOCK] = "true"
    return index_spec(index, settings=flat, settings_version=index.spec.settings_version + 1)
