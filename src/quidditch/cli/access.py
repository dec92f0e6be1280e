"""How commands reach a node as its clients do: by TLS where its URL says so, with a name and a password where it has users."""

from __future__ import annotations

import base64
import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import http.client
    import ssl

DEFAULT_PORT = 9200


class Access:
    """Who asks, and whom he trusts: the authority in the file `cacert`, or those of the system. `cert` and `key`: files of his own
    certificate.
    """

    def __init__(self, user: str = "", password: str = "", cacert: str = "", cert: str = "", key: str = "") -> None:
        login = base64.b64encode(f"{user}:{password}".encode()).decode()
        self.headers = {"Authorization": f"Basic {login}"} if user else {}
        self._cacert, self._cert, self._key = cacert, cert, key

    @functools.cached_property
    def tls(self) -> ssl.SSLContext:
        """Raises :class:`ConfigError`."""
        import ssl

        from quidditch.cli.config import ConfigError

        try:
            context = ssl.create_default_context(cafile=self._cacert or None)
        except OSError as error:  # ssl.SSLError is one
            problem = "no certificate in PEM" if isinstance(error, ssl.SSLError) else error.strerror
            raise ConfigError(f"--cacert {self._cacert} cannot be used: {problem}") from None
        if self._cert:
            try:
                context.load_cert_chain(self._cert, self._key or None, password="")
            except OSError as error:
                problem = "no certificate with its key in PEM" if isinstance(error, ssl.SSLError) else error.strerror
                raise ConfigError(f"--cert {self._cert} and --key {self._key} cannot be used: {problem}") from None
        return context

    def connection(self, url: str, timeout: float) -> http.client.HTTPConnection:
        """Not yet connected. Raises :class:`ConfigError` for what is no URL of a node."""
        import http.client
        from urllib.parse import urlsplit

        from quidditch.cli.config import ConfigError

        parts = urlsplit(url)
        try:
            host, port = parts.hostname, parts.port or DEFAULT_PORT
        except ValueError:
            host, port = None, 0
        if parts.scheme not in ("http", "https") or not host:
            raise ConfigError(f"[{url}] is no URL of a node")
        if parts.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=timeout)
        return http.client.HTTPSConnection(host, port, timeout=timeout, context=self.tls)
