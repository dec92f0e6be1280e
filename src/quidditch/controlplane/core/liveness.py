"""Which nodes live: decided from when they were last heard, and from what they said."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

import msgspec

Health: TypeAlias = Literal["HEALTHY", "DEGRADED", "UNHEALTHY"]


class Limits(msgspec.Struct, frozen=True):
    """Seconds. A node silent for `suspect` is unhealthy, for `gone` it has left; a state that is `lag` old on it is a fault."""

    suspect: float = 1.0
    gone: float = 2.0
    lag: float = 90.0


class Sign(msgspec.Struct):
    """The last signs of life of one node: when it was heard, what it has applied and since when it is behind, its disk."""

    ephemeral: str
    heard: float
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
        silent = now - sign.heard
        if silent > limits.gone:
            found.append((node, f"followers check: nothing heard for {silent:.1f} s"))
        elif sign.behind_since is not None and now - sign.behind_since > limits.lag:
            found.append((node, f"lagging: at version {sign.version} for {now - sign.behind_since:.0f} s"))
    return found


def health(sign: Sign, now: float, limits: Limits, watermark: float = 0.85) -> tuple[Health, str]:
    """How a node is, with the reason in one phrase."""
    silent = now - sign.heard
    if silent > limits.suspect:
        return "UNHEALTHY", f"silent for {silent:.1f} s"
    if sign.behind_since is not None and now - sign.behind_since > limits.suspect:
        return "DEGRADED", "behind with the cluster state"
    if sign.disk_used_ratio > watermark:
        return "DEGRADED", f"disk used {sign.disk_used_ratio:.0%}"
    return "HEALTHY", ""
