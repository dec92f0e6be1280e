"""What a user's QuidditchIndex asks of the control plane, as the commands that the same wish over REST would be. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from quidditch.controlplane.core.commands import CreateIndex, PutMapping, UpdateIndexSettings
from quidditch.mapping.settings import normalize
from quidditch.model.errors import illegal_argument

_COUNTS = {"shards": "index.number_of_shards", "replicas": "index.number_of_replicas"}
Change: TypeAlias = UpdateIndexSettings | PutMapping


def creation(name: str, spec: Mapping[str, Any]) -> CreateIndex:
    """The index that `spec` describes, which is not there yet. Its aliases are then as all others, no part of this object any more.

    Raises ApiError for a count that is given twice and not alike.
    """
    settings, counts = _read(spec)
    return CreateIndex(
        name=name,
        settings={**settings, **counts},
        mappings=dict(spec.get("mappings") or {}),
        aliases=dict(spec.get("aliases") or {}),
    )


def changes(name: str, carried_out: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[Change]:
    """What leads from the spec that is carried out to the one that is `wanted`; both as a QuidditchIndex has them. A setting that is left
    out goes back to its default; a field of a mapping cannot go. Raises ApiError for what makes no sense.
    """
    commands: list[Change] = []
    settings = _settings(carried_out, wanted)
    if settings:
        commands.append(UpdateIndexSettings(indices=(name,), settings=settings))
    mappings = wanted.get("mappings") or {}
    if mappings and mappings != (carried_out.get("mappings") or {}):
        commands.append(PutMapping(indices=(name,), mapping=dict(mappings)))
    return commands


def _settings(carried_out: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    (before, had), (after, counts) = _read(carried_out), _read(wanted)
    changed: dict[str, Any] = {key: value for key, value in after.items() if before.get(key) != value}
    changed |= {key: None for key in before if key not in after}
    return {**changed, **{key: count for key, count in counts.items() if had.get(key) != count}}


def _read(spec: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The settings without counts, and the counts, which may stand among the settings too: then they must agree."""
    settings: dict[str, Any] = dict(normalize(spec.get("settings") or {}))
    counts: dict[str, str] = {}
    for field, setting in _COUNTS.items():
        own, repeated = spec.get(field), settings.pop(setting, None)
        if own is not None and repeated is not None and str(own) != str(repeated):
            raise illegal_argument(f"spec.{field} is [{own}], but spec.settings has [{setting}: {repeated}]")
        if own is not None or repeated is not None:
            counts[setting] = str(repeated if own is None else own)
    return settings, counts
