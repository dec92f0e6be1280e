"""What happened in a simulation, as lines and as one digest: two runs of a seed are the same if their digests are."""

from __future__ import annotations

import hashlib
from collections.abc import Callable


class Trace:
    """`echo`: where lines go besides, for a seed that is looked at."""

    def __init__(self, now: Callable[[], float], echo: Callable[[str], None] | None = None) -> None:
        self._now = now
        self._echo = echo
        self._digest = hashlib.blake2b(digest_size=16)
        self.lines = 0

    def note(self, *words: object) -> None:
        line = f"{self._now():10.4f} {' '.join(map(str, words))}"
        self._digest.update(line.encode())
        self.lines += 1
        if self._echo is not None:
            self._echo(line)

    def digest(self) -> str:
        return self._digest.hexdigest()
