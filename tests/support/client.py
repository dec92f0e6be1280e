"""The HTTP client of the tests: one connection, bytes as they are."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    data: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.data)


def basic(login: str) -> str:
    """The header `Authorization` of name:password."""
    return f"Basic {base64.b64encode(login.encode()).decode()}"


class Client:
    """Opens a new connection when the server has closed the old one."""

    def __init__(
        self,
        url: str,
        timeout: float = 60.0,
        ca: Path | None = None,
        login: str = "",
        certificate: tuple[Path, Path] | None = None,
    ) -> None:
        """`ca`: whose certificates are trusted where the URL says https; `login`: name:password; `certificate`: files of it and its key."""
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)
        if parts.scheme == "https":
            context = ssl.create_default_context(cafile=ca)
            if certificate is not None:
                context.load_cert_chain(*certificate)
            self._connection = http.client.HTTPSConnection(
                parts.hostname or "", parts.port, timeout=timeout, context=context
            )
        self.login = login

    def call(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, repeat: bool = True
    ) -> Answer:
        """`body`: bytes go out as they are, a list as lines of JSON, anything else as JSON."""
        sent = dict(headers or {})
        if self.login:
            sent.setdefault("Authorization", basic(self.login))
        if isinstance(body, list):
            body = b"".join(json.dumps(line).encode() + b"\n" for line in body)
            sent.setdefault("Content-Type", "application/x-ndjson")
        elif body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        for attempt in (1, 2):
            try:
                self._connection.request(method, path, body, sent)
                response = self._connection.getresponse()
                return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
            except (OSError, http.client.HTTPException):
                self._connection.close()
                if attempt == 2 or not repeat:
                    raise
        raise AssertionError

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
