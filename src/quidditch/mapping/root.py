"""`RootMapping`: a parsed mapping with its lookup tables; what the rest of the program uses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import orjson

from quidditch.mapping.context import UNCHECKED, ParseContext
from quidditch.mapping.fields import FieldType, field_type, metadata_field
from quidditch.mapping.limits import Limits, check_limits, check_names, check_references
from quidditch.mapping.merge import merge_roots
from quidditch.mapping.parse import parse_root, wrap_create_error
from quidditch.mapping.tree import DEFAULT_DYNAMIC_DATE_FORMATS, Alias, Leaf, Object, Root
from quidditch.model.errors import ApiError
from quidditch.model.wildcard import matches


class RootMapping:
    """Immutable. Paths are full names with dots."""

    def __init__(self, root: Root) -> None:
        self.root = root
        self.leaves: dict[str, Leaf] = {}
        self.aliases: dict[str, Alias] = {}
        self.objects: dict[str, Object] = {}
        self._parents: dict[str, str] = {}
        self._walk("", root.object)

    def _walk(self, prefix: str, node: Object) -> None:
        for name, child in node.properties.items():
            path = f"{prefix}{name}"
            if isinstance(child, Object):
                self.objects[path] = child
                self._walk(f"{path}.", child)
            elif isinstance(child, Alias):
                self.aliases[path] = child
            else:
                self._add_leaf(path, child)

    def _add_leaf(self, path: str, leaf: Leaf) -> None:
        self.leaves[path] = leaf
        for name, sub in leaf.fields.items():
            self._parents[f"{path}.{name}"] = path
            self._add_leaf(f"{path}.{name}", sub)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RootMapping) and self.root == other.root

    __hash__ = None  # type: ignore[assignment]

    # --- lookups ------------------------------------------------------------------------------------------------

    @cached_property
    def _fields(self) -> dict[str, FieldType]:
        return {
            path: field_type(path, leaf, self.nested_scope(path), self._parents.get(path))
            for path, leaf in self.leaves.items()
        }

    def field(self, path: str) -> FieldType | None:
        """The field at `path`, following an alias; metadata fields such as `_id` too. None if there is none."""
        found = self._fields.get(path)
        if found is not None:
            return found
        alias = self.aliases.get(path)
        return self._fields.get(alias.path) if alias is not None else metadata_field(path)

    def object(self, path: str) -> Object | None:
        return self.objects.get(path)

    def matching(self, pattern: str) -> dict[str, FieldType]:
        """Fields whose name, or whose alias, matches `pattern` (`*` is a wildcard), by that name.

        Without metadata fields unless named.
        """
        if "*" not in pattern:
            found = self.field(pattern)
            return {} if found is None else {pattern: found}
        names = [path for path in (*self.leaves, *self.aliases) if matches(pattern, path)]
        return {name: found for name in sorted(names) if (found := self.field(name)) is not None}

    @cached_property
    def nested_paths(self) -> tuple[str, ...]:
        return tuple(sorted(path for path, node in self.objects.items() if node.nested))

    def nested_scope(self, path: str) -> str | None:
        """The closest nested object above `path`."""
        while path:
            path = path.rpartition(".")[0]
            node = self.objects.get(path)
            if node is not None and node.nested:
                return path
        return None

    def paths(self) -> Iterator[str]:
        yield from self.leaves
        yield from self.aliases
        yield from self.objects

    def field_count(self) -> int:
        """Fields, multi-fields, aliases and objects, as `index.mapping.total_fields.limit` counts them."""
        return len(self.leaves) + len(self.aliases) + len(self.objects)

    # --- settings of the root -----------------------------------------------------------------------------------

    @property
    def source_enabled(self) -> bool:
        return self.root.source is None or self.root.source.enabled

    @property
    def routing_required(self) -> bool:
        return bool(self.root.routing_required)

    @property
    def date_detection(self) -> bool:
        return self.root.date_detection is not False

    @property
    def numeric_detection(self) -> bool:
        return bool(self.root.numeric_detection)

    @property
    def dynamic_date_formats(self) -> tuple[str, ...]:
        formats = self.root.dynamic_date_formats
        return DEFAULT_DYNAMIC_DATE_FORMATS if formats is None else formats

    # --- forms --------------------------------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        """As `GET _mapping` shows it: sorted, only what differs from defaults."""
        return self.root.to_json()

    def kernel_json(self) -> bytes:
        """The same for the kernel: canonical JSON bytes, with the types that the kernel knows."""
        return orjson.dumps(_kernel_types(self.root.to_json()))


def _kernel_types(body: dict[str, Any]) -> dict[str, Any]:
    from quidditch.mapping.types import TYPES

    shown = dict(body)
    kind = shown.get("type")
    if isinstance(kind, str) and (type_def := TYPES.get(kind)) is not None and type_def.kernel is not None:
        shown = type_def.kernel(shown)
    for key in ("properties", "fields"):
        if isinstance(shown.get(key), dict):
            shown[key] = {name: _kernel_types(child) for name, child in shown[key].items()}
    return shown


def parse(body: Mapping[str, Any] | None, ctx: ParseContext = UNCHECKED) -> RootMapping:
    """Parses a mapping (`{"properties".

    …}`, no type around it). Raises mapper_parsing_exception and its like, unwrapped.
    """
    mapping = RootMapping(parse_root(None if body is None else dict(body), ctx))
    check_names(mapping)
    return mapping


def parse_for_create(
    body: Mapping[str, Any] | None, ctx: ParseContext = UNCHECKED, limits: Limits | None = None
) -> RootMapping:
    """The mapping of a new index, checked as a whole. Parse errors come wrapped in `Failed to parse mapping [_doc]`."""
    try:
        mapping = parse(body, ctx)
    except ApiError as error:
        raise wrap_create_error(error) from None
    return check(mapping, limits)


def check(mapping: RootMapping, limits: Limits | None = None) -> RootMapping:
    """Limits, alias targets, copy_to targets. Returns the mapping."""
    check_references(mapping)
    check_limits(mapping, limits or Limits())
    return mapping


def merge(
    old: RootMapping | None, body: Mapping[str, Any] | None, ctx: ParseContext = UNCHECKED, limits: Limits | None = None
) -> RootMapping:
    """Applies an update (PUT _mapping, or a dynamic one) to the mapping of a living index.

    Raises with OpenSearch's texts.
    """
    new = parse(body, ctx)
    if old is None:
        return check(new, limits)
    return check(RootMapping(merge_roots(old.root, new.root)), limits)


def compose(bodies: list[Mapping[str, Any]], ctx: ParseContext = UNCHECKED) -> RootMapping:
    """Mappings of templates and of the request, weakest first: later definitions of a field replace earlier ones."""
    root = Root()
    for body in bodies:
        root = merge_roots(root, parse_root(dict(body), ctx), templates=True)
    return RootMapping(root)
