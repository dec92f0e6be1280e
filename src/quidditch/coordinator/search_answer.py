"""What stands around the kernel's answer: how long it took, flags, counts of shards."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import orjson

from quidditch.coordinator.search_pipelines import with_pipelines
from quidditch.coordinator.search_prepared import Prepared
from quidditch.transport.searches import Answered


def took_ms(started: float) -> int:
    return int((time.perf_counter() - started) * 1000)


def answer(outcome: Answered, prepared: Prepared, started: float, head: Mapping[str, Any] | None = None) -> bytes:
    """Took, flags and `_shards` before what the kernel wrote."""
    took = took_ms(started)
    body = outcome.body
    if prepared.plan is not None and prepared.plan.pipelines is not None and outcome.aggregations_at is not None:
        body = with_pipelines(body, outcome.aggregations_at, prepared.plan)
    if (
        head is None
        and not prepared.failures
        and not prepared.skipped
        and prepared.reduce_phases == 1
        and not outcome.timed_out
        and outcome.terminated_early is None
    ):
        total = prepared.total
        start = f'{{"took":{took},"timed_out":false,"_shards":{{"total":{total},"successful":{total},"skipped":0,"failed":0}},'
        return b"".join((start.encode(), body, b"}"))
    members: dict[str, Any] = {**(head or {}), "took": took, "timed_out": outcome.timed_out}
    if outcome.terminated_early is not None:
        members["terminated_early"] = outcome.terminated_early
    phases = prepared.reduce_phases
    if phases != 1:
        members["num_reduce_phases"] = phases
    members["_shards"] = prepared.sections
    return b"".join((orjson.dumps(members)[:-1], b",", body, b"}"))
