"""Metrics that a path asks for by name: `_stats/docs`, `_nodes/stats/os`, `_cluster/stats/indices/docs/nodes/_all`."""

from __future__ import annotations

from collections.abc import Collection

from quidditch.model.errors import illegal_argument
from quidditch.rest.params import similarity
from quidditch.rest.request import Request


def asked(
    request: Request, parameter: str, known: Collection[str], what: str = "metric", *, suggest: bool = True
) -> list[str]:
    """The metrics asked for, in that order; empty for all. Raises illegal_argument_exception for unknown ones."""
    names = request.list(parameter) or []
    if not names or names == ["_all"]:
        return []
    if "_all" in names:
        raise illegal_argument(f"request [{request.path}] contains _all and individual {what}s [{','.join(names)}]")
    unknown = sorted(name for name in names if name not in known)
    if unknown:
        listed = ", ".join(f"[{name}]{_suggestion(name, known) if suggest else ''}" for name in unknown)
        plural = "s" if len(unknown) > 1 else ""
        raise illegal_argument(f"request [{request.path}] contains unrecognized {what}{plural}: {listed}")
    return names


def _suggestion(metric: str, known: Collection[str]) -> str:
    scored = sorted((-similarity(metric, name), name) for name in known)
    close = [name for score, name in scored if -score > 0.5]
    if not close:
        return ""
    return f" -> did you mean [{close[0]}]?" if len(close) == 1 else f" -> did you mean any of [{', '.join(close)}]?"
