"""One piece of work for each of many things, spread over some threads."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


async def spread(
    call: Callable[[Callable[[], None]], Awaitable[None]], width: int, items: Sequence[T], work: Callable[[T], R]
) -> list[R]:
    """The results in the order of the items. `call` runs a function in a thread; up to `width` of them take the items one after the
    other. Threads that `call` refuses, or gives too late, leave the work to the others. Raises what `call` or `work` raises.
    """
    found: dict[int, R] = {}
    left = iter(range(len(items)))

    def some() -> None:
        # Threads share the iterator: each step of it is one operation of the interpreter.
        for at in left:
            found[at] = work(items[at])

    calls = [asyncio.ensure_future(call(some)) for _ in range(min(width, len(items)))]
    pending = set(calls)
    try:
        while pending and len(found) < len(items):
            _, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in pending:
            each.cancel()
    errors = [error for each in calls if each not in pending and (error := each.exception()) is not None]
    if len(found) < len(items):
        raise errors[0]
    return [found[at] for at in range(len(items))]


class Spent:
    """Time that threads took for something, all together."""

    def __init__(self) -> None:
        self.millis = 0.0
        self._local = threading.local()

    def __enter__(self) -> None:
        self._local.started = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self.millis += (time.perf_counter() - self._local.started) * 1000
