"""What ends a search before it is done: in the kernel here, and on the nodes that work on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from quidditch_kernel import Cancel


class Stop:
    """Used from the event loop's thread; `kernel` is given to calls of the kernel, which look at it from their threads."""

    __slots__ = ("_told", "kernel")

    def __init__(self) -> None:
        self.kernel = Cancel()
        self._told: list[Callable[[], None]] = []

    @property
    def stopped(self) -> bool:
        return self.kernel.cancelled

    def cancel(self) -> None:
        self.kernel.cancel()
        for tell in list(self._told):
            tell()

    @contextmanager
    def telling(self, tell: Callable[[], None]) -> Iterator[None]:
        """While the block runs, `tell` is called if the search is ended."""
        self._told.append(tell)
        try:
            yield
        finally:
            self._told.remove(tell)
