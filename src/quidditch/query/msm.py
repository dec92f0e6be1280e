"""minimum_should_match in all its forms: 3, -1, 75%, -25%, 2<75%, several conditions."""

from __future__ import annotations

from quidditch.query.errors import QueryFault


def minimum(optional: int, spec: str | None) -> int:
    """How many of the optional clauses have to match; 0 if nothing is asked. Raises for texts that are no specification."""
    if spec is None:
        return 0
    text = spec.strip()
    if "<" in text:
        return _conditional(optional, text)
    return _plain(optional, text)


def _conditional(optional: int, text: str) -> int:
    result = optional
    for part in text.replace(" <", "<").replace("< ", "<").split():
        bound, mark, rest = part.partition("<")
        if not mark:
            raise QueryFault(f'For input string: "{part}"', "number_format_exception")
        if optional <= _integer(bound):
            return result
        result = minimum(optional, rest)
    return result


def _plain(optional: int, text: str) -> int:
    if text.endswith("%"):
        percent = _integer(text[:-1])
        if percent > 100:
            return optional
        share = int(optional * percent / 100)
        result = optional + share if percent < 0 else share
    else:
        number = _integer(text)
        result = optional + number if number < 0 else number
    return max(0, result)


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise QueryFault(f'For input string: "{text}"', "number_format_exception") from None
