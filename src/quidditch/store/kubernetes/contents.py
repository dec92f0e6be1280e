"""Which versions of a resource hold the same object.

The status of a resource, its labels and annotations are no part of the object: others write them, and each of their writes gives it
another version. Whoever compares versions must not fail by that, nor be told of it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import msgspec

_KEPT = 8
"""Versions of one resource that are remembered: so often its status may change between a look at it and a write."""


class Content(msgspec.Struct, frozen=True):
    """What tells the objects of a resource apart: the API server raises the generation with every change of the spec."""

    uid: str
    generation: int
    finalizers: tuple[str, ...]
    deletion_timestamp: str


def content(tree: Mapping[str, Any]) -> Content:
    meta = tree["metadata"]
    return Content(
        meta.get("uid", ""),
        meta.get("generation", 0),
        tuple(meta.get("finalizers") or ()),
        meta.get("deletionTimestamp") or "",
    )


class Contents:
    """What resources held at the versions of them that were handed out last."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], OrderedDict[str, Content]] = {}

    def note(self, tree: Mapping[str, Any]) -> None:
        meta = tree["metadata"]
        versions = self._known.setdefault((tree["kind"], meta["name"]), OrderedDict())
        versions[meta["resourceVersion"]] = content(tree)
        while len(versions) > _KEPT:
            versions.popitem(last=False)

    def forget(self, kind: str, name: str) -> None:
        """The resource is gone."""
        self._known.pop((kind, name), None)

    def same(self, version: str, tree: Mapping[str, Any]) -> bool:
        """Whether the resource holds what it held at that version, as far as that is remembered."""
        versions = self._known.get((tree["kind"], tree["metadata"]["name"]))
        return versions is not None and versions.get(version) == content(tree)
