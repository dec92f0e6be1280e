"""Roaring bitmaps of 32-bit integers in their portable form, as `terms` queries take them (value_type bitmap)."""

from __future__ import annotations

import base64
import binascii
import struct

from quidditch.query.errors import QueryFault

_WITH_RUNS = 12347
_WITHOUT_RUNS = 12346
_ARRAY_LIMIT = 4096
_OFFSETS_FROM = 4


def decode(text: str) -> list[int]:
    """The integers of a bitmap in base64. Raises `QueryFault` for what is none."""
    try:
        data = base64.b64decode(text, validate=True)
        return _read(data)
    except (binascii.Error, ValueError, struct.error, IndexError):
        raise QueryFault("Failed to deserialize the bitmap.") from None


def _read(data: bytes) -> list[int]:
    (cookie,) = struct.unpack_from("<I", data, 0)
    at = 4
    runs: set[int] = set()
    if cookie & 0xFFFF == _WITH_RUNS:
        count = (cookie >> 16) + 1
        flags = data[at : at + (count + 7) // 8]
        at += len(flags)
        runs = {number for number in range(count) if flags[number // 8] >> (number % 8) & 1}
    elif cookie == _WITHOUT_RUNS:
        (count,) = struct.unpack_from("<I", data, at)
        at += 4
    else:
        raise ValueError(cookie)
    if count > 1 << 16:
        raise ValueError(count)
    headers = [struct.unpack_from("<HH", data, at + 4 * number) for number in range(count)]
    at += 4 * count
    if not runs or count >= _OFFSETS_FROM:
        at += 4 * count
    found: list[int] = []
    for number, (key, cardinality) in enumerate(headers):
        values, at = _container(data, at, cardinality + 1, number in runs)
        found.extend(key << 16 | value for value in values)
    return found


def _container(data: bytes, at: int, cardinality: int, run: bool) -> tuple[list[int], int]:
    if run:
        (count,) = struct.unpack_from("<H", data, at)
        pairs = [struct.unpack_from("<HH", data, at + 2 + 4 * number) for number in range(count)]
        return [value for start, more in pairs for value in range(start, start + more + 1)], at + 2 + 4 * count
    if cardinality <= _ARRAY_LIMIT:
        return list(struct.unpack_from(f"<{cardinality}H", data, at)), at + 2 * cardinality
    words = struct.unpack_from("<1024Q", data, at)
    return [64 * place + bit for place, word in enumerate(words) for bit in range(64) if word >> bit & 1], at + 8192
