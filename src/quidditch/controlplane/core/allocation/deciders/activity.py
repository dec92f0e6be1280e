"""What must be active before something else may happen: failed attempts, primaries, the whole cluster."""

from __future__ import annotations

from quidditch.controlplane.core.allocation.deciders.base import Answer, Asking, Decider, Subject
from quidditch.controlplane.core.allocation.table import NodeSlot


class MaxRetry(Decider):
    """NO after too many failed attempts in a row (`index.allocation.max_retries`)."""

    name = "max_retry"
    nodeless = True
    binding = True

    def can_allocate(self, asking: Asking, subject: Subject, _slot: NodeSlot) -> Answer:
        info = subject.copy.unassigned
        moves = subject.copy.active
        failed = subject.copy.failed_moves if moves else info.failed_attempts if info is not None else 0
        if failed == 0:
            return asking.say("YES", "shard has no previous failures")
        allowed = subject.row.rules.max_retries
        if failed < allowed:
            done = "relocating" if moves else "allocating"
            return asking.say(
                "YES", "shard has failed {} [{}] times but [{}] retries are allowed", done, failed, allowed
            )
        return asking.say(
            "NO",
            "shard has exceeded the maximum number of retries [{}] on failed {} attempts - manually call"
            " [/_cluster/reroute?retry_failed=true] to retry",
            allowed,
            "relocation" if moves else "allocation",
        )


class ReplicaAfterPrimaryActive(Decider):
    """A replica has something to copy from only once its primary is active."""

    name = "replica_after_primary_active"
    nodeless = True
    momentary = True

    def can_allocate(self, asking: Asking, subject: Subject, _slot: NodeSlot) -> Answer:
        if subject.copy.primary:
            return asking.say("YES", "shard is primary and can be allocated")
        if subject.shard.primary.active:
            return asking.say("YES", "primary shard for this replica is already active")
        return asking.say("NO", "primary shard for this replica is not yet active")


class RebalanceOnlyWhenActive(Decider):
    """A shard of which a copy is missing is not moved about."""

    name = "rebalance_only_when_active"
    momentary = True

    def can_rebalance(self, asking: Asking, subject: Subject) -> Answer:
        if all(copy.active for copy in subject.shard.copies):
            return asking.say("YES", "rebalancing is allowed as all replicas are active in the cluster")
        return asking.say("NO", "rebalancing is not allowed until all replicas in the cluster are active")


class ClusterRebalance(Decider):
    """`cluster.routing.allocation.allow_rebalance`: first what is missing, then balance."""

    name = "cluster_rebalance"
    momentary = True

    def can_rebalance(self, asking: Asking, subject: Subject) -> Answer:  # noqa: ARG002
        return allow_rebalance(asking)


def may_balance(asking: Asking) -> bool:
    """Whether the cluster as a whole is in a state to be balanced."""
    return allow_rebalance(asking).decision == "YES"


def allow_rebalance(asking: Asking) -> Answer:
    problem, mode = asking.problem, asking.problem.rules.allow_rebalance
    setting = f"cluster setting [cluster.routing.allocation.allow_rebalance] is set to [{mode}]"
    if mode == "indices_primaries_active":
        if problem.unassigned_primaries:
            return asking.say("NO", "the cluster has unassigned primary shards and {}", setting)
        if problem.inactive_primaries:
            return asking.say("NO", "the cluster has inactive primary shards and {}", setting)
        return asking.say("YES", "all primary shards are active")
    if mode == "indices_all_active":
        if problem.unassigned:
            return asking.say("NO", "the cluster has unassigned shards and {}", setting)
        if problem.inactive:
            return asking.say("NO", "the cluster has inactive shards and {}", setting)
    return asking.say("YES", "all shards are active")


class ConcurrentRebalance(Decider):
    """`cluster_concurrent_rebalance`: so many moves at once."""

    name = "concurrent_rebalance"
    momentary = True

    def can_rebalance(self, asking: Asking, _subject: Subject) -> Answer:
        allowed, present = asking.problem.rules.concurrent_rebalance, asking.problem.relocating
        if allowed == -1:
            return asking.say("YES", "unlimited concurrent rebalances are allowed")
        if present >= allowed:
            return asking.say(
                "THROTTLE",
                "reached the limit of concurrently rebalancing shards [{}], cluster setting"
                " [cluster.routing.allocation.cluster_concurrent_rebalance={}]",
                present,
                allowed,
            )
        return asking.say(
            "YES",
            "below threshold [{}] for concurrent rebalances, current rebalance shard count [{}]",
            allowed,
            present,
        )


class ConcurrentRecoveries(Decider):
    """`cluster_concurrent_recoveries`: so many copies are built at once in the whole cluster."""

    name = "cluster_concurrent_recoveries"
    nodeless = True
    momentary = True

    def can_allocate(self, asking: Asking, _subject: Subject, _slot: NodeSlot) -> Answer:
        allowed, present = asking.problem.rules.concurrent_recoveries, asking.problem.recoveries
        if allowed == -1:
            return asking.say("YES", "undefined cluster concurrent recoveries")
        if present >= allowed:
            return asking.say(
                "THROTTLE",
                "too many concurrent recoveries [{}], cluster setting"
                " [cluster.routing.allocation.cluster_concurrent_recoveries={}]",
                present,
                allowed,
            )
        return asking.say(
            "YES", "below threshold [{}] for concurrent recoveries, current recovery shard count [{}]", allowed, present
        )
