"""Which nodes live: decided from when they were last heard, and from what they said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from quidditch.controlplane.core.allocation.rules import Stage
from quidditch.model.objects import Node, NodeStatus

_WELL = NodeStatus()


class Limits(msgspec.Struct, frozen=True):
    """Seconds. A node silent for `probe` is asked whether it is there: one that refuses `refusals` times has left at once. One silent
    for `hangs` leads no shard any more that another copy can lead, for `suspect` it is unhealthy, for `gone` it has left. One that is
    behind with the state for `slow` is degraded, for `lag` it has left. What was wrong must be over for `well`.
    """

    probe: float = 0.4
    refusals: int = 2
    hangs: float = 0.7
    suspect: float = 1.0
    gone: float = 2.0
    slow: float = 5.0
    well: float = 5.0
    lag: float = 90.0


class Sign(msgspec.Struct):
    """The last signs of life of one node: when it was heard, what it has applied, and since when it is behind or well.

    `refused`: how often in a row its address has refused a connection. Before `until` it is not given up for its silence. `hung`: it
    was found to hang, and has not been heard since.
    """

    ephemeral: str
    heard: float
    until: float = 0.0
    refused: int = 0
    hung: bool = False
    version: int = 0
    behind_since: float | None = None
    well_since: float | None = None


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


def hanging(signs: Iterable[tuple[str, Sign]], now: float, limits: Limits) -> list[str]:
    """The nodes that hang since a moment; each is told once, until it is heard again."""
    found = []
    for node, sign in signs:
        hung, sign.hung = sign.hung, now - sign.heard > limits.hangs and now > sign.until
        if sign.hung and not hung:
            found.append(node)
    return found


def silent(signs: Iterable[tuple[str, Sign]], now: float, limits: Limits) -> list[str]:
    """The nodes that have to be asked whether they are there."""
    return [node for node, sign in signs if now - sign.heard > limits.probe]


def health(sign: Sign, disk: Stage, now: float, limits: Limits) -> NodeStatus:
    """How a node is, with the reason in one phrase."""
    if now - sign.heard > limits.suspect:
        return NodeStatus("UNHEALTHY", f"not heard for more than {limits.suspect:g} s")
    if sign.behind_since is not None and now - sign.behind_since > limits.slow:
        return NodeStatus("DEGRADED", f"behind with the cluster state for more than {limits.slow:g} s")
    if disk in ("high", "flood"):
        return NodeStatus("DEGRADED", f"disk above the {'flood stage' if disk == 'flood' else 'high'} watermark")
    return _WELL


def health_changes(
    signs: Iterable[tuple[str, Sign]],
    disks: Mapping[str, Stage],
    nodes: Mapping[str, Node],
    now: float,
    limits: Limits,
) -> dict[str, NodeStatus]:
    """What is to be noted of nodes. Who was not well is well again only after a while, so that nothing wavers."""
    changed: dict[str, NodeStatus] = {}
    for id, sign in signs:
        found = health(sign, disks.get(id, "ok"), now, limits)
        well = found == _WELL
        sign.well_since = (now if sign.well_since is None else sign.well_since) if well else None
        known = nodes.get(id)
        if known is None or known.status == found:
            continue
        if sign.well_since is None or now - sign.well_since >= limits.well:
            changed[id] = found
    return changed
