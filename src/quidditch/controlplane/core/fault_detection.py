"""Cluster settings that say how long silence is borne: OpenSearch's `cluster.fault_detection.*`. Every other limit of silence in a
cluster is derived from them here, so that no two of them contradict each other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec

from quidditch.controlplane.core.cluster_setting_catalog import DYNAMIC
from quidditch.controlplane.core.liveness import Limits
from quidditch.model.errors import illegal_argument
from quidditch.model.objects import Settings

FOLLOWER = "cluster.fault_detection.follower_check"
LEADER = "cluster.fault_detection.leader_check"
_LAG = "cluster.follower_lag.timeout"
_INTERVALS = {FOLLOWER: 4, LEADER: 2}
"""How many intervals a timeout has at least: a check that is late once is no sign of anything."""
_HANGS = 0.7
_SILENT = 1.25
T = TypeVar("T")
Get = Callable[[str], Any]


class Checks(msgspec.Struct, frozen=True):
    """Seconds. The other side is heard every `interval`; silent for `timeout` it is not well, `retries` times as long it is gone."""

    interval: float
    timeout: float
    retries: int

    @property
    def gone(self) -> float:
        return self.timeout * self.retries

    @property
    def ask(self) -> float:
        """Silence after which the other side is asked whether it is there."""
        return 2 * self.interval

    @property
    def ping(self) -> float:
        """How often a connection without traffic is pinged."""
        return self.timeout / 2

    @property
    def silent(self) -> float:
        """A node of which nothing is heard for so long, though it is pinged, is not waited for where there are others."""
        return _SILENT * self.timeout


def follower_checks(get: Get) -> Checks:
    return _checks(get, FOLLOWER)


def leader_checks(get: Get) -> Checks:
    return _checks(get, LEADER)


def limits(get: Get) -> Limits:
    """When the leader takes a node for what."""
    checks = follower_checks(get)
    return Limits(
        probe=checks.ask,
        refusals=checks.retries,
        hangs=_HANGS * checks.timeout,
        suspect=checks.timeout,
        gone=checks.gone,
        lag=_value(get, _LAG) / 1000,
    )


def check(get: Get) -> None:
    """Raises illegal_argument_exception for settings that contradict each other."""
    for family, intervals in _INTERVALS.items():
        checks = _checks(get, family)
        if checks.timeout < intervals * checks.interval:
            timeout, interval = (f"{family}.{name}" for name in ("timeout", "interval"))
            raise illegal_argument(
                f"[{timeout}={_text(get, timeout)}] must be at least {intervals} times [{interval}={_text(get, interval)}]"
            )


class Current(Generic[T]):
    """What cluster settings say now; they are read only when they have changed."""

    def __init__(self, read: Callable[[Get], T], settings: Callable[[], Settings]) -> None:
        self._read = read
        self._settings = settings
        self._known = settings()
        self._value = read(self._known.get)

    def __call__(self) -> T:
        settings = self._settings()
        if settings is not self._known:
            self._known, self._value = settings, self._read(settings.get)
        return self._value


def _checks(get: Get, family: str) -> Checks:
    interval, timeout = (_value(get, f"{family}.{name}") / 1000 for name in ("interval", "timeout"))
    return Checks(interval, timeout, int(_value(get, f"{family}.retry_count")))


def _value(get: Get, key: str) -> Any:
    return DYNAMIC[key][0](key, _text(get, key))


def _text(get: Get, key: str) -> str:
    return str(get(key) or DYNAMIC[key][1])
