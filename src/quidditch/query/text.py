"""From analysed tokens to operations: boolean combinations, synonyms, phrases, token graphs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from quidditch.query import ops
from quidditch.query.context import Token
from quidditch.query.errors import QueryFault
from quidditch.query.ops import Op

TermMaker = Callable[[str], Op]
MAX_PATHS = 1024


def clauses(field: str, tokens: Sequence[Token], make_term: TermMaker | None = None, phrases: bool = True) -> list[Op]:
    """One operation for each position of the text (for each stretch between two points that all readings pass, in a graph).

    `make_term` makes something other than a plain term of a token (a fuzzy term, say); `phrases`: readings of several words must stand
    as phrases.
    """
    if any(token[2] > 1 for token in tokens):
        return _graph_clauses(field, tokens, make_term, phrases)
    return [one_position(field, terms, make_term) for _, terms in by_position(tokens)]


def by_position(tokens: Sequence[Token]) -> list[tuple[int, list[str]]]:
    """The distinct terms of each position, in order."""
    found: list[tuple[int, list[str]]] = []
    for term, position, *_ in tokens:
        if found and found[-1][0] == position:
            if term not in found[-1][1]:
                found[-1][1].append(term)
        else:
            found.append((position, [term]))
    return found


def one_position(field: str, terms: list[str], make_term: TermMaker | None = None) -> Op:
    if make_term is not None:
        return ops.any_of([make_term(term) for term in terms])
    if len(terms) == 1:
        return {"term": {"field": field, "value": terms[0]}}
    return {"synonyms": {"field": field, "terms": terms}}


def phrase(field: str, tokens: Sequence[Token], slop: int = 0) -> Op:
    """The tokens in their positions; any reading of them, if they form a graph."""
    if any(token[2] > 1 for token in tokens):
        paths = _all_paths(tokens)
        return ops.any_of([phrase_of(field, [(at, [term]) for at, term in enumerate(path)], slop) for path in paths])
    return phrase_of(field, by_position(tokens), slop)


def phrase_of(field: str, positions: Sequence[tuple[int, list[str]]], slop: int) -> Op:
    if not positions:
        return ops.no_docs()
    if len(positions) == 1:
        return one_position(field, positions[0][1])
    first = positions[0][0]
    terms = [[position - first, terms] for position, terms in positions]
    return {"phrase": {"field": field, "terms": terms, "slop": slop}}


def phrase_prefix(field: str, tokens: Sequence[Token], slop: int, max_expansions: int) -> Op:
    """A phrase whose last position is the beginning of a term."""
    positions = by_position(tokens)
    if not positions:
        return ops.no_docs()
    if len(positions) == 1:
        # No phrase: each term found scores by itself.
        arguments = {"field": field, "rewrite": f"top_terms_{max_expansions}"}
        return ops.any_of([{"prefix": {**arguments, "value": term}} for term in positions[0][1]])
    first = positions[0][0]
    terms = [[position - first, terms] for position, terms in positions]
    return {"phrase_prefix": {"field": field, "terms": terms, "slop": slop, "max_expansions": max_expansions}}


# --- graphs ---------------------------------------------------------------------------------------------------------


def _edges(tokens: Sequence[Token]) -> tuple[list[tuple[int, int, str]], int]:
    """(from, to, term) of each token, holes closed, and the end node."""
    starts = sorted({token[1] for token in tokens})
    end = max(max(token[1] + token[2] for token in tokens), starts[-1] + 1)

    def node(position: int) -> int:
        return next((start for start in starts if start >= position), end)

    return [(token[1], node(token[1] + max(1, token[2])), token[0]) for token in tokens], end


def _graph_clauses(field: str, tokens: Sequence[Token], make_term: TermMaker | None, phrases: bool) -> list[Op]:
    edges, end = _edges(tokens)
    nodes = sorted({edge[0] for edge in edges} | {end})
    cuts = [node for node in nodes if not any(start < node < stop for start, stop, _ in edges)]
    found: list[Op] = []
    for low, high in pairwise(cuts):
        part = [edge for edge in edges if low <= edge[0] and edge[1] <= high]
        if all(edge[0] == low and edge[1] == high for edge in part):
            terms = list(dict.fromkeys(edge[2] for edge in part))
            found.append(one_position(field, terms, make_term))
            continue
        readings = [_reading(field, path, make_term, phrases) for path in _paths(part, low, high)]
        found.append(ops.any_of(readings))
    return found


def _reading(field: str, path: list[str], make_term: TermMaker | None, phrases: bool) -> Op:
    if len(path) == 1 or not phrases:
        return ops.all_of([one_position(field, [term], make_term) for term in path])
    return phrase_of(field, [(at, [term]) for at, term in enumerate(path)], 0)


def _all_paths(tokens: Sequence[Token]) -> list[list[str]]:
    edges, end = _edges(tokens)
    return _paths(edges, min(edge[0] for edge in edges), end)


def _paths(edges: Sequence[tuple[int, int, str]], low: int, high: int) -> list[list[str]]:
    following: dict[int, list[tuple[int, str]]] = {}
    for start, stop, term in edges:
        following.setdefault(start, []).append((stop, term))
    done: list[list[str]] = []
    stack: list[tuple[int, list[str]]] = [(low, [])]
    while stack:
        at, path = stack.pop()
        if at == high:
            done.append(path)
            if len(done) > MAX_PATHS:
                raise QueryFault(f"maxClauseCount is set to {MAX_PATHS}", "too_many_clauses")
            continue
        stack.extend((stop, [*path, term]) for stop, term in reversed(following.get(at, [])))
    return done
