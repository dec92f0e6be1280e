"""The flood stage: while a disk is nearly full, the indices on it take no writes; when there is room again, they do."""

from __future__ import annotations

from quidditch.controlplane.core.allocation.problem import Problem
from quidditch.controlplane.core.allocation.rules import Stage, disk_stage
from quidditch.controlplane.core.allocation.table import NodeSlot
from quidditch.controlplane.core.blocks import index_blocks
from quidditch.controlplane.core.draft import Draft, index_spec
from quidditch.model.objects import Index

BLOCK = "index.blocks.read_only_allow_delete"


def apply_flood_stage(draft: Draft) -> None:
    """Blocks every index with a copy on a node above the flood stage, unless it takes no writes anyway. Releases the others
    once none of their nodes is above the high watermark. Nodes whose disks nobody measured change nothing.
    """
    problem = draft.env.memory.follow(draft.state, draft.env)
    if not problem.rules.disk_enabled or not problem.info.disks:
        return
    stages = {slot.at: _stage(problem, slot) for slot in problem.nodes}
    flooded = {at for at, stage in stages.items() if stage == "flood"}
    unsure = {at for at, stage in stages.items() if stage in ("flood", "high", None)}
    for row in list(problem.rows.values()):
        if row.index.setting(BLOCK) == "true":
            if not row.now.keys() & unsure:
                draft.put(_with_block(row.index, False))
        elif row.now.keys() & flooded and not _takes_no_writes(row.index):
            draft.put(_with_block(row.index, True))


def _stage(problem: Problem, slot: NodeSlot) -> Stage | None:
    disk = problem.info.disks.get(slot.id)
    return None if disk is None else disk_stage(problem.rules, disk)


def _takes_no_writes(index: Index) -> bool:
    return any("write" in block.levels for block in index_blocks(index))


def _with_block(index: Index, on: bool) -> Index:
    flat = {key: value for key, value in index.spec.settings.items() if key != BLOCK}
    if on:
        flat[BLOCK] = "true"
    return index_spec(index, settings=flat, settings_version=index.spec.settings_version + 1)
