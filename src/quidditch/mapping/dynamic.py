"""Dynamic mapping: what becomes of a field that a document has and the mapping lacks.

The kernel names path, JSON type and a sample; here dynamic templates, date and numeric detection and the `dynamic` setting of the closest
object decide. The outcome is a mapping update for the control plane, which checks limits and conflicts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypedDict

from quidditch.mapping.context import UNCHECKED, ParseContext
from quidditch.mapping.objects import parse_node
from quidditch.mapping.root import RootMapping
from quidditch.mapping.templates import MatchesRegex, definition_for, find_template, plain_regex
from quidditch.mapping.tree import Leaf, Node, Object
from quidditch.mapping.types.date import DEFAULT_FORMAT
from quidditch.model.errors import ApiError, mapper_parsing

ParsesDate = Callable[[str, str], bool]
"""(text, format) → whether the text is a date in that format."""


class UnknownField(TypedDict, total=False):
    """As the kernel reports it. `type` is string, long, double, boolean, object or binary."""

    path: str
    type: str
    sample: Any


_LONG = re.compile(r"[+-]?[0-9]+")
_DOUBLE = re.compile(
    r"\s*[+-]?(NaN|Infinity|((\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|0[xX][0-9a-fA-F]*\.?[0-9a-fA-F]*[pP][+-]?\d+)[fFdD]?)\s*"
)


def _is_long(text: str) -> bool:
    return _LONG.fullmatch(text) is not None and -(2**63) <= int(text) < 2**63


def _is_double(text: str) -> bool:
    return _DOUBLE.fullmatch(text) is not None


def _is_date_math(text: str) -> bool:
    """Date math stands for a date in queries, never in documents."""
    return text.startswith("now") or "||" in text


def grow(
    mapping: RootMapping,
    unknown: Iterable[UnknownField],
    parses_date: ParsesDate,
    ctx: ParseContext = UNCHECKED,
    regex: MatchesRegex = plain_regex,
) -> dict[str, Any] | None:
    """The mapping update that makes these fields known; None if nothing is to be added.

    Raises strict_dynamic_mapping_exception where an object takes templates only and none matches, mapper_parsing_exception
    where a template cannot be used or a field stands where an object is needed.
    """
    growth = _Growth(mapping, parses_date, ctx, regex)
    for item in unknown:
        growth.add(item["path"], item["type"], item.get("sample"))
    properties = growth.properties()
    return {"properties": properties} if properties else None


class _Growth:
    """Collects the new nodes of one update, by path."""

    def __init__(self, mapping: RootMapping, parses_date: ParsesDate, ctx: ParseContext, regex: MatchesRegex) -> None:
        self._mapping = mapping
        self._parses_date = parses_date
        self._ctx = ctx
        self._regex = regex
        self._new: dict[str, Node] = {}
        self._within: dict[str, Node] = {}
        """What templates put into new objects, by path."""

    def add(self, path: str, json_type: str, sample: Any) -> None:
        parent = ""
        parts = path.split(".")
        for part in parts[:-1]:
            parent = f"{parent}.{part}" if parent else part
            if not self._ensure_object(parent, path):
                return
        known = self._known(path)
        if known is None:
            node = self._node(path, json_type, sample)
            if node is not None:
                self._keep(path, node)
        elif path in self._new:
            self._check_same(path, known, json_type, sample)

    def _check_same(self, path: str, known: Node, json_type: str, sample: Any) -> None:
        """One document gave the field two types: both have to lead to the same mapping."""
        other = self._node(path, json_type, sample)
        if isinstance(known, Leaf) and isinstance(other, Leaf) and known.type.name != other.type.name:
            raise ApiError(
                400,
                "illegal_argument_exception",
                f"mapper [{path}] cannot be changed from type [{known.type.name}] to [{other.type.name}]",
            )

    def _keep(self, path: str, node: Node) -> None:
        self._new[path] = node
        self._note(path, node)

    def _note(self, path: str, node: Node) -> None:
        if isinstance(node, Object):
            for name, child in node.properties.items():
                self._within[f"{path}.{name}"] = child
                self._note(f"{path}.{name}", child)

    def _known(self, path: str) -> Node | None:
        mapping = self._mapping
        made = self._new.get(path) or self._within.get(path)
        return made or mapping.objects.get(path) or mapping.leaves.get(path) or mapping.aliases.get(path)

    def _ensure_object(self, path: str, wanted: str) -> bool:
        """Makes sure that `path` is an object that takes fields; False if its content is not to be mapped."""
        node = self._known(path)
        if node is None:
            node = self._node(path, "object", None)
            if node is None:
                return False
            self._keep(path, node)
        if isinstance(node, Object):
            return node.enabled is not False
        if path in self._new:
            return False
        kind = node.type.name if isinstance(node, Leaf) else "alias"
        raise mapper_parsing(
            f"Could not dynamically add mapping for field [{wanted}]. "
            f"Existing mapping for [{path}] must be of type object but found [{kind}]."
        )

    def _dynamic(self, path: str) -> str:
        """The `dynamic` that holds for children of the object above `path`."""
        while path:
            path = path.rpartition(".")[0]
            node = self._known(path) if path else self._mapping.root.object
            if isinstance(node, Object) and node.dynamic is not None:
                return node.dynamic
        return "true"

    def _node(self, path: str, json_type: str, sample: Any) -> Node | None:
        dynamic = self._dynamic(path)
        if dynamic == "false":
            return None
        if dynamic == "strict":
            raise _strict(dynamic, path)
        kind, date_format = self._detect(json_type, sample)
        node = self._from_template(path, kind, date_format)
        if node is None and dynamic == "strict_allow_templates":
            raise _strict(dynamic, path)
        return node if node is not None else self._default(kind, date_format)

    def _detect(self, json_type: str, sample: Any) -> tuple[str, str | None]:
        """The JSON type after date and numeric detection, and the date's format."""
        if json_type != "string" or not isinstance(sample, str):
            return json_type, None
        whole, real = _is_long(sample), _is_double(sample)
        if self._mapping.numeric_detection and (whole or real):
            return ("long" if whole else "double"), None
        if not whole and not real and self._mapping.date_detection and not _is_date_math(sample):
            for date_format in self._mapping.dynamic_date_formats:
                if self._parses_date(sample, date_format):
                    return "date", date_format
        return "string", None

    def _from_template(self, path: str, kind: str, date_format: str | None) -> Node | None:
        name = path.rpartition(".")[2]
        template = find_template(self._mapping.root.dynamic_templates or (), path, name, kind, self._regex)
        if template is None:
            return None
        definition = definition_for(template, name, kind)
        if definition["type"] == "date":
            definition = {**_date_params(date_format), **definition}
        try:
            return parse_node(name, name, definition, self._ctx)
        except ApiError as error:
            if error.type == "mapper_parsing_exception":
                raise
            raise mapper_parsing("failed to parse", error.body()) from None

    def _default(self, kind: str, date_format: str | None) -> Node:
        return parse_node("", "", {**_DEFAULTS[kind], **_date_params(date_format)}, UNCHECKED)

    def properties(self) -> dict[str, Any]:
        """The new nodes as nested `properties`, with the bare objects around them."""
        root: dict[str, Any] = {}
        for path, node in self._new.items():
            target = root
            prefix = ""
            for part in path.split(".")[:-1]:
                prefix = f"{prefix}.{part}" if prefix else part
                head = target.setdefault(part, self._head(prefix))
                target = head.setdefault("properties", {})
            target.setdefault(path.rpartition(".")[2], {}).update(node.to_json())
        return root

    def _head(self, path: str) -> dict[str, Any]:
        """What an update must repeat of an object that is there: its kind and what cannot change."""
        node = self._mapping.objects.get(path)
        if node is None:
            return {}
        head = node.head()
        head.pop("dynamic", None)
        return head


_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "string": {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}},
    "long": {"type": "long"},
    "double": {"type": "float"},
    "boolean": {"type": "boolean"},
    "date": {"type": "date"},
    "object": {"type": "object"},
    "binary": {"type": "binary"},
}


def _date_params(date_format: str | None) -> dict[str, str]:
    """Parameters of a date field made by detection: the format that matched, and its first pattern for printing."""
    if date_format is None or date_format == DEFAULT_FORMAT:
        return {}
    return {"format": date_format, "print_format": date_format.partition("||")[0]}


def _strict(dynamic: str, path: str) -> ApiError:
    parent, _, name = path.rpartition(".")
    return ApiError(
        400,
        "strict_dynamic_mapping_exception",
        f"mapping set to {dynamic}, dynamic introduction of [{name}] within [{parent or '_doc'}] is not allowed",
    )
