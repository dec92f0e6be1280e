"""The parsed mapping: an immutable tree of objects, fields and aliases, and how it is written back as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from quidditch.mapping.types.base import TypeDef, Values
from quidditch.mapping.types.date import DEFAULT_FORMAT

DEFAULT_DYNAMIC_DATE_FORMATS = (DEFAULT_FORMAT, "yyyy/MM/dd HH:mm:ss||yyyy/MM/dd||epoch_millis")


@dataclass(frozen=True, slots=True)
class Leaf:
    """A field with values. `values` holds canonical parameters that differ from their default or were explicit."""

    type: TypeDef
    values: Values
    fields: Mapping[str, Leaf] = field(default_factory=dict)
    copy_to: tuple[str, ...] = ()

    def get(self, name: str) -> Any:
        """The parameter's value or its default."""
        return self.values[name] if name in self.values else self.type.default(name)

    def to_json(self) -> dict[str, Any]:
        shown: dict[str, Any] = {"type": self.type.name, **self.type.canonical(self.values)}
        if self.fields:
            shown["fields"] = {name: self.fields[name].to_json() for name in sorted(self.fields)}
        if self.copy_to:
            shown["copy_to"] = list(self.copy_to)
        return shown


@dataclass(frozen=True, slots=True)
class Alias:
    """Another name for the field at `path`."""

    path: str

    def to_json(self) -> dict[str, Any]:
        return {"type": "alias", "path": self.path}


@dataclass(frozen=True, slots=True)
class Object:
    """An object, a nested object, or the root.

    `dynamic` and `enabled` are None where the mapping leaves them to the parent or default.
    """

    properties: Mapping[str, Node] = field(default_factory=dict)
    dynamic: str | None = None
    enabled: bool | None = None
    nested: bool = False
    include_in_parent: bool | None = None
    include_in_root: bool | None = None

    def head(self) -> dict[str, Any]:
        """What stands before the properties."""
        shown: dict[str, Any] = {}
        if self.nested:
            shown["type"] = "nested"
            if self.include_in_parent:
                shown["include_in_parent"] = True
            if self.include_in_root:
                shown["include_in_root"] = True
        if self.dynamic is not None:
            shown["dynamic"] = self.dynamic
        if self.enabled is False:
            shown["enabled"] = False
        return shown

    def properties_json(self) -> dict[str, Any]:
        return {name: self.properties[name].to_json() for name in sorted(self.properties)}

    def to_json(self) -> dict[str, Any]:
        shown = self.head()
        if self.properties:
            return {**shown, "properties": self.properties_json()}
        return shown if self.nested else {"type": "object", **shown}


Node = Leaf | Alias | Object


@dataclass(frozen=True, slots=True)
class Source:
    """`_source`: whether the document is kept, and which parts of it."""

    enabled: bool = True
    includes: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        shown: dict[str, Any] = {} if self.enabled else {"enabled": False}
        if self.includes:
            shown["includes"] = list(self.includes)
        if self.excludes:
            shown["excludes"] = list(self.excludes)
        return shown


@dataclass(frozen=True, slots=True)
class DynamicTemplate:
    """One entry of `dynamic_templates`, with the JSON it was written as."""

    name: str
    mapping: Mapping[str, Any]
    match: str | None = None
    unmatch: str | None = None
    path_match: str | None = None
    path_unmatch: str | None = None
    match_mapping_type: str | None = None
    match_pattern: str | None = None

    def to_json(self) -> dict[str, Any]:
        shown: dict[str, Any] = {}
        for key in ("match", "path_match", "unmatch", "path_unmatch"):
            if (pattern := getattr(self, key)) is not None:
                shown[key] = pattern
        if self.match_mapping_type is not None:
            shown["match_mapping_type"] = self.match_mapping_type
        elif self.match is None and self.path_match is None:
            shown["match_mapping_type"] = "*"
        if self.match_pattern is not None:
            shown["match_pattern"] = self.match_pattern
        shown["mapping"] = dict(self.mapping)
        return {self.name: shown}


@dataclass(frozen=True, slots=True)
class Root:
    """A whole mapping. None means: not said, the default holds (and an update leaves it as it was)."""

    object: Object = field(default_factory=Object)
    meta: Mapping[str, Any] | None = None
    source: Source | None = None
    routing_required: bool | None = None
    data_stream_timestamp: str | None = None
    field_names_enabled: bool | None = None
    dynamic_date_formats: tuple[str, ...] | None = None
    dynamic_templates: tuple[DynamicTemplate, ...] | None = None
    date_detection: bool | None = None
    numeric_detection: bool | None = None

    def to_json(self) -> dict[str, Any]:
        shown = self.object.head()
        if self.meta is not None:
            shown["_meta"] = dict(self.meta)
        if self.data_stream_timestamp is not None:
            shown["_data_stream_timestamp"] = {"enabled": True}
        if self.field_names_enabled is not None:
            shown["_field_names"] = {"enabled": self.field_names_enabled}
        if self.routing_required:
            shown["_routing"] = {"required": True}
        if self.source is not None and self.source != Source():
            shown["_source"] = self.source.to_json()
        if self.dynamic_date_formats is not None:
            shown["dynamic_date_formats"] = list(self.dynamic_date_formats)
        if self.dynamic_templates is not None:
            shown["dynamic_templates"] = [template.to_json() for template in self.dynamic_templates]
        if self.date_detection is not None:
            shown["date_detection"] = self.date_detection
        if self.numeric_detection is not None:
            shown["numeric_detection"] = self.numeric_detection
        if self.object.properties:
            shown["properties"] = self.object.properties_json()
        return shown
