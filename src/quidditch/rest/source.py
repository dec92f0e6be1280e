"""`_source`, `_source_includes`, `_source_excludes`: which parts of a document an answer has."""

from __future__ import annotations

from typing import Any

from quidditch.model.errors import illegal_argument
from quidditch.rest.request import Request

PARAMS = ("_source", "_source_includes", "_source_excludes")


def from_params(request: Request, default: bool = True) -> Any:
    """True, False or {includes, excludes}, as the kernel takes it."""
    query = request.query
    if not query or ("_source" not in query and "_source_includes" not in query and "_source_excludes" not in query):
        return default
    wanted: bool | None = None
    includes = request.list("_source_includes")
    text = query.get("_source")
    if text is not None:
        if text in ("true", ""):
            wanted = True
        elif text == "false":
            wanted = False
        elif includes is None:
            includes = request.list("_source")
    excludes = request.list("_source_excludes")
    if includes or excludes:
        return {"includes": includes or [], "excludes": excludes or []} if wanted is not False else False
    return default if wanted is None else wanted


def from_body(value: Any) -> Any:
    """The same of a `_source` member of a body. Raises illegal_argument_exception."""
    if value is None or isinstance(value, bool):
        return True if value is None else value
    if isinstance(value, str):
        return {"includes": [value], "excludes": []}
    if isinstance(value, list):
        return {"includes": _names(value), "excludes": []}
    if isinstance(value, dict):
        includes, excludes = [], []
        for name, member in value.items():
            names = _names(member if isinstance(member, list) else [member])
            if name in ("includes", "include"):
                includes = names
            elif name in ("excludes", "exclude"):
                excludes = names
            else:
                raise illegal_argument(f"Unknown key for a {type(member).__name__} in [{name}].")
        return {"includes": includes, "excludes": excludes}
    raise illegal_argument(
        f"Expected one of [VALUE_BOOLEAN, VALUE_STRING, START_ARRAY, START_OBJECT] but found [{value}]"
    )


def _names(values: list[Any]) -> list[str]:
    for value in values:
        if not isinstance(value, str):
            raise illegal_argument(f"Unknown key for a value in [_source]: [{value}] is no name")
    return values
