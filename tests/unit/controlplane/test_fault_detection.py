"""How long silence is borne: what follows from the settings, and what is refused."""

from __future__ import annotations

import pytest
from tests.unit.controlplane.cluster import Cluster

from quidditch.controlplane.core import fault_detection
from quidditch.controlplane.core.commands import PutClusterSettings
from quidditch.controlplane.core.fault_detection import Current, follower_checks, limits
from quidditch.controlplane.core.liveness import Limits
from quidditch.model.errors import ApiError

_FOLLOWER = "cluster.fault_detection.follower_check"
_LEADER = "cluster.fault_detection.leader_check"


def test_the_settings_have_one_set_of_defaults() -> None:
    assert limits({}.get) == Limits()  # type: ignore[call-overload]


def test_everything_follows_from_few_settings() -> None:
    given = {f"{_FOLLOWER}.timeout": "10s", f"{_FOLLOWER}.retry_count": "3", "cluster.follower_lag.timeout": "2m"}
    found = limits(given.get)
    assert (found.probe, found.hangs, found.suspect, found.gone, found.refusals) == (0.4, 7.0, 10.0, 30.0, 3)
    assert found.lag == 120.0
    assert follower_checks(given.get).silent == 12.5


@pytest.mark.parametrize(
    ("update", "reason"),
    [
        (
            {f"{_FOLLOWER}.interval": "99ms"},
            f"failed to parse value [99ms] for setting [{_FOLLOWER}.interval], must be >= [100ms]",
        ),
        (
            {f"{_FOLLOWER}.timeout": "5"},
            f"failed to parse setting [{_FOLLOWER}.timeout] with value [5] as a time value: unit is missing or unrecognized",
        ),
        (
            {f"{_FOLLOWER}.timeout": "1d"},
            f"failed to parse value [1d] for setting [{_FOLLOWER}.timeout], must be <= [150000ms]",
        ),
        (
            {f"{_LEADER}.timeout": "1d"},
            f"failed to parse value [1d] for setting [{_LEADER}.timeout], must be <= [60000ms]",
        ),
        (
            {f"{_LEADER}.retry_count": "0"},
            f"Failed to parse value [0] for setting [{_LEADER}.retry_count] must be >= 1",
        ),
        (
            {f"{_FOLLOWER}.interval": "1s"},
            f"[{_FOLLOWER}.timeout=1000ms] must be at least 4 times [{_FOLLOWER}.interval=1s]",
        ),
        (
            {f"{_LEADER}.timeout": "300ms"},
            f"[{_LEADER}.timeout=300ms] must be at least 2 times [{_LEADER}.interval=200ms]",
        ),
    ],
)
def test_settings_that_cannot_be(update: dict[str, str], reason: str) -> None:
    cluster = Cluster()
    with pytest.raises(ApiError) as caught:
        cluster.run(PutClusterSettings(persistent=update))
    assert (caught.value.status, caught.value.type) == (400, "illegal_argument_exception")
    assert caught.value.reason == reason


def test_what_is_read_follows_the_settings() -> None:
    cluster = Cluster()
    current = Current(fault_detection.leader_checks, lambda: cluster.state.settings)
    assert current().gone == 1.0
    cluster.run(PutClusterSettings(transient={f"{_LEADER}.timeout": "4s"}))
    assert current().gone == 8.0
    cluster.run(PutClusterSettings(transient={f"{_LEADER}.*": None}))
    assert current().gone == 1.0
