"""A trie of path segments: literal before parameter, with a way back where the literal branch has no such method."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from quidditch.rest.route import METHODS, Route


class _Branch:
    __slots__ = ("leaf", "literal", "parameter")

    def __init__(self) -> None:
        self.literal: dict[str, _Branch] = {}
        self.parameter: _Branch | None = None
        self.leaf: dict[str, tuple[Route, tuple[tuple[int, str], ...]]] = {}


class Router:
    """Finds the route of a method and a path; paths are split but not yet percent-decoded, so an id may hold `%2F`."""

    __slots__ = ("_root",)

    def __init__(self, routes: Iterable[Route]) -> None:
        self._root = _Branch()
        for route in routes:
            self._add(route)

    def _add(self, route: Route) -> None:
        branch = self._root
        names: list[tuple[int, str]] = []
        for position, part in enumerate(part for part in route.path.split("/") if part):
            if part.startswith("{"):
                names.append((position, part[1:-1]))
                if branch.parameter is None:
                    branch.parameter = _Branch()
                branch = branch.parameter
            else:
                branch = branch.literal.setdefault(part, _Branch())
        if route.method in branch.leaf:
            raise ValueError(f"two routes for {route.method} {route.path}: {branch.leaf[route.method][0]} and {route}")
        branch.leaf[route.method] = (route, tuple(names))

    def find(self, method: str, parts: Sequence[str]) -> tuple[Route, tuple[tuple[int, str], ...]] | None:
        """The route and where in `parts` its parameters stand."""
        return _find(self._root, method, parts, 0)

    def allowed(self, parts: Sequence[str]) -> list[str]:
        """Methods that some route has for this path, in a fixed order; empty if no route has the path."""
        found: set[str] = set()
        _collect(self._root, parts, 0, found)
        return [method for method in METHODS if method in found]


def _find(
    branch: _Branch, method: str, parts: Sequence[str], at: int
) -> tuple[Route, tuple[tuple[int, str], ...]] | None:
    if at == len(parts):
        return branch.leaf.get(method)
    next_branch = branch.literal.get(parts[at])
    if next_branch is not None:
        found = _find(next_branch, method, parts, at + 1)
        if found is not None:
            return found
    if branch.parameter is not None:
        return _find(branch.parameter, method, parts, at + 1)
    return None


def _collect(branch: _Branch, parts: Sequence[str], at: int, found: set[str]) -> None:
    if at == len(parts):
        found.update(branch.leaf)
        return
    literal = branch.literal.get(parts[at])
    if literal is not None:
        _collect(literal, parts, at + 1, found)
    if branch.parameter is not None:
        _collect(branch.parameter, parts, at + 1, found)
