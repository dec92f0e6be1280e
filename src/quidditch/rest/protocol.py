"""uvicorn's HTTP protocol with limits on the request line and headers, and refusals in JSON."""

from __future__ import annotations

from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_LINE_BYTES = 4096
MAX_HEADER_BYTES = 16384
_HEAD_BYTES = 256 * 1024
"""A head that is not complete after so many bytes is refused: the parser itself keeps an endless header in memory."""


class Protocol(HttpToolsProtocol):
    """One connection."""

    _head_bytes = 0
    _header_bytes = 0
    _in_head = True
    _problem: tuple[str, str] | None = None

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > _HEAD_BYTES and not self.transport.is_closing():
            self._problem = _header_problem()
            self.send_400_response("")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes = self._header_bytes = 0
        self._in_head = True

    def on_url(self, url: bytes) -> None:
        self.url += url
        if len(self.url) > MAX_LINE_BYTES:
            self._problem = ("too_long_http_line_exception", f"An HTTP line is larger than {MAX_LINE_BYTES} bytes.")
            raise ValueError("line too long")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_bytes += len(name) + len(value) + 4
        if self._header_bytes > MAX_HEADER_BYTES:
            self._problem = _header_problem()
            raise ValueError("headers too long")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_head = True
        self._head_bytes = 0

    def send_400_response(self, msg: str) -> None:
        """Answers what is no HTTP at all; the connection ends here."""
        type_, reason = self._problem or ("illegal_argument_exception", f"malformed HTTP request: {msg}")
        cause: dict[str, Any] = {"type": type_, "reason": reason}
        body = orjson.dumps({"error": {"root_cause": [cause], **cause}, "status": 400})
        head = (
            b"HTTP/1.1 400 Bad Request\r\nx-elastic-product: Elasticsearch\r\n"
            b"content-type: application/json; charset=UTF-8\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head % len(body) + body)
        self.transport.close()


def _header_problem() -> tuple[str, str]:
    return "too_long_http_header_exception", f"HTTP header is larger than {MAX_HEADER_BYTES} bytes."
