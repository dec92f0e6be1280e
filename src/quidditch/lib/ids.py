"""Chance, as an argument: random ids for processes, counted ones for tests."""

from __future__ import annotations

import base64
import itertools
import uuid


class RandomIds:
    def uuid(self) -> str:
        """A random UUID as 22 URL-safe characters."""
        return base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()


class CountedIds:
    """`id-1`, `id-2`, … padded to 22 characters."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def uuid(self) -> str:
        return f"id-{next(self._numbers):019d}"
