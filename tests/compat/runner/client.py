"""A plain HTTP client: the suite tests bytes on the wire, so nothing may come between."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.compat.runner.spec import Request
from tests.compat.runner.yaml12 import load_all


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: Any
    text: str


class Client:
    def __init__(self, url: str, timeout: float = 60.0) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(
            parts.hostname or "127.0.0.1", parts.port or 9200, timeout=timeout
        )

    def close(self) -> None:
        self._connection.close()

    def send(self, request: Request, headers: dict[str, str] | None = None) -> Answer:
        body, content_type = _encode(request)
        sent = dict(headers or {})
        if body is not None:
            sent.setdefault("Content-Type", content_type)
        return self.raw(request.method, request.path, body, sent)

    def raw(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
        """One request; a kept-alive connection that the server has closed meanwhile is opened again."""
        for attempt in (1, 2):
            try:
                self._connection.request(method, path, body, headers or {})
                response = self._connection.getresponse()
                data = response.read()
                break
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError, TimeoutError):
                self._connection.close()
                if attempt == 2:
                    raise
        return _answer(method, response, data)


def _encode(request: Request) -> tuple[bytes | None, str]:
    body = request.body
    if body is None:
        return None, ""
    if isinstance(body, str) and not request.bulk:
        return body.encode(), "application/json"
    if not request.bulk:
        return json.dumps(body).encode(), "application/json"
    lines = body.splitlines() if isinstance(body, str) else body
    text = "".join((line if isinstance(line, str) else json.dumps(line)).strip() + "\n" for line in lines)
    return text.encode(), "application/x-ndjson"


def _answer(method: str, response: http.client.HTTPResponse, data: bytes) -> Answer:
    text = data.decode(errors="replace")
    kind = response.headers.get("Content-Type", "")
    body: Any = text
    if method == "HEAD":
        body = response.status < 300
    elif "json" in kind and text:
        body = json.loads(text)
    elif "yaml" in kind and text:
        body = next(load_all(text))
    return Answer(response.status, dict(response.headers.items()), body, text)
