"""What the rest of a node sees of the control plane, whether it runs in this process or behind the network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, overload

from quidditch.controlplane.core.commands import (
    Acknowledged,
    Acknowledging,
    Command,
    CreateIndex,
    IndexCreated,
    PutClusterSettings,
    Query,
    Reroute,
    Rerouted,
    Result,
    Rollover,
    SettingsChanged,
    Told,
)
from quidditch.model.state import ClusterState

Subscriber = Callable[[ClusterState, ClusterState], None]


class PendingTask(Protocol):
    """A command that waits for its turn, as `_cluster/pending_tasks` shows it."""

    @property
    def insert_order(self) -> int: ...
    @property
    def priority(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def executing(self) -> bool: ...
    @property
    def time_in_queue_ms(self) -> int: ...


class ControlPlane(Protocol):
    """`state` is the last version that this node has; it may lag behind the leader, never behind an answered
    `submit` of this node.
    """

    @property
    def state(self) -> ClusterState: ...

    @property
    def leader_id(self) -> str:
        """The node that leads, as far as this one knows; empty if it knows none."""

    @property
    def epoch(self) -> int:
        """Of the newest leader that this node knows; 0 before the first. Each leader has a greater one than those before it."""

    @overload
    async def submit(self, command: CreateIndex | Rollover, timeout: float | None = None) -> IndexCreated: ...
    @overload
    async def submit(self, command: PutClusterSettings, timeout: float | None = None) -> SettingsChanged: ...
    @overload
    async def submit(self, command: Reroute, timeout: float | None = None) -> Rerouted: ...
    @overload
    async def submit(self, command: Query, timeout: float | None = None) -> Told: ...
    @overload
    async def submit(self, command: Acknowledging, timeout: float | None = None) -> Acknowledged: ...
    async def submit(self, command: Command, timeout: float | None = None) -> Result:
        """Has the leader decide and write; returns when this node has applied the outcome.

        Raises :class:`ApiError`: what the command got wrong, or process_cluster_event_timeout_exception after
        `timeout` seconds.
        """

    def subscribe(self, callback: Subscriber) -> Callable[[], None]:
        """Calls `callback(old, new)` for every version from now on, in order, on the event loop; it must not block.
        Returns what ends it.
        """

    async def wait_for(self, predicate: Callable[[ClusterState], bool], timeout: float) -> bool:
        """Until the predicate holds for the state; False after `timeout` seconds."""

    async def pending_tasks(self, timeout: float | None = None) -> Sequence[PendingTask]:
        """What waits at the leader. Raises cluster_manager_not_discovered_exception if none is found in `timeout` seconds (of which
        it takes a few at most).
        """
