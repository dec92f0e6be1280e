"""Logging: constant lower-case messages, data in fields; one line per event, for people or (`json`) for machines.

Modules take `structlog.get_logger(__name__)` or the standard library's logger; both come out alike.
"""

from __future__ import annotations

import logging
import sys
from typing import TextIO

import structlog
from structlog.typing import Processor

LEVELS = ("debug", "info", "warning", "error")


def configure(level: str, stream: TextIO | None = None, *, json: bool = False) -> None:
    """Sets up the process's logging. Raises ValueError for a level that there is not."""
    if level.lower() not in LEVELS:
        raise ValueError(f"[{level}] is no log level, use one of {', '.join(LEVELS)}")
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.processors.StackInfoRenderer(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    last: list[Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()] if json else [_line]
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


def _line(_logger: object, _method: str, event: structlog.typing.EventDict) -> str:
    """`time LEVEL logger: message field=value`, a traceback below."""
    time, level, name = event.pop("time", ""), event.pop("level", ""), event.pop("logger", "")
    message = event.pop("event", "")
    event = structlog.processors.format_exc_info(_logger, _method, event)
    trace = event.pop("exception", None)
    fields = "".join(f" {key}={value!r}" for key, value in event.items())
    line = f"{time} {level.upper():7} {name}: {message}{fields}"
    return f"{line}\n{trace}" if trace else line
