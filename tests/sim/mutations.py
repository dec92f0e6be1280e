"""Ways to break the protocol on purpose: the checkers have to find each of them.

A mutation changes the text of production functions; one whose text is no longer there fails, so that the list stays true. Some are of
the engine: they change the model, which stands for the kernel.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import textwrap
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple
from unittest import mock

from tests.sim.plans import PLANS
from tests.sim.world import simulate


class Edit(NamedTuple):
    """In the function `where` (module:Class.name or module:name) `old` becomes `new`."""

    where: str
    old: str
    new: str


class Mutation(NamedTuple):
    """`plan`: the kind of runs that it is looked for in."""

    name: str
    edits: tuple[Edit, ...]
    plan: str = "harsh"


PRIMARY = "quidditch.datanode.replication.primary:Primary"
REPLICA = "quidditch.datanode.replication.replica:Replica"
TRACKER = "quidditch.datanode.replication.tracker:ReplicationTracker"
SOURCE = "quidditch.datanode.recovery.source:Source"
TARGET = "quidditch.datanode.recovery.target:Target"
ROUTING = "quidditch.controlplane.core.routing"
NODES = "quidditch.controlplane.core.nodes"
MODEL = "tests.sim.model:ModelShard"

MUTATIONS: list[Mutation] = [
    Mutation(
        "acknowledge before the change of the in-sync set is committed",
        (Edit(f"{PRIMARY}._mark_stale", "await asyncio.shield(task)", "return"),)),
    Mutation(
        "pass over a copy that fails",
        (
            Edit(
                f"{PRIMARY}._replicate",
                'await self._mark_stale(member.allocation_id, f"failed to perform operations on replica: {failure.reason}")',
                "pass",
            ),
        )),
    Mutation(
        "pass over copies in sync that are on no node",
        (Edit(f"{PRIMARY}._spread", "for id in lost]", "for id in ()]"),),
        plan="relay"),
    Mutation(
        "a stale primary acknowledges",
        (Edit(f"{PRIMARY}._report", "raise self._over(str(error.reason)) from None", "return"),)),
    Mutation("read the copies before the write", (
        Edit(f"{PRIMARY}._write", "result = await", "early = self._group()\n        result = await"),
        Edit(f"{PRIMARY}._write", "await self._make_safe(", "self._early = early\n            await self._make_safe("),
        Edit(f"{PRIMARY}._spread", "members, lost = self._group()", "members, lost = self._early"),
    ), plan="rebuild"),
    Mutation("the primary syncs after the answer", (
        Edit(f"{PRIMARY}._write", "alone and self._durable()", "False"),
        Edit(f"{PRIMARY}._persist", "if not synced and self._durable():", "if False:"),
        Edit(f"{PRIMARY}.look", "self.engine.checkpoints()[2]", "self.engine.checkpoints()[1]"),
    )),
    Mutation(
        "a replica syncs after the answer",
        (
            Edit(f"{REPLICA}.take", "self._durable())", "False)"),
            Edit(f"{REPLICA}.take", "_, _, persisted, known", "_, persisted, _, known"),
        )),
    Mutation(
        "a replica answers before it has applied",
        (
            Edit(f"{REPLICA}.take", "await self._run(self.engine.apply,", "asyncio.ensure_future(self._run(self.engine.apply,"),
            Edit(f"{REPLICA}.take", "self._durable())", "self._durable()))"),
        ),
    ),
    Mutation("accept an old term", (
        Edit(f"{REPLICA}._check", "if head.primary_term < self.primary_term:", "if False:"),
        Edit(f"{MODEL}.apply", "if primary_term < self.term:", "if False:"),
    ), plan="late operations"),
    Mutation("do not adopt a new term", (
        Edit(f"{REPLICA}.follow", "if head.primary_term > self.primary_term:\n        async", "if False:\n        async"),
    )),
    Mutation("no rollback", (Edit(f"{REPLICA}._adopt", "if greatest > certain:", "if False:"),)),
    Mutation("skip trim", (
        Edit(f"{REPLICA}._adopt", "await self._run(self.engine.trim_above, head.term_start)", "pass"),
    ), plan="leave behind"),
    Mutation("resync left out", (
        Edit(f"{PRIMARY}._resync", "if not members:", "if members is not None:"),
    ), plan="late operations"),
    Mutation("the global checkpoint follows the primary alone", (
        Edit(f"{TRACKER}._advance", "for copy in self.copies.values() if copy.in_sync", "for copy in [self.copies[self.own]]"),
    )),
    Mutation("a new primary takes the others to be where it is", (
        Edit(f"{TRACKER}.activate", "Progress(tracked=True", "Progress(self.copies[self.own].local_checkpoint, tracked=True"),
    ), plan="leave behind"),
    Mutation("drop pending_in_sync", (
        Edit(f"{TRACKER}.mark_in_sync", "if copy.local_checkpoint >= self._global_checkpoint:", "if True:"),
    ), plan="rebuild"),
    Mutation("a copy is started that the primary does not know to be in sync", (
        Edit(f"{SOURCE}._in_sync", "shard, target = session.shard, session.target", "return"),
    )),
    Mutation("track after the end was sampled", (
        Edit(
            f"{SOURCE}.track",
            "with _sensible():",
            "history = await self._run(shard.engine.history, session.from_seq_no)\n"
            "                await asyncio.sleep(0.05)\n"  # others run meanwhile: without a pause that is too seldom
            "                with _sensible():",
        ),
        Edit(
            f"{SOURCE}.track",
            "session.history = await self._run(shard.engine.history, session.from_seq_no)\n            session.files",
            "session.history = history\n            session.files",
        ),
    ), plan="build beside a slow one"),
    Mutation("never track", (
        Edit(f"{TRACKER}.initiate_tracking", "self.copies[id].tracked = True", "pass"),
        Edit(f"{TRACKER}.mark_in_sync", "or not copy.tracked", ""),
    )),
    Mutation("a target keeps what no primary has", (
        Edit(f"{TARGET}._follow_operations", "await self._run(engine.trim_above, prepared.max_seq_no)", "pass"),
    ), plan="leave behind"),
    Mutation("a target is in sync before it has synced", (
        Edit(f"{TARGET}._follow_operations", "await self._run(engine.sync)\n    await self._run(engine.refresh)", "pass"),
        Edit(f"{TARGET}._finish", "engine.checkpoints()[2]", "engine.checkpoints()[1]"),
        Edit(f"{TARGET}._follow_operations", "await self._run(engine.sync)\n    await self._copy.keep()", "await self._copy.keep()"),
    )),
    Mutation("operations of the history are left out", (
        Edit(f"{TARGET}._follow_operations", "await self._replay(engine, plan.primary_term, tracked.operations)", "pass"),
    )),
    Mutation("promote a copy that is being built", (
        Edit(f"{ROUTING}:_without_source", 'elif position and copy.state == "INITIALIZING":', "elif False:"),
        Edit(f"{ROUTING}:unassign", "c.active and c.allocation_id in shard.in_sync", "c.node is not None"),
        Edit(f"{ROUTING}:unassign", "shard.copies[heir], primary=True", 'shard.copies[heir], primary=True, state="STARTED"'),
    ), plan="lose source"),
    Mutation("no new term at a promotion", (
        Edit(f"{ROUTING}:unassign", "primary_term=shard.primary_term + 1", "primary_term=shard.primary_term"),
    )),
    Mutation("no new term for a primary that is opened again", (
        Edit(f"{ROUTING}:assign", "shard.primary_term + 1 if copy.primary else", "max(shard.primary_term, 1) if copy.primary else"),
    ), plan="blackout"),
    Mutation("a copy that missed a write stays in sync", (
        Edit(f"{ROUTING}:out_of_sync", "return replace(shard, in_sync=rest) if rest else shard", "return shard"),
    ), plan="relay"),
    Mutation("a primary whose term is over may fail copies", (
        Edit(f"{NODES}:shard_failed", "if command.primary_term not in (0, shard.primary_term):", "if False:"),
    ), plan="deposed"),
    Mutation("a copy counts as started that an earlier primary made", (
        Edit(f"{ROUTING}:_without_source", 'elif position and copy.state == "INITIALIZING":', "elif False:"),
        Edit(f"{NODES}:_after_start", "if report.primary_term not in (0, shard.primary_term):", "if False:"),
    ), plan="lose source"),
    Mutation("a stale copy is opened from disk", (
        Edit("quidditch.datanode.folder:DataFolder.prepare", "copy.allocation_id in ids", "True"),
        Edit("quidditch.controlplane.core.allocation.deciders.data:data_nodes", "copy.allocation_id in shard.in_sync", "True"),
    ), plan="relay"),
    Mutation("the primary goes on while it hands over", (
        Edit(f"{SOURCE}.hand_over", "await session.held.enter_async_context(shard.permits.alone(self._limits.alone))", "pass"),
    ), plan="move primary"),
    Mutation("the source stays after it has handed over", (
        Edit(f"{SOURCE}.handed", "self._node.relocated(session.start.uuid, session.start.number, session.target)", "pass"),
    )),
    Mutation("skip gap filling", (
        Edit(f"{MODEL}._restore", "if not self._has(seq_no):", "if False:"),
    ), plan="leave behind"),
    Mutation("a promotion restores nothing", (
        Edit(f"{MODEL}._restore", "for _, record in sorted(self.folder.records().items()):", "for record in ():"),
    )),
    Mutation("a commit above the global checkpoint is safe", (
        Edit(f"{MODEL}._safe", "commit.max_seq_no <= self._global", "True"),
    ), plan="build beside a slow one"),
    Mutation("history is trimmed too early", (
        Edit(f"{MODEL}._trim", "least = min(needed, held, retained)", "least = self._max_seq_no"),
    ), plan="rebuild"),
    Mutation("an older operation wins over a newer one", (
        Edit(f"{MODEL}._process", "known.seq_no < record.seq_no", "True"),
    )),
]  # fmt: skip


class Found(NamedTuple):
    """`seeds`: how many it took until a checker found the mutation; None if none of them did. `reached`: how often what was changed
    was run meanwhile: 0 tells that the plan does not bring it about.
    """

    seeds: int | None
    reached: int
    violation: str = ""


def look_for(mutation: Mutation, seeds: int, plan: str = "") -> Found:
    """Runs seeds of its plan, or of another, until a checker finds the mutation."""
    made = PLANS[plan or mutation.plan]
    with mutated(mutation) as reached:
        for seed in range(seeds):
            violation = simulate(seed, made(seed)).violation
            if violation is not None:
                return Found(seed + 1, reached.times, violation)
        return Found(None, reached.times)


class Reached:
    """Counts how often changed code is run."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        self.times += 1


