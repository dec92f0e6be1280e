"""Sockets and the HTTP server's life."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
import socket
import ssl
from collections.abc import Iterator

from uvicorn.config import Config as ServerConfig
from uvicorn.server import Server

from quidditch.cli import transport
from quidditch.cli.addresses import family, is_any, is_loopback, joined, leaves_by
from quidditch.cli.config import Config, ConfigError
from quidditch.cli.guard import missing
from quidditch.rest.protocol import Protocol
from quidditch.rest.server import App

_HOST = "http.host"
_OTHERS = "transport.host"
_OUTSIDE = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}
"""Addresses of nobody, of the ranges kept for documentation."""


def bind(config: Config) -> socket.socket:
    """A socket on the first free port of the configured range. Raises :class:`ConfigError`."""
    host = config[_HOST]
    _check_reach(config)
    ports = config.ports()
    for port in ports:
        listener = socket.socket(family(host), socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if host == "::":  # IPv4 as well, whatever the system's default is
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
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


def _check_reach(config: Config) -> None:
    """Without TLS and users only this machine may talk to the node. Raises :class:`ConfigError`."""
    host = config[_HOST]
    if is_loopback(_HOST, host):
        return
    lacking = missing(config)
    if lacking:
        raise ConfigError(
            f"[{_HOST}] is {host}, which other machines can reach: requests then need TLS and users; missing: {', '.join(lacking)}"
        )


def published(config: Config, listener: socket.socket) -> str:
    """The address and port that clients and other nodes are told. Raises :class:`ConfigError`."""
    host = publish_host(config)
    bound, port = listener.getsockname()[:2]
    return joined(bound if host == config[_HOST] else host, port)


def publish_host(config: Config) -> str:
    """The address that clients and other nodes are told: the one named, that of the transport, the one listened on, or that of the
    interface towards the others. Raises :class:`ConfigError` where none is one that can be dialled.
    """
    named, host = config["http.publish_host"], config[_HOST]
    if named:
        if is_any("http.publish_host", named):
            raise ConfigError(f"[http.publish_host] is {named}, which nobody can dial")
        return named
    if is_loopback(_HOST, host):
        return host
    if config["transport.publish_host"] or (is_any(_HOST, host) and not is_loopback(_OTHERS, config[_OTHERS])):
        return transport.publish_host(config)
    if not is_any(_HOST, host):
        return host
    found = leaves_by(_OUTSIDE[family(host)], 9, family(host))
    if found is None:
        raise ConfigError(
            f"[{_HOST}] is {host}, which nobody can dial, and no route leads out of this machine that shows its address: "
            "set [http.publish_host] to the address that clients reach this node by"
        )
    return found


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


def server(app: App, tls: ssl.SSLContext | None = None) -> HttpServer:
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
    config.load()
    config.ssl = tls
    return HttpServer(config)
