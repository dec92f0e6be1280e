"""Which nodes live: decided from when they were last heard, and from what they said."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

import msgspec

Health: TypeAlias = Literal["HEALTHY", "DEGRADED", "UNHEALTHY"]


class Limits(msgspec.Struct, frozen=True):
    """Seconds. A node silent for `probe` is asked whether it is there: one that refuses `refusals` times has left at once. One
    silent for `suspect` is unhealthy, for `gone` it has left; a state that is `lag` old on it is a fault.
    """

    probe: float = 0.5
    refusals: int = 2
    suspect: float = 1.0
    gone: float = 2.0
    lag: float = 90.0


class Sign(msgspec.Struct):
    """The last signs of life of one node: when it was heard, what it has applied and since when it is behind, its disk.

    `refused`: how often in a row its address has refused a connection. Before `until` it is not given up for its silence.
    """

    ephemeral: str
    heard: float
    until: float = 0.0
    refused: int = 0
    version: int = 0
    behind_since: float | None = None
    disk_total: int = 0
    disk_free: int = 0

    @property
    def disk_used_ratio(self) -> float:
        return 1 - self.disk_free / self.disk_total if self.disk_total else 0.0


def gone(signs: Iterable[tuple[str, Sign]], now: float, limits: Limits) -> list[tuple[str, str]]:
    """The nodes that have left, each with the reason."""
    found = []
    for node, sign in signs:
        quiet = now - sign.heard
        if sign.refused >= limits.refusals:
            found.append((node, "disconnected"))
        elif quiet > limits.gone and now > sign.until:
            found.append((node, f"followers check: nothing heard for {quiet:.1f} s"))
        elif sign.behind_since is not None and now - sign.behind_since > limits.lag:
            found.append((node, f"lagging: at version {sign.version} for {now - sign.behind_since:.0f} s"))
    return found


def silent(signs: Iterable[tuple[str, Sign]], now: float, limits: Limits) -> list[str]:
    """The nodes that have to be asked whether they are there."""
    return [node for node, sign in signs if now - sign.heard > limits.probe]


def health(sign: Sign, now: float, limits: Limits, watermark: float = 0.85) -> tuple[Health, str]:
    """How a node is, with the reason in one phrase."""
    quiet = now - sign.heard
    if quiet > limits.suspect:
        return "UNHEALTHY", f"silent for {quiet:.1f} s"
    if sign.behind_since is not None and now - sign.behind_since > limits.suspect:
        return "DEGRADED", "behind with the cluster state"
    if sign.disk_used_ratio > watermark:
        return "DEGRADED", f"disk used {sign.disk_used_ratio:.0%}"
    return "HEALTHY", ""