@contextmanager
def mutated(mutation: Mutation) -> Iterator[Reached]:
    reached = Reached()
    with ExitStack() as stack:
        changed: dict[str, list[Edit]] = {}
        for edit in mutation.edits:
            changed.setdefault(edit.where, []).append(edit)
        for where, edits in changed.items():
            module, function = _function(where)
            stack.enter_context(mock.patch.object(module, "__reached__", reached, create=True))
            stack.callback(setattr, function, "__code__", function.__code__)
            function.__code__ = _rewritten(where, function, edits)
        yield reached


def _function(where: str) -> tuple[ModuleType, Any]:
    module_name, _, path = where.partition(":")
    module = importlib.import_module(module_name)
    found: Any = module
    for name in path.split("."):
        found = inspect.getattr_static(found, name)
    return module, getattr(found, "__func__", found)


def _rewritten(where: str, function: FunctionType, edits: list[Edit]) -> CodeType:
    """Code that takes the place of the function's own, so that those who got hold of it before run it too."""
    text = textwrap.dedent(inspect.getsource(function))
    lines = []
    for edit in edits:
        if text.count(edit.old) != 1:
            raise ValueError(f"{where} has {text.count(edit.old)} times: {edit.old}")
        at = text.index(edit.old)
        text = text.replace(edit.old, edit.new)
        lines.append(text.count("\n", 0, at) + 1)
    tree = ast.parse(text)
    for line in lines:
        _count(tree, line)
    body = [*ast.parse("from __future__ import annotations").body, *tree.body]
    made: dict[str, Any] = {}
    exec(compile(ast.fix_missing_locations(ast.Module(body, [])), f"<{where}>", "exec"), {}, made)
    code: CodeType = made[function.__name__].__code__
    return code


def _count(tree: ast.AST, line: int) -> None:
    """Puts a call of `__reached__` before the innermost statement on a line."""
    block, place = None, 0
    for node in ast.walk(tree):  # outer ones first
        for statements in (getattr(node, each, None) for each in ("body", "orelse", "finalbody")):
            for number, statement in enumerate(statements if isinstance(statements, list) else ()):
                if node is not tree and statement.lineno <= line <= (statement.end_lineno or 0):
                    block, place = statements, number
    if block is not None:
        block.insert(place, ast.parse("__reached__()").body[0])
