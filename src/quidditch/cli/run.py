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
from typing import Literal

import uvloop

from quidditch import __version__
from quidditch.cli import listen
from quidditch.cli.compose import open_embedded
from quidditch.cli.config import Config, ConfigError
from quidditch.datanode.folder import DataFolder
from quidditch.lib.logging import configure
from quidditch.model.codec import FormatError
from quidditch.rest.registry import all_routes
from quidditch.rest.server import App
from quidditch.store.api import StoreError

Ready = Callable[[str, Callable[[], None]], None]
"""Called with the node's URL, and with what ends it (from any thread), once it answers."""


def serve(config: Config, ready: Ready | None = None, started: float | None = None) -> None:
    """Runs a node. Raises ConfigError or FolderError if it cannot be started.

    `started` is when the process began (monotonic), for the line that says how long it took.
    """
    _log_to_stderr(config["logger.level"])
    started = time.monotonic() if started is None else started
    mode(config)
    listener = listen.bind(config)
    try:
        folder = DataFolder(config.data_path)
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(_serve(config, folder, listener, ready, started))
        except (StoreError, FormatError) as error:
            raise ConfigError(f"the cluster's state in {folder.path} cannot be used: {error}") from None
        finally:
            folder.close()
    finally:
        listener.close()


def mode(config: Config) -> Literal["embedded", "raft"]:
    """Where the control plane of this node is. Raises :class:`ConfigError`."""
    asked = config["controlPlane.mode"]
    if asked == "auto":
        others = ("discovery.seed_hosts", "raft.peers", "raft.join", "raft.endpoints")
        return "raft" if any(config[name] for name in others) or "cluster_manager" not in config.roles else "embedded"
    if asked == "embedded":
        return "embedded"
    if asked == "raft":
        return "raft"
    raise ConfigError(f"[controlPlane.mode] is auto, embedded or raft, not [{asked}]")


async def _serve(
    config: Config, folder: DataFolder, listener: socket.socket, ready: Ready | None, started: float
) -> None:
    host, port = listener.getsockname()[:2]
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if mode(config) == "raft":
        from quidditch.cli.raft import open_raft

        parts = await open_raft(config, folder, address)
    else:
        parts = await open_embedded(config, folder, address)
    try:
        app = App(parts.node, all_routes(), config.size("http.max_content_length"))
        server = listen.server(app)
        _announce(config, folder, f"http://{address}", started)
        gc.collect()
        gc.freeze()
        if ready is not None:
            loop = asyncio.get_running_loop()
            ready(f"http://{address}", lambda: _end(loop, server))
        await server.serve([listener])
    finally:
        await parts.close()


def _end(loop: asyncio.AbstractEventLoop, server: listen.HttpServer) -> None:
    def ask() -> None:
        server.should_exit = True

    loop.call_soon_threadsafe(ask)


def _announce(config: Config, folder: DataFolder, url: str, started: float) -> None:
    took = time.monotonic() - started
    print(f"quidditch {__version__}, node {config.node_name} of cluster {config['cluster.name']}, pid {os.getpid()}")
    print(f"data in {folder.path}")
    print(f"listening on {url} (after {took:.2f} s); try:")
    print(f"  curl '{url}/?pretty'", flush=True)


def _log_to_stderr(level: str) -> None:
    try:
        configure(level, sys.stderr)
    except ValueError as error:
        raise ConfigError(f"[logger.level]: {error}") from None
    logging.getLogger("uvicorn").setLevel(max(logging.getLogger().level, logging.ERROR))
