"""From a name in a write to the index it goes to: aliases, data streams, automatic creation, what forbids the write."""

from __future__ import annotations

import time
from typing import Any

from quidditch.controlplane.api import ControlPlane
from quidditch.controlplane.core import blocks
from quidditch.controlplane.core.commands import CreateIndex
from quidditch.coordinator.mappings import Mappings
from quidditch.model import expressions
from quidditch.model.errors import ApiError
from quidditch.model.objects import Index


class Targets:
    """Looks names up in the cluster state."""

    def __init__(self, control: ControlPlane, mappings: Mappings) -> None:
        self._control = control
        self._mappings = mappings

    async def resolve(self, name: str, creates: bool, require_alias: bool) -> Index:
        """The open, writable index behind `name`. With `creates` a missing one is created. Raises :class:`ApiError`."""
        if require_alias and name not in self._control.state.aliases:
            raise _no_alias(name)
        now_ms = time.time_ns() // 1_000_000
        index = expressions.write_index(self._control.state, name, now_ms)
        if index is None:
            if not creates:
                raise _missing(name)
            created = await self._control.submit(CreateIndex(name=name, auto=True))
            index = self._control.state.indices.get(created.index)
            if index is None:
                raise _missing(name)
        if not index.open:
            raise expressions.index_closed(index)
        blocked = blocks.blocked(self._control.state, index, "write")
        if blocked is not None:
            raise blocked
        return index

    def describe(self, name: str, index: Index) -> dict[str, Any]:
        """What the kernel has to know to route the items of `name`."""
        return {
            "index": index.name,
            "uuid": index.uuid,
            "shards": index.number_of_shards,
            "routing_shards": index.spec.routing_num_shards,
            "partition_size": partition_size(index),
            "routing": expressions.index_routing(self._control.state, name, None),
            "total_copies": 1 + index.number_of_replicas,
            "routing_required": self._mappings.get(index).root.routing_required,
        }


def partition_size(index: Index) -> int:
    return int(index.setting("index.routing_partition_size", 1))


def _no_alias(name: str) -> ApiError:
    reason = f"no such index [{name}] and [require_alias] request flag is [true] and [{name}] is not an alias"
    return ApiError(404, "index_not_found_exception", reason, {"index": name, "index_uuid": "_na_"})


def _missing(name: str) -> ApiError:
    return expressions.not_found(name, "index_expression")
