"""Documents by id, in real time: from the translog's newest state, not from the last refresh."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import orjson

from quidditch.controlplane.api import ControlPlane
from quidditch.controlplane.core import blocks
from quidditch.coordinator.mappings import Mappings
from quidditch.coordinator.shards import Shards
from quidditch.coordinator.write import routing_missing, shard_of
from quidditch.model import datemath, expressions
from quidditch.model.errors import ApiError, illegal_argument
from quidditch.model.objects import Index

_PREFERENCES = ("_local", "_primary", "_primary_first", "_replica", "_replica_first", "_only_local")


@dataclass(frozen=True, slots=True)
class GetOptions:
    """`source`: True, False or {includes, excludes}."""

    realtime: bool = True
    refresh: bool = False
    source: Any = True
    version: int | None = None
    version_type: str | None = None
    stored_fields: tuple[str, ...] | None = None
    preference: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """The answer about one document. `members` are those of the body from `_version` on, None if there is none."""

    index: str
    id: str
    members: bytes | None

    def body(self) -> bytes:
        """As `GET /{index}/_doc/{id}` answers."""
        head = orjson.dumps({"_index": self.index, "_id": self.id})[:-1]
        return head + (b',"found":false}' if self.members is None else b"," + self.members + b"}")

    def source(self) -> bytes | None:
        """The document itself, as it was sent."""
        if self.members is None:
            return None
        at = self.members.find(b'"_source":')
        return None if at < 0 else self.members[at + len(b'"_source":') :]


class Getter:
    """Looks documents up."""

    def __init__(self, control: ControlPlane, shards: Shards, mappings: Mappings) -> None:
        self._control = control
        self._shards = shards
        self._mappings = mappings

    def index(self, name: str) -> Index:
        """The readable index behind a name. Raises :class:`ApiError`."""
        state = self._control.state
        index = state.indices.get(name)
        if index is None:
            now_ms = time.time_ns() // 1_000_000
            if not state.knows(datemath.resolve(name, now_ms)):
                raise expressions.not_found(name, "index_expression")
            index = expressions.single_index(state, name, now_ms)
        if not index.open:
            raise expressions.index_closed(index)
        blocked = blocks.blocked(state, index, "read")
        if blocked is not None:
            raise blocked
        return index

    def routing(self, name: str, index: Index, id: str, routing: str | None) -> str | None:
        """What the document is routed by: as asked, or as the alias says. Raises routing_missing_exception."""
        found = expressions.index_routing(self._control.state, name, routing)
        if found is None and self._mappings.get(index).root.routing_required:
            raise routing_missing(index.name, id)
        return found

    async def get(self, name: str, id: str, routing: str | None, options: GetOptions) -> Found:
        check_preference(options.preference)
        index = self.index(name)
        routing = self.routing(name, index, id, routing)
        number = shard_of(index, id, routing)
        if options.refresh:
            await self._shards.refresh(index, number)
        request: dict[str, Any] = {"id": id, "realtime": options.realtime, "source": options.source}
        if options.version is not None:
            request["version"] = options.version
            request["version_type"] = options.version_type or "internal"
        if options.stored_fields is not None:
            request["stored_fields"] = options.stored_fields
        members = await self._shards.get(index, number, orjson.dumps(request), options.preference, routing)
        return Found(index.name, id, members)


def check_preference(preference: str | None) -> None:
    """Raises for a preference that starts like a known one but is none."""
    if not preference or not preference.startswith("_"):
        return
    if preference.startswith("_shards:"):
        preference = preference.partition("|")[2]
        if not preference:
            return
    if preference not in _PREFERENCES and not preference.startswith(("_only_nodes:", "_prefer_nodes:")):
        raise illegal_argument(f"no Preference for [{preference}]")


def error_entry(index: str, id: str, error: ApiError) -> bytes:
    """An item of `_mget` that failed."""
    return orjson.dumps({"_index": index, "_id": id, "error": error.response()["error"]})
