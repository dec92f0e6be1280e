"""What one entry of a `ROUTES` table says: method, path, handler, and what the server checks before calling it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quidditch.rest.node import Node
    from quidditch.rest.request import Request
    from quidditch.rest.response import Response

Handler = Callable[["Request", "Node"], Awaitable["Response"]]
AtOnce = Callable[[Mapping[str, str], Mapping[str, str], bytes, "Node"], bytes | None]

COMMON_PARAMS = frozenset({"pretty", "human", "error_trace", "filter_path", "format", "source", "source_content_type"})
"""Query parameters that every endpoint takes."""

METHODS = ("HEAD", "GET", "DELETE", "PUT", "POST", "PATCH")


class Route:
    """One endpoint.

    `path` has literal segments and `{name}` segments; `params` are the allowed query parameters besides the common ones
    and the path's own; `body` says whether a request body is allowed; `stream` marks newline-delimited bodies, which
    cannot be YAML; `load` names the pressure that the request counts against: `write` (bytes in flight), `search`
    (requests in flight) or none; `text` marks endpoints (`_cat`) that answer plain text unless asked otherwise. `action` is OpenSearch's
    name of the work; with it the request is a task while it runs. `at_once` gives the JSON that answers parameters of the path, of
    the query and a body where that takes no time, otherwise None. `alone`: answers also while the node has no state of a cluster.
    `reads`: changes nothing, so that everybody who is known may ask for it; of itself true of GET and HEAD only.
    """

    __slots__ = (
        "action",
        "alone",
        "at_once",
        "body",
        "handler",
        "load",
        "method",
        "params",
        "path",
        "reads",
        "stream",
        "text",
    )

    def __init__(
        self,
        method: str,
        path: str,
        handler: Handler,
        params: Iterable[str] = (),
        *,
        body: bool = True,
        stream: bool = False,
        load: str = "",
        text: bool = False,
        action: str = "",
        at_once: AtOnce | None = None,
        alone: bool = False,
        reads: bool | None = None,
    ) -> None:
        if method not in METHODS:
            raise ValueError(f"unknown method [{method}] of route [{path}]")
        names = {part[1:-1] for part in path.split("/") if part.startswith("{")}
        self.method = method
        self.path = path
        self.handler = handler
        self.params = COMMON_PARAMS | frozenset(params) | names
        self.body = body
        self.stream = stream
        self.load = load
        self.text = text
        self.action = action
        self.at_once = at_once
        self.alone = alone
        self.reads = method in ("GET", "HEAD") if reads is None else reads

    def __repr__(self) -> str:
        return f"Route({self.method} {self.path})"
