"""Merges an update into a mapping: what may change, and the errors for what may not.

Two ways to merge: an *update* of a living index, where fields keep their type and most parameters; and *templates*,
composed when an index is created, where a later definition of a field replaces the earlier one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from quidditch.mapping.tree import Alias, DynamicTemplate, Leaf, Node, Object, Root, Source
from quidditch.mapping.values import java_str
from quidditch.model.errors import ApiError, illegal_argument


def merge_roots(old: Root, new: Root, templates: bool = False) -> Root:
    return Root(
        object=merge_objects(old.object, new.object, "_doc", "", templates),
        meta=_merge_meta(old.meta, new.meta, templates),
        source=_merge_source(old.source, new.source, templates),
        routing_required=_merge_routing(old.routing_required, new.routing_required, templates),
        data_stream_timestamp=new.data_stream_timestamp or old.data_stream_timestamp,
        field_names_enabled=_newer(old.field_names_enabled, new.field_names_enabled),
        dynamic_date_formats=_newer(old.dynamic_date_formats, new.dynamic_date_formats),
        dynamic_templates=_merge_dynamic_templates(old.dynamic_templates, new.dynamic_templates, templates),
        date_detection=_newer(old.date_detection, new.date_detection),
        numeric_detection=_newer(old.numeric_detection, new.numeric_detection),
    )


def _newer(old: Any, new: Any) -> Any:
    return old if new is None else new


def _merge_meta(
    old: Mapping[str, Any] | None, new: Mapping[str, Any] | None, templates: bool
) -> Mapping[str, Any] | None:
    if old is None or new is None or not templates:
        return _newer(old, new)  # type: ignore[no-any-return]
    return deep_merge(old, new)


def deep_merge(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """`old` with the members of `new`; where both hold an object, merged again."""
    merged = dict(old)
    for key, value in new.items():
        before = merged.get(key)
        merged[key] = deep_merge(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return merged


def _merge_source(old: Source | None, new: Source | None, templates: bool) -> Source | None:
    if new is None or templates:
        return _newer(old, new)  # type: ignore[no-any-return]
    before = old or Source()
    problems = [
        _conflict(name, getattr(before, name), getattr(new, name))
        for name in ("enabled", "includes", "excludes")
        if getattr(before, name) != getattr(new, name)
    ]
    _raise_conflicts("_source", problems)
    return new


def _merge_routing(old: bool | None, new: bool | None, templates: bool) -> bool | None:
    if new is None or templates:
        return _newer(old, new)  # type: ignore[no-any-return]
    if bool(old) != new:
        _raise_conflicts("_routing", [_conflict("required", bool(old), new)])
    return new


def _merge_dynamic_templates(
    old: tuple[DynamicTemplate, ...] | None, new: tuple[DynamicTemplate, ...] | None, templates: bool
) -> tuple[DynamicTemplate, ...] | None:
    if old is None or new is None or not templates:
        return _newer(old, new)  # type: ignore[no-any-return]
    by_name = {template.name: template for template in old}
    by_name.update({template.name: template for template in new})
    return tuple(by_name.values())


def merge_objects(old: Object, new: Object, name: str, path: str, templates: bool = False) -> Object:
    """`name` stands in errors; children's paths are under `path` ("" for the root)."""
    if old.nested and not new.nested:
        raise illegal_argument("cannot change object mapping from nested to non-nested")
    if new.nested and not old.nested:
        raise illegal_argument("cannot change object mapping from non-nested to nested")
    if not templates:
        _check_fixed(old, new, name)
    properties = dict(old.properties)
    for key, node in new.properties.items():
        full = f"{path}.{key}" if path else key
        properties[key] = merge_nodes(properties[key], node, full, templates) if key in properties else node
    return replace(
        old,
        properties=properties,
        dynamic=_newer(old.dynamic, new.dynamic),
        enabled=_newer(old.enabled, new.enabled),
        include_in_parent=_newer(old.include_in_parent, new.include_in_parent),
        include_in_root=_newer(old.include_in_root, new.include_in_root),
    )


def _check_fixed(old: Object, new: Object, name: str) -> None:
    if (old.enabled is not False) != (new.enabled is not False):
        raise ApiError(
            400, "mapper_exception", f"the [enabled] parameter can't be updated for the object mapping [{name}]"
        )
    for flag in ("include_in_parent", "include_in_root"):
        if bool(getattr(old, flag)) != bool(getattr(new, flag)):
            raise ApiError(
                400, "mapper_exception", f"the [{flag}] parameter can't be updated on a nested object mapping"
            )


def merge_nodes(old: Node, new: Node, path: str, templates: bool = False) -> Node:
    if isinstance(old, Object):
        if not isinstance(new, Object):
            raise illegal_argument(f"can't merge a non object mapping [{path}] with an object mapping")
        return merge_objects(old, new, path, path, templates)
    if isinstance(new, Object):
        raise illegal_argument(f"can't merge a non object mapping [{path}] with an object mapping")
    if templates:
        return new
    if isinstance(old, Alias):
        if not isinstance(new, Alias):
            raise illegal_argument(
                f"Cannot merge a field alias mapping [{path}] with a mapping that is not for a field alias."
            )
        return new
    if isinstance(new, Alias):
        raise illegal_argument(f"mapper [{path}] cannot be changed from type [{old.type.name}] to [FieldAliasMapper]")
    return merge_leaves(old, new, path)


def merge_leaves(old: Leaf, new: Leaf, path: str) -> Leaf:
    if old.type.name != new.type.name:
        raise illegal_argument(f"mapper [{path}] cannot be changed from type [{old.type.name}] to [{new.type.name}]")
    _raise_conflicts(path, _param_conflicts(old, new))
    fields = dict(old.fields)
    for name, leaf in new.fields.items():
        fields[name] = merge_leaves(fields[name], leaf, f"{path}.{name}") if name in fields else leaf
    return Leaf(new.type, new.values, fields, new.copy_to)


def _param_conflicts(old: Leaf, new: Leaf) -> list[str]:
    problems = []
    for param in old.type.params:
        before, after = old.get(param.name), new.get(param.name)
        if not param.may_become(before, after):
            problems.append(_conflict(param.name, before, after))
    return problems


def _conflict(name: str, old: Any, new: Any) -> str:
    return f"Cannot update parameter [{name}] from [{java_str(old)}] to [{java_str(new)}]"


def _raise_conflicts(path: str, problems: list[str]) -> None:
    if problems:
        listed = "\n\t".join(problems)
        raise illegal_argument(f"Mapper for [{path}] conflicts with existing mapper:\n\t{listed}")
