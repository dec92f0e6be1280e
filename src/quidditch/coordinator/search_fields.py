"""`_field_caps`: what fields the indices have, and what may be done with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from quidditch.mapping.root import RootMapping
from quidditch.model import wildcard

_METADATA = {
    "_data_stream_timestamp": (False, False), "_doc_count": (False, False), "_feature": (False, False), "_field_names": (True, False),
    "_id": (True, True), "_ignored": (True, False), "_index": (True, True), "_nested_path": (True, False), "_routing": (True, False),
    "_seq_no": (True, True), "_source": (False, False), "_version": (False, False),
}  # fmt: skip
"""Name → (searchable, aggregatable), as `_field_caps` tells them."""

_SHOWN_TYPES = {"_doc_count": "long"}


@dataclass(slots=True)
class _Capability:
    """One type of a field over the indices that have it so."""

    searchable: dict[str, bool] = field(default_factory=dict)
    aggregatable: dict[str, bool] = field(default_factory=dict)
    meta: dict[str, set[str]] = field(default_factory=dict)

    def to_json(self, kind: str, everywhere: bool) -> dict[str, Any]:
        searchable, aggregatable = all(self.searchable.values()), all(self.aggregatable.values())
        shown: dict[str, Any] = {"type": kind, "searchable": searchable, "aggregatable": aggregatable}
        if not everywhere:
            shown["indices"] = sorted(self.searchable)
        for flag, values, name in (
            (searchable, self.searchable, "non_searchable_indices"),
            (aggregatable, self.aggregatable, "non_aggregatable_indices"),
        ):
            if not flag and any(values.values()):
                shown[name] = sorted(index for index, value in values.items() if not value)
        if self.meta:
            shown["meta"] = {key: sorted(values) for key, values in sorted(self.meta.items())}
        return shown


def field_caps(
    indices: Sequence[tuple[str, RootMapping]], patterns: Sequence[str], include_unmapped: bool
) -> dict[str, Any]:
    """The body of the answer."""
    found: dict[str, dict[str, _Capability]] = {}
    for name, mapping in indices:
        for path, (kind, searchable, aggregatable, meta) in _capabilities(mapping, patterns).items():
            capability = found.setdefault(path, {}).setdefault(kind, _Capability())
            capability.searchable[name] = searchable
            capability.aggregatable[name] = aggregatable
            for key, value in meta.items():
                capability.meta.setdefault(key, set()).add(str(value))
    names = [name for name, _ in indices]
    fields: dict[str, Any] = {}
    for path, kinds in found.items():
        if include_unmapped:
            have = {name for capability in kinds.values() for name in capability.searchable}
            lacking = [name for name in names if name not in have]
            if lacking:
                unmapped = kinds.setdefault("unmapped", _Capability())
                unmapped.searchable.update(dict.fromkeys(lacking, False))
                unmapped.aggregatable.update(dict.fromkeys(lacking, False))
        fields[path] = {kind: capability.to_json(kind, len(kinds) == 1) for kind, capability in kinds.items()}
    return {"indices": sorted(names), "fields": fields}


_Row = tuple[str, bool, bool, dict[str, Any]]


def _capabilities(mapping: RootMapping, patterns: Sequence[str]) -> dict[str, _Row]:
    rows: dict[str, _Row] = {}
    for path in (*mapping.leaves, *mapping.aliases):
        if wildcard.matches_any(patterns, path):
            known = mapping.field(path)
            if known is not None:
                meta = known.params.get("meta") or {}
                rows[path] = (known.type, known.indexed, known.aggregatable, dict(meta))
                _add_parents(rows, mapping, path)
    for path, (searchable, aggregatable) in _METADATA.items():
        if wildcard.matches_any(patterns, path):
            rows[path] = (_SHOWN_TYPES.get(path, path), searchable, aggregatable, {})
    return rows


def _add_parents(rows: dict[str, _Row], mapping: RootMapping, path: str) -> None:
    """Objects are told of only by the fields they hold."""
    while "." in path:
        path = path.rpartition(".")[0]
        node = mapping.objects.get(path)
        if node is not None and path not in rows:
            rows[path] = ("nested" if node.nested else "object", False, False, {})
