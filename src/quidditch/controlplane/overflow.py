"""Big mappings: kept in objects of their own in the store, whole in the cluster state.

An object should stay below 256 KiB in every store. An index whose object would pass that is stored without its mapping; this is
compressed, cut into parts named by their content, and written before the index that refers to them. Parts that no index refers to
are what a crash or an older mapping left; they are cleared away.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import structlog
from msgspec.structs import replace

from quidditch.model.codec import encode
from quidditch.model.objects import Index, MappingPart, MappingPartSpec, Metadata, Object
from quidditch.store import api

_log = structlog.get_logger(__name__)

LIMIT = 200 * 1024
"""Bytes of an encoded index from which on its mapping moves out."""
PART = 150 * 1024
"""Characters of one part."""


def split(index: Index) -> tuple[Index, Sequence[MappingPart]]:
    """The index as it is stored, and the parts that must be there before it."""
    if not index.spec.mappings or len(encode(index)) <= LIMIT:
        return index, ()
    packed = zlib.compress(msgspec.json.encode(index.spec.mappings), 6)
    digest = hashlib.sha256(packed).hexdigest()[:32]
    text = base64.b64encode(packed).decode()
    pieces = [text[start : start + PART] for start in range(0, len(text), PART)]
    parts = [
        MappingPart(
            metadata=Metadata(name=f"{digest}-{number}"),
            spec=MappingPartSpec(index=index.name, digest=digest, number=number, count=len(pieces), data=piece),
        )
        for number, piece in enumerate(pieces)
    ]
    return replace(index, spec=replace(index.spec, mappings={}, mapping_digest=digest)), parts


def join(index: Index, parts: Iterable[MappingPart]) -> Index:
    """The index with its mapping. Raises :class:`StoreError` if a part is missing."""
    digest = index.spec.mapping_digest
    if not digest:
        return index
    mine = sorted((part for part in parts if part.spec.digest == digest), key=lambda part: part.spec.number)
    if not mine or len(mine) != mine[0].spec.count:
        raise api.StoreError(f"the mapping of index [{index.name}] is incomplete: parts of {digest} are missing")
    packed = base64.b64decode("".join(part.spec.data for part in mine))
    mappings: dict[str, Any] = msgspec.json.decode(zlib.decompress(packed))
    return replace(index, spec=replace(index.spec, mappings=mappings, mapping_digest=""))


def join_all(objects: Iterable[Object]) -> list[Object]:
    """All objects but the parts, indices with their mappings. Raises :class:`StoreError` if a part is missing."""
    every = list(objects)
    by_digest: dict[str, list[MappingPart]] = {}
    for obj in every:
        if isinstance(obj, MappingPart):
            by_digest.setdefault(obj.spec.digest, []).append(obj)
    return [
        join(obj, by_digest.get(obj.spec.mapping_digest, ())) if isinstance(obj, Index) else obj
        for obj in every
        if not isinstance(obj, MappingPart)
    ]


async def fetch(store: api.Store, index: Index) -> Index:
    """An index as a watch brought it, with its mapping."""
    if not index.spec.mapping_digest:
        return index
    listing = await store.list(MappingPart.__name__)
    return join(index, [part for part in listing.objects if isinstance(part, MappingPart)])


class Parts:
    """Which parts are in the store and which index uses them, for the leader that writes them."""

    def __init__(self) -> None:
        self._names: dict[str, set[str]] = {}
        self._used: dict[str, str] = {}

    def reset(self, objects: Iterable[Object]) -> None:
        """What a listing of the store says."""
        self._names, self._used = {}, {}
        for obj in objects:
            if isinstance(obj, MappingPart):
                self._names.setdefault(obj.spec.digest, set()).add(obj.metadata.name)
            elif isinstance(obj, Index):
                self.uses(obj.name, obj.spec.mapping_digest)

    def uses(self, index: str, digest: str) -> None:
        """The stored index now refers to this digest; empty: to none."""
        if digest:
            self._used[index] = digest
        else:
            self._used.pop(index, None)

    async def write(self, store: api.Store, parts: Sequence[MappingPart], epoch: int) -> list[Object]:
        """Brings the parts into the store; one that is there is fine, it cannot differ."""
        written: list[Object] = []
        for part in parts:
            names = self._names.setdefault(part.spec.digest, set())
            if part.metadata.name in names:
                continue
            try:
                written.append(await store.create(part, epoch))
            except api.AlreadyExists:
                pass
            names.add(part.metadata.name)
        return written

    async def clear(self, store: api.Store, epoch: int) -> None:
        """Removes the parts that no index refers to any more; where the store does not play along, another time."""
        used = set(self._used.values())
        for digest in [digest for digest in self._names if digest not in used]:
            for name in sorted(self._names[digest]):
                try:
                    await store.delete(MappingPart.__name__, name, fence=epoch)
                except api.NotFound:
                    pass
                except api.StoreError as error:
                    _log.info("a part of a mapping is not removed yet", part=name, error=str(error))
                    return
            del self._names[digest]
