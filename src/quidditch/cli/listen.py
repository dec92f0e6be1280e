"""Sockets and the HTTP server's life."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import signal
import socket
from collections.abc import Iterator

from uvicorn.config import Config as ServerConfig
from uvicorn.server import Server

from quidditch.cli.config import Config, ConfigError
from quidditch.rest.protocol import Protocol
from quidditch.rest.server import App


def bind(config: Config) -> socket.socket:
    """A socket on the first free port of the configured range. Raises :class:`ConfigError`."""
    host = config["http.host"]
    _check_loopback(host)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    ports = config.ports()
    for port in ports:
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen(1024)
        except OSError as error:
            listener.close()
            if error.errno == errno.EADDRINUSE and port != ports[-1]:
                continue
            if error.errno == errno.EADDRINUSE:
                text = str(port) if len(ports) == 1 else f"{ports[0]}-{ports[-1]}"
                raise ConfigError(f"port {text} of {host} is in use (http.port)") from None
            raise ConfigError(f"cannot listen on {host}:{port}: {error.strerror}") from None
        listener.setblocking(False)
        return listener
    raise AssertionError("a range has at least one port")


def _check_loopback(host: str) -> None:
    """Without TLS and users only this machine may talk to the node."""
    if host == "localhost":
        return
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise ConfigError(f"[http.host] must be an IP address or localhost, not [{host}]") from None
    if not address.is_loopback:
        raise ConfigError(
            f"[http.host] is {host}, which other machines can reach, but HTTP has no TLS and no users yet; "
            "without them a node answers requests on loopback addresses only"
        )


class HttpServer(Server):
    """Signals ask it to end: requests in flight are answered first, a second SIGINT cuts them off."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)


def server(app: App) -> HttpServer:
    """The server of an application, not yet started."""
    config = ServerConfig(
        app,
        http=Protocol,
        ws="none",
        proxy_headers=False,
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=30,
        backlog=1024,
    )
    return HttpServer(config)
