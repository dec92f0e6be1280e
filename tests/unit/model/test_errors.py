"""Whose fault an error is, told by its type."""

from __future__ import annotations

import pytest

from quidditch.coordinator.search_errors import ShardFailure, phase_failed
from quidditch.model.errors import REQUEST_FAULTS, ApiError
from quidditch.query.errors import ShardError
from quidditch.transport import errors as transport


@pytest.mark.parametrize("type", sorted(REQUEST_FAULTS))
@pytest.mark.parametrize("status", [500, 503])
def test_the_requests_own_fault_is_a_400(type: str, status: int) -> None:
    error = ApiError(status, type, "why")
    assert error.response()["status"] == 400
    assert error.body() == {"type": type, "reason": "why"}
    assert transport.decode(transport.encode(error)).status == 400


def test_of_every_shard_too() -> None:
    failure = ShardFailure("books", 0, "n", ShardError(500, "aggregation_execution_exception", "no such order"))
    assert phase_failed([failure]).status == 400
    lost = ShardFailure("books", 1, "n", ApiError(503, "no_shard_available_action_exception", None))
    assert phase_failed([failure, lost]).status == 503


@pytest.mark.parametrize("type", ["io_exception", "corruption_exception", "exception", "unavailable_shards_exception"])
def test_the_servers_fault_stays_one(type: str) -> None:
    assert ApiError(500, type, "disk full").status == 500


def test_a_status_of_its_own_stays() -> None:
    assert ApiError(404, "illegal_state_exception", "gone").status == 404
