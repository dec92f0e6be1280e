"""Compiled mappings of the indices that requests meet, kept by index and version."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

import quidditch_kernel
from quidditch import mapping
from quidditch.mapping.root import RootMapping
from quidditch.mapping.settings import nested_for_kernel
from quidditch.model.objects import Index

_KEEP = 4096


class IndexMapping(NamedTuple):
    """A mapping as Python knows it and as the kernel does."""

    root: RootMapping
    kernel: quidditch_kernel.Mapping


class Mappings:
    """A cache; used from the event loop's thread."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Index, IndexMapping]] = {}

    def get(self, index: Index) -> IndexMapping:
        """The mapping of this version of the index. Raises the kernel's error for analysis that cannot be built."""
        known = self._known.get(index.uuid)
        if known is not None:
            before, compiled = known
            if before is index:
                return compiled
            same = before.spec.mappings == index.spec.mappings and _analysis(before) == _analysis(index)
            if same:
                self._known[index.uuid] = (index, compiled)
                return compiled
        compiled = self._compile(index)
        if len(self._known) >= _KEEP:
            del self._known[next(iter(self._known))]
        self._known[index.uuid] = (index, compiled)
        return compiled

    def kernel(self, index: Index) -> quidditch_kernel.Mapping:
        return self.get(index).kernel

    def _compile(self, index: Index) -> IndexMapping:
        root = mapping.parse(index.spec.mappings)
        settings = orjson.dumps(nested_for_kernel(index.spec.settings))
        return IndexMapping(root, quidditch_kernel.Mapping(root.kernel_json(), settings))


def _analysis(index: Index) -> dict[str, Any]:
    return {key: value for key, value in index.spec.settings.items() if key.startswith("index.analysis.")}
