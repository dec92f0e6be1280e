"""What was asked of documents, what was answered, and so what each document may hold now. Pure.

Each document has one writer, who numbers his attempts upwards, and each attempt says which state it wants to change: by an external
version, which is its number, or by the sequence number that it saw. So an attempt of which nobody heard may have happened, or may happen
later, but never after a later one was acknowledged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Content = int | None
"""The number of the attempt that wrote what the document holds; None where there is no document."""
Place = tuple[int, int]
"""Sequence number and primary term of an operation."""


@dataclass
class Document:
    """`settled`: the attempt that certainly happened last, with its place where that is known; `open`: later ones, which may have."""

    settled: int = 0
    content: Content = None
    place: Place | None = None
    open: dict[int, Content] = field(default_factory=dict)
    newest: int = 0

    def begin(self, *, deletes: bool = False) -> int:
        """The number of a new attempt, whose outcome is not known until somebody tells it."""
        self.newest += 1
        self.open[self.newest] = None if deletes else self.newest
        return self.newest

    def acknowledge(self, number: int, place: Place | None = None) -> None:
        """The attempt happened, and is on disk."""
        self.settled, self.content, self.place = number, self.open[number], place
        self.open = {later: content for later, content in self.open.items() if later > number}

    def refuse(self, number: int) -> None:
        """The attempt did not happen and will not."""
        del self.open[number]

    def possible(self) -> set[Content]:
        return {self.content, *self.open.values()}

    def observe(self, content: Content, place: Place | None = None) -> str | None:
        """What it holds on every copy while nothing fails; it stays so but for later attempts. Says what is wrong with that."""
        if content == self.content:
            if content is not None and self.place is not None and place is not None and place != self.place:
                return f"attempt {content} was acknowledged at {self.place} and is at {place}"
            return None
        for number in sorted(self.open):
            if self.open[number] == content:
                self.acknowledge(number, place)
                return None
        return f"holds {content}; acknowledged: {self.settled} ({self.content}), perhaps: {self.open}"


@dataclass
class Ledger:
    """Documents by id, and the keys of documents with generated ids: each attempt to write one has a key of its own."""

    documents: dict[str, Document] = field(default_factory=dict)
    written: set[Any] = field(default_factory=set)
    doubtful: set[Any] = field(default_factory=set)

    def compare(self, found: Mapping[str, tuple[int, Place]]) -> list[str]:
        """What is wrong with the documents that are there: content and place by id."""
        problems = [f"[{id}] was never written" for id in found.keys() - self.documents.keys()]
        for id, document in self.documents.items():
            content, place = found.get(id, (None, None))
            problem = document.observe(content, place)
            if problem is not None:
                problems.append(f"[{id}] {problem}")
        return problems

    def compare_keys(self, found: Counter[Any]) -> list[str]:
        """What is wrong with the documents with generated ids that are there: how many by key."""
        problems = [f"key {key!r} was acknowledged and is lost" for key in self.written - found.keys()]
        problems += [f"key {key!r} is there {count} times" for key, count in found.items() if count > 1]
        problems += [f"key {key!r} was never written" for key in found.keys() - self.written - self.doubtful]
        return problems
