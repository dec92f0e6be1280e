"""What handlers answer with. Nothing is written until the server knows in which format the client wants it."""

from __future__ import annotations

from typing import Any

from quidditch.rest import media

_UNSET = object()


class Response:
    """A status with either a value, written as JSON or YAML, or bytes that are already the body."""

    __slots__ = ("body", "content_type", "headers", "status", "value")

    def __init__(self, status: int, value: Any = _UNSET, body: bytes = b"", content_type: str | None = None) -> None:
        self.status = status
        self.value = value
        self.body = body
        self.content_type = content_type
        self.headers: list[tuple[bytes, bytes]] | None = None

    @staticmethod
    def json(value: Any, status: int = 200) -> Response:
        return Response(status, value)

    @staticmethod
    def raw(body: bytes, content_type: str = media.JSON, status: int = 200) -> Response:
        """Bytes as they are. JSON bytes are parsed again only for `filter_path`, `pretty` or YAML."""
        return Response(status, body=body, content_type=content_type)

    @staticmethod
    def text(text: str, status: int = 200) -> Response:
        return Response(status, body=text.encode(), content_type=media.TEXT)

    @staticmethod
    def empty(status: int = 200) -> Response:
        """No body: the answer of HEAD."""
        return Response(status, body=b"", content_type=media.TEXT)

    @property
    def has_value(self) -> bool:
        return self.value is not _UNSET

    def header(self, name: str, value: str) -> Response:
        """Adds a header; returns the response itself."""
        if self.headers is None:
            self.headers = []
        clean = value.replace("\r", " ").replace("\n", " ")
        self.headers.append((name.lower().encode("latin-1"), clean.encode("utf-8")))
        return self

    def warning(self, text: str) -> Response:
        """A deprecation warning as OpenSearch's clients know it."""
        quoted = text.replace("\\", "\\\\").replace('"', '\\"')
        return self.header("Warning", f'299 OpenSearch-3.1.0-quidditch "{quoted}"')
