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


class Layered(Mapping[str, _V], Generic[_V]):
    """Equal content in equal order of keys as a dict that was changed the same way, but that a key taken out and put
    back keeps its place.
    """

    __slots__ = ("_base", "_flat", "_len", "_over", "_was")

    def __init__(self, base: dict[str, _V] | None = None) -> None:
        self._base: dict[str, _V] = {} if base is None else base
        self._over: dict[str, _V] = {}
        self._was: tuple[dict[str, _V], dict[str, _V]] | None = None
        """The base before this one, and what lay over it when this one was made of both."""
        self._len = len(self._base)
        self._flat: dict[str, _V] | None = self._base

    def changed(self, changes: Mapping[str, _V], gone: Iterable[str] = ()) -> Layered[_V]:
        """The same mapping but for these values, and without the keys that are gone."""
        new: Layered[_V] = Layered(self._base)
        over = new._over = dict(self._over)
        new._len, new._flat, new._was = self._len, None, self._was
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
            rebased: Layered[_V] = Layered(new._all())
            rebased._was = (self._base, over)
            return rebased
        return new

    def differs(self, other: Layered[_V]) -> Iterator[str]:
        """The keys whose values are not the same objects in both. Costs what lies over the base, if both share it or the one's
        was made of the other's.
        """
        mine, theirs = self._over, other._over
        keys = dict.fromkeys([key for key, value in mine.items() if theirs.get(key, _MISSING) is not value])
        keys.update(dict.fromkeys([key for key in theirs if key not in mine]))
        keys.update(dict.fromkeys(self._between(other)))
        for key in keys:
            if self.get(key, _MISSING) is not other.get(key, _MISSING):
                yield key

    def _between(self, other: Layered[_V]) -> Mapping[str, _V]:
        """What may differ in the bases."""
        if self._base is other._base:
            return {}
        if self._was is not None and self._was[0] is other._base:
            return self._was[1]
        if other._was is not None and other._was[0] is self._base:
            return other._was[1]
        return {**self._base, **other._base}

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
