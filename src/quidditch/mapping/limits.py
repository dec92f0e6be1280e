"""Checks over a whole mapping: limits of an index, alias targets, copy_to targets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from quidditch.mapping.fields import METADATA_FIELDS
from quidditch.mapping.tree import Alias, Leaf, Object
from quidditch.model.errors import illegal_argument, mapper_parsing

if TYPE_CHECKING:
    from quidditch.mapping.root import RootMapping


@dataclass(frozen=True, slots=True)
class Limits:
    """`index.mapping.*.limit`. None is unlimited."""

    total_fields: int = 1000
    depth: int = 20
    nested_fields: int = 50
    field_name_length: int | None = None


def check_limits(mapping: RootMapping, limits: Limits) -> None:
    objects = mapping.objects
    if limits.field_name_length is not None:
        for path in mapping.paths():
            if len(path.rpartition(".")[2]) > limits.field_name_length:
                name = path.rpartition(".")[2]
                raise illegal_argument(
                    f"Field name [{name}] is longer than the limit of [{limits.field_name_length}] characters"
                )
    if mapping.field_count() > limits.total_fields:
        raise illegal_argument(f"Limit of total fields [{limits.total_fields}] has been exceeded")
    if len(mapping.nested_paths) > limits.nested_fields:
        raise illegal_argument(f"Limit of nested fields [{limits.nested_fields}] has been exceeded")
    for path in objects:
        if path.count(".") + 2 > limits.depth:
            raise illegal_argument(
                f"Limit of mapping depth [{limits.depth}] has been exceeded due to object field [{path}]"
            )


def check_references(mapping: RootMapping) -> None:
    leaves = mapping.leaves
    aliases = mapping.aliases
    objects = mapping.objects
    for path, alias in aliases.items():
        _check_alias(path, alias, mapping)
    for path, leaf in leaves.items():
        for target in leaf.copy_to:
            _check_copy(path, target, leaves, objects, mapping)


def _check_alias(path: str, alias: Alias, mapping: RootMapping) -> None:
    head = f"Invalid [path] value [{alias.path}] for field alias [{path}]: an alias "
    if alias.path == path:
        raise mapper_parsing(head + "cannot refer to itself.")
    if alias.path in mapping.aliases:
        raise mapper_parsing(head + "cannot refer to another alias.")
    if alias.path not in mapping.leaves:
        raise mapper_parsing(head + "must refer to an existing field in the mappings.")
    own, target = mapping.nested_scope(path), mapping.nested_scope(alias.path)
    if own != target:
        text = "must have the same nested scope as its target. "
        text += "The alias is not nested" if own is None else f"The alias's nested scope is [{own}]"
        text += ", but "
        text += "the target is not nested." if target is None else f"the target's nested scope is [{target}]."
        raise illegal_argument(head + text)


def check_names(mapping: RootMapping) -> None:
    """No field may have the name of a metadata field."""
    for name in METADATA_FIELDS:
        if name in mapping.leaves or name in mapping.aliases or name in mapping.objects:
            raise mapper_parsing(f"Field [{name}] is defined more than once")


def _check_copy(
    path: str, target: str, leaves: Mapping[str, Leaf], objects: Mapping[str, Object], mapping: RootMapping
) -> None:
    if path.rpartition(".")[0] in leaves:
        raise illegal_argument(f"[copy_to] may not be used to copy from a multi-field: [{path}]")
    if target.rpartition(".")[0] in leaves:
        raise illegal_argument(f"[copy_to] may not be used to copy to a multi-field: [{target}]")
    if target in objects:
        raise illegal_argument(f"Cannot copy to field [{target}] since it is mapped as an object")
    source_scope, target_scope = mapping.nested_scope(path), mapping.nested_scope(target)
    inside = target_scope is None or (source_scope is not None and f"{source_scope}.".startswith(f"{target_scope}."))
    if not inside:
        raise illegal_argument(
            "Illegal combination of [copy_to] and [nested] mappings: [copy_to] may only copy data to the current "
            "nested document or any of its parents, however one [copy_to] directive is trying to copy data from "
            f"nested object [{source_scope or 'null'}] to [{target_scope}]"
        )
