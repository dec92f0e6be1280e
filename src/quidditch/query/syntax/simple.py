"""The simple_query_string language: every text is a query; what makes no sense is taken as words.

    + and, | or, - not, "phrase"~slop, word*, word~edits, ( ), white space, \\ escapes

Each operator can be switched off by `flags`. Operators bind from left to right; a change of operator puts what stands so far into its own
boolean query.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from quidditch.query.ops import Op

FLAGS = {
    "ALL": -1,
    "NONE": 0,
    "AND": 1,
    "NOT": 2,
    "OR": 4,
    "PREFIX": 8,
    "PHRASE": 16,
    "PRECEDENCE": 32,
    "ESCAPE": 64,
    "WHITESPACE": 128,
    "FUZZY": 256,
    "NEAR": 512,
    "SLOP": 512,
}
_SPACE = " \t\n\r"
MAX_DEPTH = 90


class SimpleBuilder(Protocol):
    """Makes operations; None where a text has nothing to search for."""

    conjunction: bool

    def words(self, text: str) -> Op | None: ...
    def phrase(self, text: str, slop: int) -> Op | None: ...
    def prefix(self, text: str) -> Op | None: ...
    def fuzzy(self, text: str, edits: int) -> Op | None: ...


@dataclass(slots=True)
class _Tree:
    """A boolean under construction: parts with one operator, or a single operation."""

    op: Op | None = None
    parts: list[Op] | None = None
    conjunction: bool = False

    def build(self) -> Op | None:
        if self.parts is None:
            return self.op
        if self.conjunction:
            return {"bool": {"must": self.parts}}
        return {"bool": {"should": self.parts, "minimum_should_match": 1}}


class _State:
    def __init__(self) -> None:
        self.tree = _Tree()
        self.current: bool | None = None
        self.previous: bool | None = None
        self.negations = 0
        self.closing: dict[int, int] | None = None
        """Where each parenthesis closes, once one was met."""


class SimpleParser:
    """One parse; `flags` is a bit set of `FLAGS`."""

    def __init__(self, text: str, builder: SimpleBuilder, flags: int) -> None:
        self.text = text
        self.builder = builder
        self.flags = flags
        self.at = 0

    def parse(self) -> Op | None:
        if self.text.strip() == "*":
            return {"all": {}}
        return self._part(self.text, 0)

    def _on(self, flag: str) -> bool:
        return bool(self.flags & FLAGS[flag])

    def _part(self, text: str, depth: int) -> Op | None:
        state = _State()
        at = 0
        while at < len(text):
            char = text[at]
            if char == "(" and self._on("PRECEDENCE"):
                at = self._group(text, at, state, depth)
            elif char == ")" and self._on("PRECEDENCE"):
                at += 1
            elif char == '"' and self._on("PHRASE"):
                at = self._phrase(text, at, state)
            elif (char == "+" and self._on("AND")) or (char == "|" and self._on("OR")):
                if state.current is None and (state.tree.op is not None or state.tree.parts is not None):
                    state.current = char == "+"
                at += 1
            elif char == "-" and self._on("NOT"):
                state.negations += 1
                at += 1
                continue
            elif char in _SPACE and self._on("WHITESPACE"):
                at += 1
            else:
                at = self._token(text, at, state)
            state.negations = 0
        return state.tree.build()

    def _group(self, text: str, at: int, state: _State, depth: int) -> int:
        if state.closing is None:
            state.closing = self._closing(text, at)
        end = state.closing.get(at)
        if end is None:
            return at + 1
        inner = text[at + 1 : end]
        if inner and depth < MAX_DEPTH:
            self._add(state, self._part(inner, depth + 1))
        else:
            state.current = None
        return end + 1

    def _closing(self, text: str, at: int) -> dict[int, int]:
        """The places of parentheses from `at` on, with those that close them."""
        found: dict[int, int] = {}
        opened: list[int] = []
        escaped = False
        for place in range(at, len(text)):
            char = text[place]
            if escaped:
                escaped = False
            elif char == "\\" and self._on("ESCAPE"):
                escaped = True
            elif char == "(":
                opened.append(place)
            elif char == ")" and opened:
                found[opened.pop()] = place
        return found

    def _phrase(self, text: str, at: int, state: _State) -> int:
        start = at + 1
        end, escaped, found = start, False, []
        while end < len(text):
            char = text[end]
            if escaped:
                escaped = False
                found.append(char)
            elif char == "\\" and self._on("ESCAPE"):
                escaped = True
            elif char == '"':
                break
            else:
                found.append(char)
            end += 1
        if end >= len(text):
            return start
        end += 1
        slop = 0
        if end < len(text) and text[end] == "~" and self._on("NEAR"):
            slop, end = self._number(text, end + 1)
        if found:
            self._add(state, self.builder.phrase("".join(found), slop))
        else:
            state.current = None
        return end

    def _token(self, text: str, at: int, state: _State) -> int:
        found: list[str] = []
        escaped = prefix = False
        edits = 0
        while at < len(text):
            char = text[at]
            if escaped:
                escaped = False
                found.append(char)
                prefix = False
            elif char == "\\" and self._on("ESCAPE"):
                escaped = True
                prefix = False
            elif self._ends(char):
                break
            elif found and char == "~" and self._on("FUZZY"):
                edits, at = self._number(text, at + 1, 2)
                if at < len(text) and not self._ends(text[at]):
                    edits = 0
                break
            else:
                prefix = char == "*" and self._on("PREFIX") and bool(found)
                found.append(char)
            at += 1
        word = "".join(found)
        if not word:
            return at
        if edits:
            op = self.builder.fuzzy(word, edits)
        elif prefix:
            op = self.builder.prefix(word[:-1])
        else:
            op = self.builder.words(word)
        self._add(state, op)
        return at

    def _ends(self, char: str) -> bool:
        return (
            (char == '"' and self._on("PHRASE"))
            or (char == "|" and self._on("OR"))
            or (char == "+" and self._on("AND"))
            or (char in "()" and self._on("PRECEDENCE"))
            or (char in _SPACE and self._on("WHITESPACE"))
        )

    def _number(self, text: str, at: int, most: int | None = None) -> tuple[int, int]:
        start = at
        while at < len(text) and text[at].isdigit() and text[at].isascii():
            at += 1
        digits = text[start:at][:9]
        number = int(digits) if digits else (2 if most is not None else 0)
        return (number if most is None else min(number, most)), at

    def _add(self, state: _State, op: Op | None) -> None:
        if op is None:
            state.current = None
            return
        if state.negations % 2:
            op = {"bool": {"must_not": [op], "should": [{"all": {}}], "minimum_should_match": 1}}
        tree = state.tree
        if tree.op is None and tree.parts is None:
            state.tree = _Tree(op)
            state.current = None
            return
        current = self.builder.conjunction if state.current is None else state.current
        if state.previous != current or tree.parts is None:
            built = tree.build()
            tree = _Tree(None, [built] if built is not None else [], current)
            state.tree = tree
        assert tree.parts is not None
        tree.parts.append(op)
        state.previous = current
        state.current = None
