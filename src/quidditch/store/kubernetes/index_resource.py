"""An index as a QuidditchIndex and back.

What users write (`shards`, `replicas`, `settings`, `mappings`; `aliases` of a new one) stands in the spec beside `control`, which is what
the control plane carries out, complete. An object without `control` is a wish: not adopted yet. Of an adopted one, what a user's fields say
beyond `control` is the index's :class:`~quidditch.model.objects.Asked`.

A user's own words stay as long as they mean what is carried out, or what is still to be carried out or was refused; so `kubectl diff` of
the applied manifest shows nothing. A change over REST writes the fields anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from quidditch.mapping import parse
from quidditch.mapping.settings import normalize, parse_context
from quidditch.model.errors import ApiError, illegal_argument
from quidditch.model.objects import Asked, IndexSpec

Tree = dict[str, Any]
_COUNTS = {"shards": "index.number_of_shards", "replicas": "index.number_of_replicas"}
_HIDDEN = (*_COUNTS.values(), "index.uuid", "index.creation_date", "index.provided_name", "index.replication.type")
_OF_SETTINGS = (*_COUNTS, "settings")
_FIELDS = (*_OF_SETTINGS, "mappings")


def carried_out(spec: IndexSpec) -> Tree:
    """The user's fields as they would be if the user had written what is carried out. The mapping is not among them: it is big, stands in
    `control` anyway, and a user who gives none asks for none.
    """
    fields: Tree = {field: int(spec.settings.get(setting, "1")) for field, setting in _COUNTS.items()}
    settings = {
        key.removeprefix("index."): value
        for key, value in spec.settings.items()
        if key not in _HIDDEN and not key.startswith("index.version.")
    }
    if settings:
        fields["settings"] = settings
    return fields


def meaning(fields: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The settings that a user's fields ask for, without counts; and the counts, which may stand among the settings too.

    Raises ApiError for settings that are none, and for a count that is given twice and not alike.
    """
    settings: dict[str, Any] = dict(normalize(fields.get("settings") or {}))
    counts: dict[str, str] = {}
    for field, setting in _COUNTS.items():
        own, repeated = fields.get(field), settings.pop(setting, None)
        if own is not None and repeated is not None and str(own) != str(repeated):
            raise illegal_argument(f"spec.{field} is [{own}], but spec.settings has [{setting}: {repeated}]")
        if own is not None or repeated is not None:
            counts[setting] = str(repeated if own is None else own)
    return settings, counts


def spec_tree(spec: IndexSpec) -> Tree:
    """`spec` of the QuidditchIndex."""
    return {**_fields(spec), "control": msgspec.to_builtins(replace(spec, asked=None))}


def read_spec(tree: Mapping[str, Any]) -> IndexSpec:
    """What :func:`spec_tree` made, and what was done to the user's fields since. Raises msgspec.ValidationError."""
    return with_words(msgspec.convert(tree["control"], IndexSpec), tree)


def with_words(spec: IndexSpec, tree: Mapping[str, Any]) -> IndexSpec:
    """`spec` beside the user's fields of `tree`, whose words stay where they mean the same or are still to be carried out."""
    shown = {field: tree[field] for field in _FIELDS if tree.get(field) is not None}
    if shown == carried_out(spec):
        return spec
    return replace(spec, asked=Asked(spec.settings_version, spec.mapping_version, shown))


def pending(spec: IndexSpec) -> Tree | None:
    """The user's fields where they mean something else than what is carried out; None where nothing is to be done."""
    if spec.asked is None:
        return None
    fields = _fields(spec)
    return None if _same_settings(spec, fields) and _same_mappings(spec, fields) else fields


def _fields(spec: IndexSpec) -> Tree:
    """The user's fields as they are written now."""
    fields = carried_out(spec)
    asked = spec.asked
    if asked is None:
        return fields
    words: tuple[str, ...] = ()
    if asked.settings_version == spec.settings_version or _same_settings(spec, asked.fields):
        words += _OF_SETTINGS
    if asked.mapping_version == spec.mapping_version or _same_mappings(spec, asked.fields):
        words += ("mappings",)
    kept = {field: value for field, value in fields.items() if field not in words}
    return {**kept, **{field: asked.fields[field] for field in words if field in asked.fields}}


def _same_settings(spec: IndexSpec, fields: Mapping[str, Any]) -> bool:
    """Whether the words mean the settings that are carried out. A count that is not given is not asked for."""
    own, had = meaning(carried_out(spec))
    try:
        settings, counts = meaning(fields)
    except ApiError:
        return False
    return settings == own and {**had, **counts} == had


def _same_mappings(spec: IndexSpec, fields: Mapping[str, Any]) -> bool:
    """Whether the words ask for nothing that the mapping lacks: documents may have added to it."""
    given = fields.get("mappings")
    if not given or given == spec.mappings:
        return True
    if spec.mapping_digest or not isinstance(given, Mapping):
        return False
    try:
        canonical = parse(given, parse_context(spec.settings)).to_json()
    except ApiError:
        return False
    return _within(canonical, spec.mappings)


def _within(part: Any, whole: Any) -> bool:
    if isinstance(part, Mapping):
        return isinstance(whole, Mapping) and all(key in whole and _within(part[key], whole[key]) for key in part)
    return bool(part == whole)
