"""`human=true`: beside sizes in bytes and durations in milliseconds the same for people."""

from __future__ import annotations

from typing import Any

from quidditch.lib.units import format_bytes, format_millis

_SPECIAL = {"fixed_bit_set_memory_in_bytes": "fixed_bit_set"}


def duration(millis: float) -> str:
    return "-1" if millis == -1 else "0s" if millis == 0 else format_millis(millis)


def with_units(value: Any) -> Any:
    """A copy of a JSON value in which `x_in_bytes` has an `x` and `x_in_millis` an `x` before it."""
    if isinstance(value, list):
        return [with_units(item) for item in value]
    if not isinstance(value, dict):
        return value
    shown: dict[str, Any] = {}
    for name, item in value.items():
        if isinstance(item, int) and not isinstance(item, bool):
            if name.endswith(("_in_bytes", "_bytes")):
                short = name.removesuffix("_bytes").removesuffix("_in")
                shown[_SPECIAL.get(name, short)] = format_bytes(item)
            elif name.endswith("_in_millis"):
                shown[name.removesuffix("_in_millis")] = duration(item)
        shown[name] = with_units(item)
    return shown
