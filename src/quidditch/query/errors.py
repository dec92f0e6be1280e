"""What can be wrong with a search: with its text (before any index is looked at), or with it on one index (a shard's failure).

`Malformed` knows where in the body it happened by reference to the JSON container, so that no path has to be kept while parsing;
`positions` finds line and column afterwards, only when an error is being answered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from quidditch.model.errors import ApiError


class Malformed(ApiError):
    """The body does not parse. `node` is the dict or list at fault, `key` the member, `at` what of it: "key", "value", "start" or "end".

    With type `x_content_parse_exception` the position becomes part of the reason, otherwise `line` and `col` of the error.
    """

    def __init__(
        self,
        reason: str,
        node: Any = None,
        key: str | int | None = None,
        at: str = "value",
        type: str = "parsing_exception",
        caused_by: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(400, type, reason, {"caused_by": dict(caused_by)} if caused_by else None)
        self.node = node
        self.key = key
        self.at = at
        self.inner: ApiError | None = None


class ShardError(ApiError):
    """The search cannot run on an index; the coordinator answers it as a failure of each of its shards.

    `in_sort`: it is the order of the hits that cannot be, which shows already where shards that cannot match are looked for.
    """

    in_sort = False


class TooDeep(ApiError):
    """Queries stand too deep in each other; told once, not by every level."""


class QueryFault(Exception):
    """A query cannot be built on this index; becomes "failed to create query: …" of a `query_shard_exception`."""

    def __init__(
        self, reason: str, type: str = "illegal_argument_exception", caused_by: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.type = type
        self.caused_by = caused_by


class ShardQuery(QueryFault):
    """A fault that is told as it is, by a `query_shard_exception` of its own."""


def argument(reason: str) -> ApiError:
    return ApiError(400, "illegal_argument_exception", reason)


def shard_argument(reason: str) -> ShardError:
    return ShardError(400, "illegal_argument_exception", reason)


def failed_field(parser: str, key: str, inner: ApiError, node: Any = None) -> Malformed:
    """`[parser] failed to parse field [key]`, at the place of what went wrong inside."""
    fault = Malformed(f"[{parser}] failed to parse field [{key}]", node, key, "value", "x_content_parse_exception")
    if isinstance(inner, Malformed) and inner.node is not None:
        fault.node, fault.key, fault.at = inner.node, inner.key, inner.at
    fault.inner = inner
    return fault


def parse_wrapped(parser: str, problem: str, node: Any, key: str) -> Malformed:
    """Some queries answer the x_content_parse_exception of their parser as the cause of a parsing_exception with its text."""
    fault = Malformed(f"[{parser}] {problem}", node, key)
    fault.inner = Malformed(f"[{parser}] {problem}", node, key, "key", "x_content_parse_exception")
    return fault


def x_content(reason: str, node: Any = None, key: str | int | None = None, at: str = "key") -> Malformed:
    return Malformed(reason, node, key, at, "x_content_parse_exception")


def did_you_mean(unknown: str, known: Iterable[str]) -> str:
    """The tail of an unknown-name message: empty, " did you mean [x]?" or " did you mean any of [x, y]?"."""
    scored = [(similarity(unknown, name), name) for name in sorted(set(known))]
    close = [name for score, name in sorted(scored, key=lambda item: (-item[0], item[1])) if score > 0.5]
    if not close:
        return ""
    return f" did you mean [{close[0]}]?" if len(close) == 1 else f" did you mean any of [{', '.join(close)}]?"


def similarity(left: str, right: str) -> float:
    """1 − edit distance / longer length."""
    if abs(len(left) - len(right)) > max(len(left), len(right)) / 2:
        return 0.0
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        previous, row[0] = row[0], i
        for j, b in enumerate(right, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (a != b))
    longest = max(len(left), len(right))
    return 1.0 - row[-1] / longest if longest else 1.0
