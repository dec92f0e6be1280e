"""Which templates a new index gets: the composable one of highest priority with its components, otherwise all legacy ones by order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from quidditch.mapping import settings
from quidditch.model import wildcard
from quidditch.model.errors import ApiError
from quidditch.model.objects import Template
from quidditch.model.state import ClusterState


class Resolved(msgspec.Struct, frozen=True):
    """`settings` flat; `mappings` weakest first; `aliases` by name; `template`: the composable template used."""

    settings: dict[str, Any] = {}
    mappings: Sequence[Mapping[str, Any]] = ()
    aliases: dict[str, Mapping[str, Any]] = {}
    template: Template | None = None


def resolve(state: ClusterState, name: str, *, hidden: bool = False) -> Resolved:
    """What templates say of an index of this name."""
    composable = matching_composable(state, name, hidden=hidden)
    if composable is not None:
        return compose(state, composable)
    return _merge_legacy(matching_legacy(state, name, hidden=hidden))


def matching_composable(state: ClusterState, name: str, *, hidden: bool = False) -> Template | None:
    """The composable template of highest priority that matches; of equals the first by name."""
    found = [t for t in state.templates_of("index").values() if _matches(t, name, hidden)]
    return min(found, key=lambda t: (-priority(t.spec.body), t.spec.name), default=None)


def matching_legacy(state: ClusterState, name: str, *, hidden: bool = False) -> list[Template]:
    """Legacy templates that match, lowest order first."""
    found = [t for t in state.templates_of("legacy").values() if _matches(t, name, False)]
    if not hidden:
        hidden = _merge_legacy(_by_order(found)).settings.get("index.hidden") == "true"
    return _by_order([t for t in found if _matches(t, name, hidden)])


def _by_order(templates: list[Template]) -> list[Template]:
    return sorted(templates, key=lambda t: (int(t.spec.body.get("order", 0)), t.spec.name))


def priority(body: Mapping[str, Any]) -> int:
    return int(body.get("priority") or 0)


def _matches(template: Template, name: str, hidden: bool) -> bool:
    patterns = template.spec.body.get("index_patterns", [])
    if hidden and "*" in patterns:
        return False
    return wildcard.matches_any(patterns, name)


def compose(state: ClusterState, template: Template) -> Resolved:
    """A composable template with its components, these in order, the template's own parts last."""
    return compose_body(state, template.spec.body, template)


def compose_body(state: ClusterState, body: Mapping[str, Any], template: Template | None = None) -> Resolved:
    parts: list[Mapping[str, Any]] = []
    for name in body.get("composed_of") or ():
        component = state.template("component", name)
        if component is not None:
            parts.append(component.spec.body.get("template") or {})
    parts.append(body.get("template") or {})
    return _merge(parts, template)


def _merge_legacy(templates: Sequence[Template]) -> Resolved:
    return _merge([template.spec.body for template in templates], None)


def _merge(parts: Sequence[Mapping[str, Any]], template: Template | None) -> Resolved:
    flat: dict[str, Any] = {}
    mappings: list[Mapping[str, Any]] = []
    aliases: dict[str, Mapping[str, Any]] = {}
    for part in parts:
        flat.update(settings.normalize(part.get("settings") or {}))
        if part.get("mappings"):
            mappings.append(part["mappings"])
        aliases.update(part.get("aliases") or {})
    return Resolved(flat, mappings, aliases, template)


def refuse_data_stream(resolved: Resolved, name: str) -> None:
    """An index cannot have the name of a data stream to be."""
    template = resolved.template
    if template is not None and template.spec.body.get("data_stream") is not None:
        raise ApiError(
            400,
            "illegal_argument_exception",
            f"cannot create index with name [{name}], because it matches with template [{template.spec.name}] that creates"
            " data streams only, use create data stream api instead",
        )
