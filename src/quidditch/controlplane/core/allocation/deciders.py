"""The deciders: may this copy go to that node? Each answers YES, NO or THROTTLE with one sentence.

A decider is a function (problem, copy, node) -> Verdict; `DECIDERS` is their order. The first NO stops, unless all
are asked to explain.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

import msgspec

from quidditch.controlplane.core.allocation.problem import Problem, ShardCopy
from quidditch.model.objects import Node


class Verdict(msgspec.Struct, frozen=True):
    """A decider's answer, in the words of `_cluster/allocation/explain`."""

    decider: str
    decision: Literal["YES", "NO", "THROTTLE"]
    explanation: str


Decider: TypeAlias = Callable[[Problem, ShardCopy, Node], Verdict]


def max_retry(_problem: Problem, each: ShardCopy, _node: Node) -> Verdict:
    """NO after too many failed attempts in a row."""
    allowed = int(each.index.setting("index.allocation.max_retries", "5"))
    info = each.copy.unassigned
    failed = info.failed_attempts if info else 0
    if failed == 0:
        return Verdict("max_retry", "YES", "shard has no previous failures")
    if failed >= allowed:
        return Verdict(
            "max_retry",
            "NO",
            f"shard has exceeded the maximum number of retries [{allowed}] on failed allocation attempts - manually "
            f"call"
            " [/_cluster/reroute?retry_failed=true] to retry",
        )
    return Verdict(
        "max_retry", "YES", f"shard has failed allocating [{failed}] times but [{allowed}] retries are allowed"
    )


def replica_after_primary(_problem: Problem, each: ShardCopy, _node: Node) -> Verdict:
    """A replica has something to copy from only once its primary is active."""
    name = "replica_after_primary_active"
    if each.copy.primary:
        return Verdict(name, "YES", "shard is primary and can be allocated")
    if each.shard.primary.active:
        return Verdict(name, "YES", "primary shard for this replica is already active")
    return Verdict(name, "NO", "primary shard for this replica is not yet active")


def enable(problem: Problem, each: ShardCopy, _node: Node) -> Verdict:
    """`cluster.routing.allocation.enable`, overridden by `index.routing.allocation.enable`."""
    own = each.index.setting("index.routing.allocation.enable")
    value = str(own or problem.setting("cluster.routing.allocation.enable", "all")).lower()
    setting = (
        f"index setting [index.routing.allocation.enable={value}]"
        if own
        else f"cluster setting [cluster.routing.allocation.enable={value}]"
    )
    if value == "all":
        return Verdict("enable", "YES", "all allocations are allowed")
    if value == "primaries" and each.copy.primary:
        return Verdict("enable", "YES", "primary allocations are allowed")
    if value == "new_primaries" and each.copy.primary and not each.shard.in_sync:
        return Verdict("enable", "YES", "new primary allocations are allowed")
    kind = {"none": "no allocations are allowed", "primaries": "replica allocations are forbidden"}
    return Verdict("enable", "NO", f"{kind.get(value, 'non-new primary allocations are forbidden')} due to {setting}")


def in_sync_copy(_problem: Problem, each: ShardCopy, node: Node) -> Verdict:
    """A primary that has data starts only where an in-sync copy of it lies."""
    name = "in_sync_copy"
    if not each.copy.primary or not each.shard.in_sync:
        return Verdict(name, "YES", "the copy needs no existing data")
    holders = {
        copy.unassigned.last_node
        for copy in each.shard.copies
        if copy.unassigned and copy.allocation_id in each.shard.in_sync
    }
    if node.id in holders:
        return Verdict(name, "YES", "the node holds an in-sync copy of the shard")
    return Verdict(name, "NO", "the node does not hold an in-sync copy of the shard")


def same_shard(problem: Problem, each: ShardCopy, node: Node) -> Verdict:
    """Never two copies of a shard on one node (with `same_shard.host`: on one host)."""
    others = {copy.node: copy for at, copy in enumerate(each.shard.copies) if at != each.position and copy.node}
    held = others.get(node.id)
    if held is not None:
        where = f"[{each.index.name}][{each.number}], node[{node.id}], [{'P' if held.primary else 'R'}]"
        text = f"[{where}, s[{held.state}], a[id={held.allocation_id}]]"
        return Verdict("same_shard", "NO", f"a copy of this shard is already allocated to this node {text}")
    by_host = str(problem.setting("cluster.routing.allocation.same_shard.host", "false")) == "true"
    hosts = {problem.nodes[other].spec.host for other in others if other in problem.nodes} if by_host else set()
    if node.spec.host in hosts:
        return Verdict(
            "same_shard", "NO", f"a copy of this shard is already allocated to host address [{node.spec.host}]"
        )
    return Verdict("same_shard", "YES", "this node does not hold a copy of this shard")


DECIDERS: Sequence[Decider] = (max_retry, replica_after_primary, enable, in_sync_copy, same_shard)


def judge(problem: Problem, each: ShardCopy, node: Node) -> Verdict:
    """The first NO, otherwise the first THROTTLE, otherwise a YES."""
    worst = Verdict("", "YES", "can allocate the shard")
    for decider in DECIDERS:
        verdict = decider(problem, each, node)
        if verdict.decision == "NO":
            return verdict
        if verdict.decision == "THROTTLE" and worst.decision == "YES":
            worst = verdict
    return worst


def explain(problem: Problem, each: ShardCopy, node: Node) -> list[Verdict]:
    """What every decider says."""
    return [decider(problem, each, node) for decider in DECIDERS]
