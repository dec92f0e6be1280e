"""Recursive descent over the query_string language.

    query       = first { clause }
    clause      = [ AND | OR | && | || ] [ + | - | NOT | ! ] unit
    unit        = [ ( name | * ) ":" ] ( item | "(" query ")" [ ^boost ] )
    item        = ( term | prefix* | w?ld | * | /regexp/ | "phrase" | [range] ) [ ~[n] ] [ ^boost ]

Neighbouring plain terms without operators are given to the builder as one text, so that the analyzer sees them together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from quidditch.query.ops import Op
from quidditch.query.syntax.lexer import Lexeme, Range, SyntaxFault, lex, unescape, unexpected

MUST, SHOULD, MUST_NOT = "must", "should", "must_not"
MAX_DEPTH = 90

# What Lucene's grammar says it expected.
_MODIFIERS = ("<NOT>", '"+"', '"-"')
_OPERANDS = (
    "<BAREOPER>", '"("', '"*"', "<QUOTED>", "<TERM>", "<PREFIXTERM>", "<WILDTERM>", "<REGEXPTERM>", '"["', '"{"', "<NUMBER>",
)  # fmt: skip
_AFTER = ("<AND>", "<OR>", "<NOT>", '"+"', '"-"', "<BAREOPER>", '"("')
_MORE = (
    '"*"', '"^"', "<QUOTED>", "<TERM>", "<FUZZY_SLOP>", "<PREFIXTERM>", "<WILDTERM>", "<REGEXPTERM>", '"["', '"{"', "<NUMBER>",
)  # fmt: skip
_IMAGES = {"AND": "<AND>", "OR": "<OR>"}


@dataclass(frozen=True, slots=True)
class Clause:
    """An operation with its part in a boolean query."""

    occur: str
    op: Op


class Builder(Protocol):
    """Makes operations; None where a text has nothing to search for. `field` is None where the text names none."""

    conjunction: bool

    def words(self, field: str | None, text: str) -> Op | None: ...
    def quoted(self, field: str | None, text: str, slop: int | None) -> Op | None: ...
    def prefix(self, field: str | None, text: str) -> Op | None: ...
    def wildcard(self, field: str | None, pattern: str) -> Op | None: ...
    def fuzzy(self, field: str | None, text: str, edits: float | None) -> Op | None: ...
    def regexp(self, field: str | None, pattern: str) -> Op | None: ...
    def range(
        self, field: str | None, low: str | None, high: str | None, include_low: bool, include_high: bool
    ) -> Op | None: ...
    def boolean(self, clauses: Sequence[Clause]) -> Op | None: ...
    def boost(self, op: Op, boost: float) -> Op: ...
    def flatten(self, op: Op) -> list[Clause] | None:
        """The clauses of what `words` made of several words, if they may stand on their own."""
        ...


def parse(text: str, builder: Builder) -> Op | None:
    """The whole text. Raises `SyntaxFault`."""
    parser = _Parser(text, builder)
    op = parser.query(None)
    token = parser.peek()
    if token.kind != "EOF":
        raise unexpected(text, token.at, ("<EOF>", *_AFTER, *_MORE))
    return op


class _Parser:
    def __init__(self, text: str, builder: Builder) -> None:
        self.text = text
        self.builder = builder
        self.tokens = lex(text)
        self.at = 0
        self.depth = 0

    def peek(self, ahead: int = 0) -> Lexeme:
        token = self.tokens[min(self.at + ahead, len(self.tokens) - 1)]
        return token[0] if isinstance(token, tuple) else token

    def next(self) -> Lexeme:
        token = self.peek()
        self.at += 1
        return token

    def take(self, kind: str) -> Lexeme | None:
        return self.next() if self.peek().kind == kind else None

    def query(self, field: str | None) -> Op | None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise SyntaxFault(f"Cannot parse the query: more than {MAX_DEPTH} levels of parentheses")
        clauses: list[Clause] = []
        single: Op | None = None
        count = 0
        while True:
            token = self.peek()
            if token.kind in ("EOF", "CLOSE") and count:
                break
            if self._several_words():
                self._words(field, clauses)
                count += 2
                continue
            conjunction = self.next().kind if count and token.kind in ("AND", "OR") else None
            modifier = self.next().kind if self.peek().kind in ("PLUS", "MINUS", "NOT") else None
            op = self.unit(field)
            count += 1
            self._add(clauses, conjunction, modifier, op)
            single = op if count == 1 and modifier is None else None
        self.depth -= 1
        if count == 1 and single is not None:
            return single
        return self.builder.boolean(clauses)

    def _several_words(self) -> bool:
        return self.peek().kind == "TERM" and self._joins(1)

    def _joins(self, ahead: int) -> bool:
        after = self.peek(ahead + 1).kind
        return self.peek(ahead).kind == "TERM" and after not in ("COLON", "STAR", "FUZZY", "CARET", "AND", "OR")

    def _words(self, field: str | None, clauses: list[Clause]) -> None:
        images = [self.next().image]
        while self._joins(0):
            images.append(self.next().image)
        op = self.builder.words(field, unescape(" ".join(images)))
        if op is None:
            return
        own = self.builder.flatten(op)
        occur = MUST if self.builder.conjunction else SHOULD
        clauses.extend([Clause(occur, op)] if own is None else own)

    def _add(self, clauses: list[Clause], conjunction: str | None, modifier: str | None, op: Op | None) -> None:
        """The classic precedence: AND makes both its sides required, OR under a default AND makes its left side optional."""
        if clauses and conjunction is not None:
            last = clauses[-1]
            if last.occur != MUST_NOT:
                if conjunction == "AND":
                    clauses[-1] = Clause(MUST, last.op)
                elif self.builder.conjunction:
                    clauses[-1] = Clause(SHOULD, last.op)
        if op is None:
            return
        prohibited = modifier in ("MINUS", "NOT")
        if self.builder.conjunction:
            required = not prohibited and (conjunction != "OR" or modifier == "PLUS")
        else:
            required = modifier == "PLUS" or (conjunction == "AND" and not prohibited)
        clauses.append(Clause(MUST_NOT if prohibited else MUST if required else SHOULD, op))

    def unit(self, field: str | None) -> Op | None:
        token = self.peek()
        if self.peek(1).kind == "COLON" and token.kind in ("TERM", "STAR"):
            self.at += 2
            field = "*" if token.kind == "STAR" else unescape(token.image)
        if self.take("OPEN") is not None:
            op = self.query(field)
            if self.take("CLOSE") is None:
                raise unexpected(self.text, self.peek().at, (*_AFTER, '")"', *_MORE))
        else:
            op = self.item(field)
        caret = self.take("CARET")
        if caret is not None and op is not None:
            op = self.builder.boost(op, float(caret.image))
        return op

    def _operands(self) -> Sequence[str]:
        """What could have stood where an operand is missing: that depends on the token before it."""
        before = self.tokens[self.at - 2] if self.at > 1 else None
        kind = (before[0] if isinstance(before, tuple) else before).kind if before is not None else "OPEN"
        if kind == "COLON":
            return _OPERANDS
        if kind in ("NOT", "PLUS", "MINUS"):
            return (*_OPERANDS, "<TERM>", '"*"')
        return (
            (*_MODIFIERS, *_OPERANDS, "<TERM>", '"*"') if kind in ("AND", "OR") else (*_MODIFIERS, *_OPERANDS, "<TERM>")
        )

    def item(self, field: str | None) -> Op | None:
        token = self.next()
        kind, image, builder = token.kind, token.image, self.builder
        if kind == "RANGE":
            return self._range(field)
        if kind == "QUOTED":
            fuzzy = self.take("FUZZY")
            slop = int(float(fuzzy.image[1:])) if fuzzy is not None and len(fuzzy.image) > 1 else None
            return builder.quoted(field, unescape(image[1:-1]), slop)
        if kind == "REGEXP":
            return builder.regexp(field, image[1:-1])
        if kind not in ("TERM", "STAR", "PREFIX", "WILD"):
            raise unexpected(self.text, token.at, self._operands(), _IMAGES.get(kind))
        fuzzy = self.take("FUZZY")
        if kind in ("STAR", "WILD"):
            return builder.wildcard(field, image)
        if kind == "PREFIX":
            return builder.prefix(field, unescape(image[:-1]))
        if fuzzy is not None:
            edits = float(fuzzy.image[1:]) if len(fuzzy.image) > 1 else None
            return builder.fuzzy(field, unescape(image), edits)
        return builder.words(field, unescape(image))

    def _range(self, field: str | None) -> Op | None:
        pair = self.tokens[self.at - 1]
        assert isinstance(pair, tuple)
        inside: Range = pair[1]
        low = None if inside.low == "*" and not inside.low_quoted else unescape(inside.low)
        high = None if inside.high == "*" and not inside.high_quoted else unescape(inside.high)
        return self.builder.range(field, low, high, inside.include_low, inside.include_high)
