from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from quidditch.lib.logging import configure


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_both_kinds_of_loggers_come_out_alike() -> None:
    out = io.StringIO()
    configure("info", out)
    structlog.get_logger("a.b").info("shard opened", index="x", shard=3)
    logging.getLogger("c").warning("slow %s", "disk")
    structlog.get_logger("a.b").debug("not shown")
    first, second = out.getvalue().splitlines()
    assert first.endswith("INFO    a.b: shard opened index='x' shard=3")
    assert second.endswith("WARNING c: slow disk")


def test_machines_get_json_and_tracebacks_are_kept() -> None:
    out = io.StringIO()
    configure("debug", out, json=True)
    try:
        raise ValueError("boom")
    except ValueError:
        structlog.get_logger("a").exception("it failed", number=1)
    event = json.loads(out.getvalue())
    assert (event["event"], event["level"], event["number"]) == ("it failed", "error", 1)
    assert "ValueError: boom" in event["exception"]


def test_an_unknown_level_is_named() -> None:
    with pytest.raises(ValueError, match="loud"):
        configure("loud")
