"""`quidditch run`: serves a node until it is told to end."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import socket
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, TypeAlias, cast, get_args

import uvloop

from quidditch import __version__
from quidditch.cli import listen
from quidditch.cli.addresses import joined
from quidditch.cli.compose import open_embedded
from quidditch.cli.config import Config, ConfigError
from quidditch.cli.guard import Guard, guard
from quidditch.datanode.folder import DataFolder
from quidditch.lib.logging import configure
from quidditch.model.codec import FormatError
from quidditch.rest.logins import Logins
from quidditch.rest.node import Node
from quidditch.rest.registry import all_routes
from quidditch.rest.secured import SecuredApp
from quidditch.rest.server import App
from quidditch.store.api import StoreError

if TYPE_CHECKING:
    from quidditch.cli.member import Stand

_BIG_BLOCK = 4 << 20
Ready = Callable[[str, Callable[[], None]], None]
"""Called with the node's URL, and with what ends it (from any thread), once it answers."""


def serve(config: Config, ready: Ready | None = None, started: float | None = None) -> None:
    """Runs a node. Raises ConfigError or FolderError if it cannot be started.

    `started` is when the process began (monotonic), for the line that says how long it took.
    """
    keep_freed_memory()
    _log_to_stderr(config["logger.level"])
    started = time.monotonic() if started is None else started
    mode(config)
    guarded = guard(config)
    listener = listen.bind(config)
    try:
        folder = DataFolder(config.data_path)
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(_serve(config, folder, listener, guarded, ready, started))
        except (StoreError, FormatError) as error:
            raise ConfigError(f"the cluster's state in {folder.path} cannot be used: {error}") from None
        finally:
            folder.close()
    finally:
        listener.close()


def keep_freed_memory() -> None:
    """glibc gives what is free at the end of the heap back to the system at once, until it has seen a bigger block freed: bodies between
    nodes would be taken anew page by page, each time, which costs several times as much as what is done with them. Up to twice the
    block's size is kept from now on; none of it is touched here.
    """
    bytes(_BIG_BLOCK)


Mode: TypeAlias = Literal["embedded", "raft", "k8s"]


def mode(config: Config) -> Mode:
    """Where the control plane of this node is. Raises :class:`ConfigError`."""
    asked = config["controlPlane.mode"]
    if asked == "auto":
        others = ("discovery.seed_hosts", "raft.peers", "raft.join", "raft.endpoints")
        return "raft" if any(config[name] for name in others) or "cluster_manager" not in config.roles else "embedded"
    if asked in get_args(Mode):
        return cast(Mode, asked)
    raise ConfigError(f"[controlPlane.mode] is auto, embedded, raft or k8s, not [{asked}]")


def _stand(config: Config) -> Stand | None:
    """What makes a node with these roles a candidate for the lead."""
    if "cluster_manager" not in config.roles:
        return None
    if mode(config) == "k8s":
        from quidditch.cli import kubernetes

        return kubernetes.stand
    from quidditch.cli import raft

    return raft.stand


async def _serve(
    config: Config, folder: DataFolder, listener: socket.socket, guarded: Guard, ready: Ready | None, started: float
) -> None:
    address = listen.published(config, listener)
    url = f"{guarded.scheme}://{address}"
    if mode(config) == "embedded":
        parts = await open_embedded(config, folder, address)
    else:
        from quidditch.cli.member import open_member

        parts = await open_member(config, folder, address, _stand(config))
    parts.node.extra["http_bound"] = joined(*listener.getsockname()[:2])
    try:
        guarded.start()
        app = _app(parts.node, config, guarded.logins)
        server = listen.server(app, guarded.context)
        _announce(config, folder, url, started)
        gc.collect()
        gc.freeze()
        if ready is not None:
            loop = asyncio.get_running_loop()
            ready(url, lambda: _end(loop, server))
        await server.serve([listener])
    finally:
        await guarded.stop()
        await parts.close()


def _app(node: Node, config: Config, logins: Logins | None) -> App:
    """The application, which knows users where there are some."""
    routes, largest = all_routes(), config.size("http.max_content_length")
    return App(node, routes, largest) if logins is None else SecuredApp(node, routes, largest, logins=logins)


def _end(loop: asyncio.AbstractEventLoop, server: listen.HttpServer) -> None:
    def ask() -> None:
        server.should_exit = True

    loop.call_soon_threadsafe(ask)


def _announce(config: Config, folder: DataFolder, url: str, started: float) -> None:
    took = time.monotonic() - started
    print(f"quidditch {__version__}, node {config.node_name} of cluster {config['cluster.name']}, pid {os.getpid()}")
    print(f"data in {folder.path}")
    print(f"listening on {url} (after {took:.2f} s); try:")
    cacert = "--cacert CA.pem " if url.startswith("https") else ""
    user = "-u NAME " if config["http.users_file"] else ""
    print(f"  curl {cacert}{user}'{url}/?pretty'", flush=True)


def _log_to_stderr(level: str) -> None:
    try:
        configure(level, sys.stderr)
    except ValueError as error:
        raise ConfigError(f"[logger.level]: {error}") from None
    logging.getLogger("uvicorn").setLevel(max(logging.getLogger().level, logging.ERROR))
