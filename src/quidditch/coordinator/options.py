"""What a write asks for besides its documents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from quidditch.lib.units import format_millis
from quidditch.model.errors import ApiError, illegal_argument

Refresh = Literal["false", "true", "wait_for"]


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """`active_shards`: copies that must be active before the write starts, -1 for all, None for the index's setting."""

    refresh: Refresh = "false"
    timeout_ms: int = 60_000
    active_shards: int | None = None
    require_alias: bool = False

    @property
    def timeout(self) -> str:
        return format_millis(self.timeout_ms)


def parse_refresh(text: str | None) -> Refresh:
    if text is None or text == "false":
        return "false"
    if text in ("", "true"):
        return "true"
    if text == "wait_for":
        return "wait_for"
    raise illegal_argument(f"Unknown value for refresh: [{text}].")


def parse_active_shards(text: str | None) -> int | None:
    """A number, or -1 for `all`."""
    if text is None:
        return None
    if text == "all":
        return -1
    try:
        number = int(text) if len(text) < 12 else -1
    except ValueError:
        cause = {"type": "number_format_exception", "reason": f'For input string: "{text}"'}
        raise ApiError(
            400, "illegal_argument_exception", f"cannot parse ActiveShardCount[{text}]", {"caused_by": cause}
        ) from None
    if number < 0:
        raise illegal_argument("shard count cannot be a negative value")
    return number
