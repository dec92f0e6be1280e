r"""Tokens of the query_string language.

A term runs until white space or one of ``! ( ) : ^ [ ] " { } ~ * ? \ /`` (a backslash takes the next character as it is); ``+``
and ``-`` only end it at its start. A term with ``*`` at its end is a prefix, with ``*`` or ``?`` elsewhere a wildcard. ``/…/`` is a
regular expression, ``"…"`` a phrase, ``[a TO b]`` and ``{a TO b}`` are ranges.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass


class SyntaxFault(Exception):
    """The text is no query; the message says where. `inner` is the part of it that is an error of its own in OpenSearch's answers."""

    def __init__(self, message: str, inner: str | None = None) -> None:
        super().__init__(message)
        self.inner = inner


@dataclass(frozen=True, slots=True)
class Lexeme:
    """`kind` is one of AND OR NOT PLUS MINUS OPEN CLOSE COLON STAR CARET QUOTED TERM FUZZY PREFIX WILD REGEXP RANGE EOF."""

    kind: str
    image: str
    at: int


@dataclass(frozen=True, slots=True)
class Range:
    """The inside of a range; None is an open end."""

    low: str
    high: str
    low_quoted: bool
    high_quoted: bool
    include_low: bool
    include_high: bool


_SPACE = " \t\n\r\u3000"
_START = rf"(?:[^{_SPACE}+\-!():^\[\]\"{{}}~*?\\/]|\\.)"
_CHAR = rf"(?:[^{_SPACE}!():^\[\]\"{{}}~*?\\/]|\\.)"
_WILD = re.compile(rf"(?:{_START}|[*?])(?:{_CHAR}|[*?])*", re.DOTALL)
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_REGEXP = re.compile(r"/(?:[^/\\]|\\.)*/", re.DOTALL)
_FUZZY = re.compile(r"~(?:\d+(?:\.\d+)?)?")
_BOOST = re.compile(rf"[{_SPACE}]*(\d+(?:\.\d+)?)")
_GOOP = re.compile(rf"[^{_SPACE}\]}}]+")
_UNESCAPED_WILD = re.compile(r"(?:[^\\*?]|\\.)*[*?]", re.DOTALL)
_SIMPLE = {"+": "PLUS", "-": "MINUS", "(": "OPEN", ")": "CLOSE", ":": "COLON", "!": "NOT"}
_WORDS = {"AND": "AND", "OR": "OR", "NOT": "NOT", "&&": "AND", "||": "OR"}


def lex(text: str) -> list[Lexeme | tuple[Lexeme, Range]]:
    """All tokens; a range comes as a pair. Ends with EOF."""
    found: list[Lexeme | tuple[Lexeme, Range]] = []
    at = 0
    while at < len(text):
        char = text[at]
        if char in _SPACE:
            at += 1
        elif char in "[{":
            token, inside, at = _range(text, at)
            found.append((token, inside))
        elif char == "^":
            boost = _BOOST.match(text, at + 1)
            if boost is None:
                raise unexpected(text, at + 1)
            found.append(Lexeme("CARET", boost.group(1), at))
            at = boost.end()
        else:
            token = _one(text, at)
            found.append(token)
            at += len(token.image)
    found.append(Lexeme("EOF", "<EOF>", len(text)))
    return found


def _one(text: str, at: int) -> Lexeme:
    char = text[at]
    if char in _SIMPLE:
        return Lexeme(_SIMPLE[char], char, at)
    pattern, kind = {'"': (_QUOTED, "QUOTED"), "/": (_REGEXP, "REGEXP"), "~": (_FUZZY, "FUZZY")}.get(
        char, (_WILD, "TERM")
    )
    match = pattern.match(text, at)
    if match is None:
        raise unexpected(text, at)
    image = match.group()
    if kind != "TERM":
        return Lexeme(kind, image, at)
    if image in _WORDS:
        return Lexeme(_WORDS[image], image, at)
    return Lexeme(_term_kind(image), image, at)


def _term_kind(image: str) -> str:
    if image == "*":
        return "STAR"
    wild = _UNESCAPED_WILD.match(image)
    if wild is None:
        return "TERM"
    return "PREFIX" if image[wild.end() - 1] == "*" and wild.end() == len(image) else "WILD"


def _range(text: str, at: int) -> tuple[Lexeme, Range, int]:
    opened = at
    low, low_quoted, at = _edge(text, at + 1)
    at = _skip(text, at)
    if text.startswith("TO", at) and (at + 2 >= len(text) or text[at + 2] in _SPACE + '"'):
        at += 2
    elif at >= len(text) or text[at] in "]}":
        raise unexpected(text, at)
    high, high_quoted, at = _edge(text, at)
    at = _skip(text, at)
    if at >= len(text) or text[at] not in "]}":
        raise unexpected(text, at)
    inside = Range(low, high, low_quoted, high_quoted, text[opened] == "[", text[at] == "]")
    return Lexeme("RANGE", text[opened : at + 1], opened), inside, at + 1


def _edge(text: str, at: int) -> tuple[str, bool, int]:
    at = _skip(text, at)
    if at < len(text) and text[at] == '"':
        match = _QUOTED.match(text, at)
        if match is None:
            raise unexpected(text, at)
        return match.group()[1:-1], True, match.end()
    match = _GOOP.match(text, at)
    if match is None:
        raise unexpected(text, at)
    return match.group(), False, match.end()


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at


def unexpected(text: str, at: int, expected: Sequence[str] = (), image: str | None = None) -> SyntaxFault:
    """What stands at `at` cannot stand there; `image` is its token as the grammar of Lucene names it, `expected` what could."""
    line = text.count("\n", 0, at) + 1
    column = at - (text.rfind("\n", 0, at) + 1)
    found = '"<EOF>"'
    if at < len(text):
        found = f'" {image} "{text[at:].split()[0]} ""' if image else f'" "{text[at]}" "{text[at]} ""'
    inner = f"Encountered {found} at line {line}, column {column}."
    if expected:
        one_of = "Was expecting one of:" if len(expected) > 1 else "Was expecting:"
        inner += "\n" + "\n    ".join(
            (one_of, *(f"{name} ..." if name != "<EOF>" else "<EOF> " for name in expected), "")
        )
    return SyntaxFault(f"Cannot parse '{text}': {inner}", inner)


def unescape(text: str) -> str:
    r"""Takes the backslashes away; ``\uXXXX`` is a character."""
    if "\\" not in text:
        return text
    found: list[str] = []
    at = 0
    while at < len(text):
        char = text[at]
        if char != "\\":
            found.append(char)
            at += 1
            continue
        if at + 1 >= len(text):
            raise SyntaxFault("Term can not end with escape character.")
        if text[at + 1] == "u":
            digits = text[at + 2 : at + 6]
            if len(digits) < 4:
                raise SyntaxFault("Truncated unicode escape sequence.")
            try:
                found.append(chr(int(digits, 16)))
            except ValueError:
                raise SyntaxFault(f"Non-hex character in Unicode escape sequence: {digits}") from None
            at += 6
            continue
        found.append(text[at + 1])
        at += 2
    return "".join(found)


_SPECIAL = re.compile(r'([\\+\-!():^\[\]"{}~*?|&/])')


def escape(text: str) -> str:
    """Makes every operator an ordinary character."""
    return _SPECIAL.sub(r"\\\1", text)
