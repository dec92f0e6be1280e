"""Cluster settings: persistent and transient, known keys only, values checked."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from msgspec.structs import replace

from quidditch.controlplane.core import fault_detection
from quidditch.controlplane.core.allocation.rules import cluster_rules
from quidditch.controlplane.core.allocation.solve import allocate
from quidditch.controlplane.core.cluster_setting_catalog import STATIC, parser
from quidditch.controlplane.core.commands import PutClusterSettings, SettingsChanged
from quidditch.controlplane.core.draft import Draft
from quidditch.mapping.settings import flatten
from quidditch.model import wildcard
from quidditch.model.errors import ApiError, illegal_argument, validation
from quidditch.model.objects import Settings, SettingsSpec

_ANY_DISK = 1 << 40
"""Shares of any disk compare alike."""


def put_cluster_settings(draft: Draft, command: PutClusterSettings) -> SettingsChanged:
    persistent, transient = flatten(command.persistent), flatten(command.transient)
    if not persistent and not transient:
        raise validation("no settings to update")
    known = draft.state.settings
    _check("transient", transient)
    _check("persistent", persistent)
    new = SettingsSpec(
        persistent=_merged(known.spec.persistent, persistent), transient=_merged(known.spec.transient, transient)
    )
    settings = replace(known, spec=new)
    _check_watermarks(settings)
    fault_detection.check(settings.get)
    draft.put(settings)
    allocate(draft)
    return SettingsChanged(_set(persistent), _set(transient))


def _check_watermarks(settings: Settings) -> None:
    """All are shares, or all are sizes; none is passed after the one that follows it."""
    rules = cluster_rules(settings)
    marks = (("low", rules.low), ("high", rules.high), ("flood_stage", rules.flood))
    if len({mark.free is None for _, mark in marks}) > 1:
        low, high, flood = (f"[cluster.routing.allocation.disk.watermark.{name}={mark.text}]" for name, mark in marks)
        raise illegal_argument(f"unable to consistently parse {low}, {high}, and {flood} as percentage or bytes")
    for (name, one), (next_name, other) in pairwise(marks):
        if one.least_free(_ANY_DISK) < other.least_free(_ANY_DISK):
            relation = "more" if one.free is None else "less"
            first, second = (each.replace("_", " ") + " disk watermark" for each in (name, next_name))
            raise illegal_argument(f"{first} [{one.text}] {relation} than {second} [{other.text}]")


def _set(update: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in update.items() if value is not None}


def _merged(old: Mapping[str, Any], update: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(old)
    for key, value in update.items():
        if value is None:
            for found in [name for name in merged if wildcard.matches(key, name)]:
                del merged[found]
        else:
            merged[key] = value
    return dict(sorted(merged.items()))


def _check(kind: str, update: Mapping[str, Any]) -> None:
    for key, value in update.items():
        if "*" in key and value is None:
            continue
        parse = parser(key)
        if parse is None:
            static = key in STATIC or key.startswith(("node.attr.", "path.", "node."))
            problem = "not dynamically updateable" if static else "not recognized"
            raise ApiError(400, "settings_exception", f"{kind} setting [{key}], {problem}")
        if value is not None:
            parse(key, value)
