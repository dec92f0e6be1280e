"""Versions of listings and events. Each kind of resource is watched by itself, so one is a version of each.

A listing is of one version for all kinds (a number); behind an event the kinds have got on differently far
(`quidditchrecords:12,quidditchindices:15,...`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from quidditch.lib.kube.resource import ResourceType
from quidditch.store import api


def parse(version: str, kinds: Sequence[ResourceType]) -> dict[ResourceType, str]:
    """Raises :class:`Expired` for a version that this store did not give."""
    if version.isdigit():
        return dict.fromkeys(kinds, version)
    given = dict(part.partition(":")[::2] for part in version.split(","))
    if given.keys() != {kind.plural for kind in kinds} or not all(number.isdigit() for number in given.values()):
        raise api.Expired(f"[{version}] is no version of this store: list again")
    return {kind: given[kind.plural] for kind in kinds}


def text(versions: Mapping[ResourceType, str]) -> str:
    if len(set(versions.values())) == 1:
        return next(iter(versions.values()))
    return ",".join(f"{kind.plural}:{number}" for kind, number in versions.items())
