"""Fuzziness: AUTO, AUTO:low,high, or a number of edits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from quidditch.model.errors import ApiError
from quidditch.query.values import text_of


@dataclass(frozen=True, slots=True)
class Fuzziness:
    """`edits` is fixed, or, when None, follows the term's length by the two thresholds."""

    edits: int | None = None
    low: int = 3
    high: int = 6

    def distance(self, term: str) -> int:
        """The edits allowed for a term."""
        if self.edits is not None:
            return self.edits
        length = len(term)
        return 0 if length < self.low else 1 if length < self.high else 2


AUTO = Fuzziness()


def parse(value: Any) -> Fuzziness:
    """Raises as OpenSearch: `Valid edit distances are [0, 1, 2] but was [x]`, `failed to find low and high distance values`…"""
    text = text_of(value)
    upper = text.upper()
    if upper == "AUTO":
        return AUTO
    if upper.startswith("AUTO:"):
        return _auto(text)
    try:
        number = float(text)
    except ValueError:
        raise ApiError(400, "illegal_argument_exception", f"Invalid fuzziness value: {text}") from None
    return Fuzziness(max(0, min(2, int(number))))


def _auto(text: str) -> Fuzziness:
    parts = text[len("AUTO:") :].split(",")
    if len(parts) != 2:
        raise ApiError(400, "parse_exception", "failed to find low and high distance values")
    try:
        low, high = int(parts[0].strip()), int(parts[1].strip())
    except ValueError:
        bad = next(part.strip() for part in parts if not part.strip().lstrip("-").isdigit())
        cause = {"type": "number_format_exception", "reason": f'For input string: "{bad}"'}
        reason = f'failed to parse [{text}] as a "auto:int,int"'
        raise ApiError(400, "parse_exception", reason, {"caused_by": cause}) from None
    if low < 0 or high < 0 or low > high:
        reason = (
            "fuzziness wrongly configured, must be: lowDistance > 0, highDistance > 0 and lowDistance <= highDistance "
        )
        raise ApiError(400, "illegal_argument_exception", reason)
    return Fuzziness(None, low, high)
