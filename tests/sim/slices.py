"""Twins of the kernel's slices: the same methods over plain JSON, for shards that are models."""

from __future__ import annotations

from typing import Any

import orjson

CONFLICT = "version_conflict_engine_exception"


class Slice:
    """One slice of a bulk; see `quidditch_kernel.Slice`."""

    def __init__(self, index: str, items: list[dict[str, Any]], total_copies: int = 1) -> None:
        self.index = index
        self.items = items
        self.total_copies = total_copies

    @staticmethod
    def single(op: bytes, source: bytes) -> Slice:
        item = orjson.loads(op)
        return Slice(item["index"], [{**item, "source": source.decode()}], item.get("total_copies", 1))

    def to_bytes(self) -> bytes:
        return orjson.dumps([self.index, self.items, self.total_copies])

    @staticmethod
    def from_bytes(data: bytes) -> Slice:
        return Slice(*orjson.loads(data))

    def __len__(self) -> int:
        return len(self.items)

    def fail(self, error: bytes) -> SliceResult:
        result = SliceResult(len(self))
        for number, item in enumerate(self.items):
            result.refuse(number, item, orjson.loads(error))
        return result


class SliceResult:
    """What became of a slice; see `quidditch_kernel.SliceResult`."""

    def __init__(self, size: int) -> None:
        self.answers: list[dict[str, Any]] = [{} for _ in range(size)]
        self.written = b""
        self._max_seq_no = -1

    def done(self, number: int, item: dict[str, Any], answer: dict[str, Any]) -> None:
        self._max_seq_no = max(self._max_seq_no, answer["_seq_no"])
        self.answers[number] = {item["action"]: {"_index": item["index"], "_id": item["id"], **answer}}

    def refuse(self, number: int, item: dict[str, Any], error: dict[str, Any]) -> None:
        rest = {key: value for key, value in error.items() if key != "status"}
        answer = {"_index": item["index"], "_id": item["id"], "status": error.get("status", 500), "error": rest}
        self.answers[number] = {item["action"]: answer}

    def unknown(self) -> list[tuple[int, bytes]]:
        return []

    def reject(self, item: int, error: bytes) -> None:
        raise AssertionError(f"a model's item {item} is never unknown: {error!r}")

    def max_seq_no(self) -> int:
        return self._max_seq_no

    def item(self, item: int) -> bytes:
        return orjson.dumps(self.answers[item])

    def operations(self) -> bytes:
        return self.written

    def set_copies(self, total: int, successful: int, failures: bytes) -> None:
        """As in the kernel: items that failed have no `_shards`."""
        told = orjson.loads(failures) if failures else []
        for answer in self.answers:
            for inside in answer.values():
                if "error" not in inside:
                    inside["_shards"] = {"total": total, "successful": successful, "failed": len(told)}
                    if told:
                        inside["_shards"]["failures"] = told

    def to_bytes(self) -> bytes:
        return orjson.dumps([self.answers, self.written.decode(), self._max_seq_no])

    @staticmethod
    def from_bytes(data: bytes, slice: Slice | None = None) -> SliceResult:
        del slice
        answers, written, max_seq_no = orjson.loads(data)
        result = SliceResult(len(answers))
        result.answers, result.written, result._max_seq_no = answers, written.encode(), max_seq_no
        return result
