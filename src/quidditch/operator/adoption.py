"""What a user's QuidditchIndex asks of the control plane, as the commands that the same wish over REST would be. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from quidditch.controlplane.core.commands import CreateIndex, PutMapping, UpdateIndexSettings
from quidditch.store.kubernetes.index_resource import meaning

Change: TypeAlias = UpdateIndexSettings | PutMapping


def creation(name: str, spec: Mapping[str, Any]) -> CreateIndex:
    """The index that `spec` describes, which is not there yet. Its aliases are then as all others, no part of this object any more.

    Raises ApiError for a count that is given twice and not alike.
    """
    settings, counts = meaning(spec)
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
    (before, had), (after, counts) = meaning(carried_out), meaning(wanted)
    changed: dict[str, Any] = {key: value for key, value in after.items() if before.get(key) != value}
    changed |= {key: None for key in before if key not in after}
    return {**changed, **{key: count for key, count in counts.items() if had.get(key) != count}}
