"""Pipeline aggregations of an answer: computed over the tree that the kernel finished."""

from __future__ import annotations

import orjson

import quidditch_kernel
from quidditch.coordinator.search_plans import CompiledPlan
from quidditch.model.errors import ApiError
from quidditch.query.aggs.pipeline.compiler import run_pipelines


def with_pipelines(body: bytes, at: int, plan: CompiledPlan) -> bytes:
    """The inside of an answer, whose aggregations begin at `at`, with the results of the plan's pipelines."""
    assert plan.pipelines is not None
    tree = orjson.loads(body[at:])
    try:
        run_pipelines(plan.pipelines, tree, bool(plan.body.get("typed_keys")), quidditch_kernel.format_number)
    except ApiError as error:
        details = {"phase": "fetch", "grouped": True, "failed_shards": [], "caused_by": error.body()}
        raise ApiError(error.status, "search_phase_execution_exception", "", details, root_cause=[]) from None
    return body[:at] + orjson.dumps(tree)
