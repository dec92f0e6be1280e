"""Which node holds which copy: `solve(problem) -> plan`, decided by small deciders that each can explain themselves."""

from quidditch.controlplane.core.allocation.deciders import Verdict, explain, judge
from quidditch.controlplane.core.allocation.problem import Problem, ShardCopy
from quidditch.controlplane.core.allocation.solve import Assignment, Plan, allocate, solve

__all__ = ["Assignment", "Plan", "Problem", "ShardCopy", "Verdict", "allocate", "explain", "judge", "solve"]
