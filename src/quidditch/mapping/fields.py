"""What a query needs to know of a field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from quidditch.mapping.tree import Leaf
from quidditch.mapping.types.text import analyzers

METADATA_FIELDS: Mapping[str, tuple[bool, bool]] = {
    "_id": (True, False),
    "_index": (True, True),
    "_routing": (True, False),
    "_seq_no": (True, True),
    "_primary_term": (False, True),
    "_version": (False, True),
    "_ignored": (True, False),
    "_field_names": (True, False),
    "_source": (False, False),
    "_nested_path": (True, False),
    "_doc_count": (False, True),
}
"""Name → (can be searched, has a column)."""


@dataclass(frozen=True, slots=True)
class FieldType:
    """A field of a mapping, resolved: defaults filled in, aliases followed.

    `nested` is the path of the closest nested object, `parent` the field that a multi-field belongs to.
    """

    path: str
    type: str
    params: Mapping[str, Any] = field(default_factory=dict)
    nested: str | None = None
    indexed: bool = True
    doc_values: bool = True
    stored: bool = False
    analyzer: str | None = None
    search_analyzer: str | None = None
    search_quote_analyzer: str | None = None
    normalizer: str | None = None
    format: str | None = None
    parent: str | None = None

    @property
    def is_metadata(self) -> bool:
        return self.path in METADATA_FIELDS

    @property
    def searchable(self) -> bool:
        return self.indexed or (self.doc_values and self.type not in ("text", "match_only_text", "binary"))

    @property
    def aggregatable(self) -> bool:
        return self.doc_values or bool(self.params.get("fielddata"))


def field_type(path: str, leaf: Leaf, nested: str | None, parent: str | None) -> FieldType:
    params = {param.name: leaf.get(param.name) for param in leaf.type.params}
    index = search = quote = None
    if "search_analyzer" in leaf.type.by_name:
        index, search, quote = analyzers(leaf.values)
    return FieldType(
        path=path,
        type=leaf.type.name,
        params=params,
        nested=nested,
        indexed=bool(params.get("index", leaf.type.name != "binary")),
        doc_values=bool(params.get("doc_values", False)),
        stored=bool(params.get("store", False)),
        analyzer=index,
        search_analyzer=search,
        search_quote_analyzer=quote,
        normalizer=params.get("normalizer"),
        format=params.get("format"),
        parent=parent,
    )


def metadata_field(name: str) -> FieldType | None:
    flags = METADATA_FIELDS.get(name)
    return None if flags is None else FieldType(name, name, indexed=flags[0], doc_values=flags[1])
