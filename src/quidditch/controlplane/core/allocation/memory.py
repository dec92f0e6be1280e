"""A problem kept from decision to decision, so that each counts only what changed. It may be forgotten at any time."""

from __future__ import annotations

from typing import Protocol

from quidditch.controlplane.core.allocation.info import ClusterInfo
from quidditch.controlplane.core.allocation.problem import Problem
from quidditch.model.state import ClusterState


class Circumstances(Protocol):
    """What an allocation takes besides the state; the environment of decisions has it."""

    @property
    def now_ms(self) -> int: ...
    @property
    def info(self) -> ClusterInfo: ...
    @property
    def copies(self) -> bool: ...


class Memory:
    def __init__(self) -> None:
        self._problem: Problem | None = None

    def follow(self, state: ClusterState, env: Circumstances) -> Problem:
        """The problem of this state, whichever it was before."""
        problem = self._problem
        if problem is None or (problem.state.cluster is not None and problem.state.cluster_uuid != state.cluster_uuid):
            problem = self._problem = Problem()
        try:
            problem.follow(state, env.info, copies=env.copies, now_ms=env.now_ms)
        except BaseException:
            self.forget()
            raise
        return problem

    def doubts(self, info: ClusterInfo) -> bool:
        """Whether the next allocation has to look at everything, as far as can be told without the state."""
        problem = self._problem
        return problem is None or problem.doubtful or problem.info is not info

    def forget(self) -> None:
        self._problem = None
