"""What a candidate for the lead tells of its work, read at each look: its queue, the publication of states, heartbeats."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.metrics_core import Metric

from quidditch.controlplane.leader import Leader
from quidditch.controlplane.service import ControlService
from quidditch.lib.metrics import counter, gauge


def of_leader(leader: Leader) -> Iterable[Metric]:
    """Commands that wait; none on a candidate that does not lead."""
    waiting = leader.waiting()
    yield gauge("pending_tasks", "commands that wait for the leader or that it works on", len(waiting))
    longest = max((task.time_in_queue_ms for task in waiting), default=0)
    yield gauge("pending_tasks_longest_wait_seconds", "how long the oldest of them waits", longest / 1000)


def of_service(service: ControlService) -> Iterable[Metric]:
    """How the nodes follow; nothing is behind where this one does not lead."""
    lags = list(service.lags().values())
    yield gauge("publication_nodes_behind", "nodes that have not applied the newest state", len(lags))
    yield gauge("publication_lag_versions", "versions that the node furthest behind lacks", max(lags, default=0))
    yield counter("heartbeats_received", "heartbeats of nodes that this master took as leader", service.heartbeats)
    yield gauge("heartbeat_longest_silence_seconds", "how long the quietest node was not heard", service.silence())
