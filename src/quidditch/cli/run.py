"""`quidditch run`: puts a node together, serves it, and takes it apart again."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
import time
from collections.abc import Callable

import orjson
import uvloop
from quidditch_kernel import Runtime

from quidditch import __version__
from quidditch.cli import listen
from quidditch.cli.config import Config
from quidditch.coordinator.get import Getter
from quidditch.coordinator.mappings import Mappings
from quidditch.coordinator.shards import Shards
from quidditch.coordinator.write import Writer
from quidditch.datanode.folder import DataFolder
from quidditch.datanode.node import DataNode
from quidditch.rest.node import Node
from quidditch.rest.pressure import Pressure
from quidditch.rest.registry import all_routes
from quidditch.rest.server import App

Ready = Callable[[str, Callable[[], None]], None]
"""Called with the node's URL, and with what ends it (from any thread), once it answers."""


def serve(config: Config, ready: Ready | None = None) -> None:
    """Runs a node until it is told to end. Raises ConfigError or FolderError before it serves."""
    logging.basicConfig(
        level=config["logger.level"].upper(), format="%(asctime)s %(levelname)-7s %(name)s: %(message)s", stream=sys.stderr
    )
    started = time.monotonic()
    folder = DataFolder(config.data_path)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(config, folder, ready, started))
    finally:
        folder.close()
