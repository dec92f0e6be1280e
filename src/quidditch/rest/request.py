"""One request as handlers see it."""

from __future__ import annotations

from typing import Any

from quidditch.coordinator.search_stop import Stop
from quidditch.model.errors import ApiError, illegal_argument
from quidditch.model.json_text import parse_json
from quidditch.rest import params
from quidditch.rest.media import Media
from quidditch.rest.route import Route

JSON_MEDIA = Media("json")
_SHOWN_BYTES = 2000


class Request:
    """Path, parameters, headers and body.

    `path` is the path as it was sent (not decoded); `path_params` and `query` are decoded. `body` is always JSON (or
    lines of JSON): YAML was translated before. `media` is what the answer is to be written in.
    """

    __slots__ = ("_cancel", "body", "headers", "media", "method", "path", "path_params", "query", "route", "security")

    def __init__(
        self,
        method: str,
        path: str,
        route: Route,
        path_params: dict[str, str],
        query: dict[str, str],
        headers: dict[bytes, bytes],
        body: bytes,
        media: Media,
    ) -> None:
        self.method = method
        self.path = path
        self.route = route
        self.path_params = path_params
        self.query = query
        self.headers = headers
        self.body = body
        self.media = media
        self.security: Any = None
        self._cancel: Stop | None = None

    def cancel(self) -> Stop:
        """What ends the searches of this request; made for those that may run long enough to be ended."""
        if self._cancel is None:
            self._cancel = Stop()
        return self._cancel

    # --- parameters -------------------------------------------------------------------------------------------------

    def param(self, name: str, default: str | None = None) -> str | None:
        """A parameter of the path or, if the path has none of that name, of the query string."""
        value = self.path_params.get(name)
        return value if value is not None else self.query.get(name, default)

    def flag(self, name: str, default: bool = False) -> bool:
        """A boolean parameter; present without a value means true."""
        value = self.query.get(name)
        return default if value is None else params.to_bool(value)

    def optional_flag(self, name: str) -> bool | None:
        value = self.query.get(name)
        return None if value is None else params.to_bool(value)

    def int(self, name: str, default: int | None = None) -> int | None:
        value = self.query.get(name)
        return default if value is None or value == "" else params.to_int(value, name)

    def long(self, name: str, default: int | None = None) -> int | None:  # type: ignore[valid-type]
        value = self.query.get(name)
        return default if value is None or value == "" else params.to_int(value, name, 64)

    def float(self, name: str, default: float | None = None) -> float | None:
        value = self.query.get(name)
        return default if value is None or value == "" else params.to_float(value, name)

    def time(self, name: str, default_ms: int | None = None) -> int | None:  # type: ignore[valid-type]
        """A time value such as `30s`, in milliseconds."""
        value = self.param(name)
        return default_ms if value is None or value == "" else params.to_millis(value, name)

    def list(self, name: str) -> list[str] | None:
        """A comma-separated parameter; None if it is absent."""
        value = self.param(name)
        return None if value is None else [piece.strip() for piece in value.split(",") if piece.strip()]

    # --- headers ----------------------------------------------------------------------------------------------------

    def header(self, name: str) -> str | None:
        value = self.headers.get(name.lower().encode("latin-1"))
        return None if value is None else value.decode("latin-1")

    # --- body -------------------------------------------------------------------------------------------------------

    def content(self) -> bytes:
        """The body or, without one, the `source` parameter."""
        if self.body:
            return self.body
        source = self.query.get("source")
        if source is None:
            return b""
        if not self.query.get("source_content_type"):
            raise ApiError(400, "illegal_state_exception", "source and source_content_type parameters are required")
        return source.encode()

    def json(self) -> Any:
        """The body parsed; raises if there is none or it is not JSON."""
        content = self.content()
        if not content:
            raise ApiError(400, "parse_exception", "request body is required")
        return parse_json(content)

    def json_or_none(self) -> Any:
        content = self.content()
        return parse_json(content) if content else None

    def json_object(self) -> dict[str, Any]:
        """The body, which has to be a JSON object."""
        value = self.json()
        if not isinstance(value, dict):
            raise parse_error(f"expected a JSON object but found {kind_of(value)}")
        return value

    def json_object_or_empty(self) -> dict[str, Any]:
        return self.json_object() if self.content() else {}

    def describe(self) -> str:
        """What the request is about, for those who look at tasks."""
        source = self.body[:_SHOWN_BYTES].decode("utf-8", "replace")
        if self.route.load == "search":
            kind = self.query.get("search_type", "query_then_fetch").upper()
            return f"indices[{self.path_params.get('index', '')}], search_type[{kind}], source[{source}]"
        return f"requests[{self.method} {self.path}], bytes[{len(self.body)}]"

    def __repr__(self) -> str:
        return f"Request({self.method} {self.path})"


def kind_of(value: Any) -> str:
    """JSON's token names, as error texts have them."""
    if value is None:
        return "VALUE_NULL"
    if isinstance(value, bool):
        return "VALUE_BOOLEAN"
    if isinstance(value, (int, float)):
        return "VALUE_NUMBER"
    if isinstance(value, str):
        return "VALUE_STRING"
    return "START_ARRAY" if isinstance(value, list) else "START_OBJECT"


def parse_error(reason: str) -> ApiError:
    return ApiError(400, "parse_exception", reason)


def require(request: Request, name: str) -> str:
    """A parameter that has to be there."""
    value = request.param(name)
    if value is None:
        raise illegal_argument(f"[{name}] is required")
    return value
