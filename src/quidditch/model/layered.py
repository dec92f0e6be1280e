"""A mapping that is never changed, of which a changed one is made without copying the whole.

What was changed lies over a base that many versions share. Once so much lies over it that looking there costs more than
a copy saves, a version gets a base of its own: a change costs about the square root of the size.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

_V = TypeVar("_V")
_GONE: Any = object()
_MISSING: Any = object()
_LEAST = 64
_STEPS = 256


class _Step:
    """What was changed to make a version of the one before: the way from one version to another that shares ancestors with it."""

    __slots__ = ("before", "depth", "keys")

    def __init__(self, keys: tuple[str, ...] = (), before: _Step | None = None) -> None:
        self.keys = keys
        self.before = before
        self.depth: int = before.depth + 1 if before is not None else 0
        if self.depth and self.depth % _STEPS == 0:
            self._forget()

    def _forget(self) -> None:
        """The steps before the last few hundred, once in a while."""
        step: _Step | None = self
        for _ in range(_STEPS):
            step = step.before if step is not None else None
        if step is not None:
            step.before = None

    def between(self, other: _Step, most: int) -> dict[str, None] | None:
        """The keys that were changed on the way from one to the other; None if more than `most`, or if no way is known."""
        keys: dict[str, None] = {}
        one: _Step | None = self
        two: _Step | None = other
        while one is not two:
            if one is None or two is None or len(keys) > most:
                return None
            if one.depth >= two.depth:
                keys.update(dict.fromkeys(one.keys))
                one = one.before
            else:
                keys.update(dict.fromkeys(two.keys))
                two = two.before
        return keys


class Layered(Mapping[str, _V], Generic[_V]):
    """Equal content in equal order of keys as a dict that was changed the same way, but that a key taken out and put
    back keeps its place.
    """

    __slots__ = ("_base", "_flat", "_len", "_over", "_step")

    def __init__(self, base: dict[str, _V] | None = None, step: _Step | None = None) -> None:
        self._base: dict[str, _V] = {} if base is None else base
        self._over: dict[str, _V] = {}
        self._step = step or _Step()
        self._len = len(self._base)
        self._flat: dict[str, _V] | None = self._base

    def changed(self, changes: Mapping[str, _V], gone: Iterable[str] = ()) -> Layered[_V]:
        """The same mapping but for these values, and without the keys that are gone."""
        gone = tuple(gone)
        new: Layered[_V] = Layered(self._base, _Step((*changes, *gone), self._step))
        over = new._over = dict(self._over)
        new._len, new._flat = self._len, None
        for key, value in changes.items():
            new._len += key not in self
            over[key] = value
        for key in gone:
            new._len -= key in self
            if key in self._base:
                over[key] = _GONE
            else:
                over.pop(key, None)
        if len(over) > _LEAST and len(over) ** 2 > 4 * len(self._base):
            return Layered(new._all(), new._step)
        return new

    def differs(self, other: Layered[_V]) -> Iterator[str]:
        """The keys whose values are not the same objects in both. Costs what was changed since both were one, if that is known."""
        for key in self._doubtful(other):
            if self.get(key, _MISSING) is not other.get(key, _MISSING):
                yield key

    def _doubtful(self, other: Layered[_V]) -> Iterable[str]:
        """Among these is what differs."""
        shared = self._base is other._base
        here, there = (self._over, other._over) if shared else (self._all(), other._all())
        keys = self._step.between(other._step, len(here) + len(there))
        return {**here, **there} if keys is None else keys

    def _all(self) -> dict[str, _V]:
        if self._flat is None:
            flat = {**self._base, **self._over}
            for key, value in self._over.items():
                if value is _GONE:
                    del flat[key]
            self._flat = flat
        return self._flat

    def __getitem__(self, key: str) -> _V:
        value: _V = self._over.get(key, _MISSING)
        if value is _MISSING:
            return self._base[key]
        if value is _GONE:
            raise KeyError(key)
        return value

    def get(self, key: str, default: Any = None) -> Any:
        value = self._over.get(key, _MISSING)
        if value is _MISSING:
            return self._base.get(key, default)
        return default if value is _GONE else value

    def __contains__(self, key: object) -> bool:
        value = self._over.get(key, _MISSING)  # type: ignore[call-overload]
        return key in self._base if value is _MISSING else value is not _GONE

    def __len__(self) -> int:
        return self._len

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def keys(self) -> Any:
        return self._all().keys()

    def values(self) -> Any:
        return self._all().values()

    def items(self) -> Any:
        return self._all().items()

    def __repr__(self) -> str:
        return f"Layered({self._all()!r})"
