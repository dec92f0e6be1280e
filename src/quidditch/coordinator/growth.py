"""Dynamic mapping: what documents bring that the mapping does not know goes into it, then they are applied again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from quidditch.controlplane.api import ControlPlane
from quidditch.controlplane.core.commands import GrowMapping
from quidditch.coordinator.errors import error_object
from quidditch.coordinator.mappings import Mappings
from quidditch.coordinator.options import WriteOptions
from quidditch.coordinator.shards import Shards
from quidditch.mapping import RootMapping
from quidditch.mapping.dynamic import UnknownField
from quidditch.model.errors import ApiError
from quidditch.model.objects import Index
from quidditch.transport.errors import api_error
from quidditch_kernel import KernelError, Slice, SliceResult

Grow = Callable[[RootMapping, list[UnknownField]], dict[str, Any] | None]
"""Decides what unknown fields become: the body of a mapping update, or None if nothing changes."""

_MAX_ROUNDS = 64
"""Each round makes at least one more field known; a document deeper than that is not brought in."""


class Growth:
    """Brings the stopped items of a slice in."""

    def __init__(self, control: ControlPlane, shards: Shards, mappings: Mappings, grow: Grow) -> None:
        self._decide = grow
        self._control = control
        self._shards = shards
        self._mappings = mappings

    async def settle(
        self, index: Index, number: int, slice: Slice, result: SliceResult, options: WriteOptions
    ) -> SliceResult:
        """The result once no item is stopped any more; items whose fields are refused fail with the reason."""
        for _ in range(_MAX_ROUNDS):
            unknown = result.unknown()
            if not unknown:
                return result
            if not await self._grow_all(index, unknown):
                for item, fields in unknown:
                    try:
                        await self._grow(index, orjson.loads(fields))
                    except ApiError as error:
                        result.reject(item, error_object(error))
            try:
                result = await self._shards.retry(index, number, slice, result, options)
            except (ApiError, KernelError) as error:
                for item, _ in result.unknown():
                    result.reject(item, error_object(api_error(error)))
        for item, _ in result.unknown():
            result.reject(item, error_object(_endless(index)))
        return result

    async def _grow_all(self, index: Index, unknown: list[tuple[int, bytes]]) -> bool:
        """One change of the mapping for all items; the first to bring a field decides its type."""
        fields: dict[str, UnknownField] = {}
        for _, found in unknown:
            for field in orjson.loads(found):
                fields.setdefault(field["path"], field)
        try:
            await self._grow(index, list(fields.values()))
        except ApiError:
            return False
        return True

    async def _grow(self, index: Index, fields: list[UnknownField]) -> None:
        current = self._control.state.index_by_uuid(index.uuid)
        if current is None:
            raise ApiError(404, "index_not_found_exception", f"no such index [{index.name}]", {"index": index.name})
        update = self._decide(self._mappings.get(current).root, fields)
        if update:
            await self._control.submit(GrowMapping(index=current.name, uuid=current.uuid, mapping=update))


def _endless(index: Index) -> ApiError:
    return ApiError(
        400, "illegal_argument_exception", f"the mapping of [{index.name}] does not take the fields of the document"
    )
