"""The way of a write: names to indices, items to shards, unknown fields into the mapping, refresh, answer."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import orjson

from quidditch.controlplane.api import ControlPlane
from quidditch.coordinator.errors import error_object, from_object
from quidditch.coordinator.growth import Grow, Growth
from quidditch.coordinator.mappings import Mappings
from quidditch.coordinator.options import WriteOptions
from quidditch.coordinator.shards import Shards
from quidditch.coordinator.targets import Targets, partition_size
from quidditch.model import expressions
from quidditch.model.errors import ApiError, illegal_argument
from quidditch.model.objects import Index
from quidditch.transport.errors import from_kernel
from quidditch.transport.shards import ShardMissing
from quidditch_kernel import Bulk, KernelError, Slice, SliceResult, make_id, shard_for, split_bulk

_Written = tuple[Index, int, Slice, SliceResult]


class Writer:
    """Bulks and single operations."""

    def __init__(self, control: ControlPlane, shards: Shards, mappings: Mappings, grow: Grow) -> None:
        self._control = control
        self._shards = shards
        self._targets = Targets(control, mappings)
        self._mappings = mappings
        self._growth = Growth(control, shards, mappings, grow)

    # --- bulk -------------------------------------------------------------------------------------------------------

    async def bulk(
        self, body: bytes, default_index: str | None, defaults: dict[str, Any], options: WriteOptions
    ) -> tuple[bytes, bool]:
        """Answers a `_bulk` body; the second value says whether an item failed."""
        started = time.monotonic()
        bulk = split_bulk(body, default_index, orjson.dumps(defaults))
        rejects, pipelines = self._odd(bulk)
        targets, indices = await self._resolve(bulk, rejects)
        slices = bulk.route(orjson.dumps(targets), orjson.dumps(rejects))
        written = await asyncio.gather(
            *(self._apply(indices[name], number, slice, options) for name, number, slice in slices)
        )
        forced = await self._refresh(written, options)
        took_ms = int((time.monotonic() - started) * 1000)
        answer, failed = bulk.render([(slice, result) for _, _, slice, result in written], took_ms, forced)
        if pipelines:
            answer = answer.replace(b',"errors":', b',"ingest_took":0,"errors":', 1)
        return answer, failed

    def _odd(self, bulk: Bulk) -> tuple[dict[str, dict[str, Any]], bool]:
        """The items that are refused by themselves, and whether any names a pipeline."""
        items: dict[str, Any] = {}
        pipelines = False
        for number, data in bulk.odd():
            item = orjson.loads(data)
            pipelines = pipelines or bool(item.get("pipeline"))
            error = self._refusal(item)
            if error is not None:
                items[str(number)] = {**error.body(), "status": error.status}
        return {"items": items, "names": {}}, pipelines

    def _refusal(self, item: dict[str, Any]) -> ApiError | None:
        pipeline = item.get("pipeline")
        if pipeline and pipeline != "_none":
            return unknown_pipeline(pipeline)
        name = item.get("index")
        if item.get("require_alias") and name not in self._control.state.aliases:
            reason = f"no such index [{name}] and [require_alias] request flag is [true] and [{name}] is not an alias"
            return ApiError(404, "index_not_found_exception", reason, {"index": name, "index_uuid": "_na_"})
        if item.get("error"):
            return from_object(item["error"], int(item["error"].get("status", 400)))
        return None

    async def _resolve(self, bulk: Bulk, rejects: dict[str, dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Index]]:
        """Targets for the kernel by written name, indices by concrete name; names that lead nowhere are rejected."""
        targets: dict[str, Any] = {}
        indices: dict[str, Index] = {}
        creating: set[str] | None = None
        for name in bulk.indices():
            try:
                if creating is None and not self._control.state.knows(name):
                    creating = set(bulk.creating())
                creates = creating is not None and name in creating
                index = await self._targets.resolve(name, creates, require_alias=False)
                targets[name] = self._targets.describe(name, index)
                indices[index.name] = index
            except ApiError as error:
                rejects["names"][name] = {**error.body(), "status": error.status}
            except KernelError as error:
                failed = from_kernel(error)
                rejects["names"][name] = {**failed.body(), "status": failed.status}
        return targets, indices

    async def _apply(self, index: Index, number: int, slice: Slice, options: WriteOptions) -> _Written:
        """Writes one slice; what hinders the whole slice becomes the answer of its items."""
        try:
            result = await self._shards.write(index, number, slice, options)
            result = await self._growth.settle(index, number, slice, result, options)
        except ApiError as error:
            result = slice.fail(error_object(error))
        except KernelError as error:
            result = slice.fail(error_object(from_kernel(error)))
        return index, number, slice, result

    async def _refresh(self, written: list[_Written], options: WriteOptions) -> bool:
        """Does what `refresh` asks for; whether a refresh was forced."""
        if options.refresh == "false":
            return False
        forced = options.refresh == "true"
        calls = []
        for index, number, _, result in written:
            seq_no = result.max_seq_no()
            if forced:
                calls.append(self._shards.refresh(index, number))
            elif seq_no >= 0:
                calls.append(self._shards.refreshed(index, number, seq_no))
        for outcome in await asyncio.gather(*calls, return_exceptions=True):
            if isinstance(outcome, BaseException) and not isinstance(outcome, (ShardMissing, ApiError)):
                raise outcome
        return forced

    # --- one document -----------------------------------------------------------------------------------------------

    async def single(self, name: str, op: dict[str, Any], source: bytes, options: WriteOptions) -> dict[str, Any]:
        """One operation; the answer is that of a bulk item, with its `status`. Raises :class:`ApiError`.

        `op` has action (index, create, update, delete), id, routing, version, version_type, if_seq_no, if_primary_term
        and what else the kernel's `Slice.single` takes.
        """
        creates = op["action"] != "delete" or op.get("version_type") in ("external", "external_gte")
        index = await self._targets.resolve(name, creates, options.require_alias)
        op["routing"] = expressions.index_routing(self._control.state, name, op.get("routing"))
        if op.get("id") is None:
            op["id"] = make_id()
            op["auto_id"] = True
        if op["routing"] is None and self._mappings.get(index).root.routing_required:
            raise routing_missing(index.name, op["id"])
        op.update(index=index.name, uuid=index.uuid, total_copies=1 + index.number_of_replicas)
        number = shard_of(index, op["id"], op["routing"])
        slice = Slice.single(orjson.dumps(op), source)
        result = await self._shards.write(index, number, slice, options, repeatable=not _conditional(op))
        result = await self._growth.settle(index, number, slice, result, options)
        answer: dict[str, Any] = next(iter(orjson.loads(result.item(0)).values()))
        if "error" in answer:
            raise from_object(answer["error"], answer["status"])
        if options.refresh != "false" and answer.get("result") != "noop":
            await self._refresh([(index, number, slice, result)], options)
        if options.refresh == "true":
            answer["forced_refresh"] = True
        return answer


def shard_of(index: Index, id: str, routing: str | None) -> int:
    """The number of the shard that a document belongs to."""
    return shard_for(id, routing, index.spec.routing_num_shards, index.number_of_shards, partition_size(index))


def _conditional(op: dict[str, Any]) -> bool:
    """Whether an operation, made twice, may refuse what it did itself."""
    creates = (op["action"] == "create" or op.get("op_type") == "create") and not op.get("auto_id")
    return creates or op.get("if_seq_no") is not None or op.get("version") is not None


def routing_missing(index: str, id: str) -> ApiError:
    details = {"index": index, "index_uuid": "_na_"}
    return ApiError(400, "routing_missing_exception", f"routing is required for [{index}]/[{id}]", details)


def unknown_pipeline(name: str) -> ApiError:
    return illegal_argument(f"pipeline with id [{name}] does not exist")
