"""Forms of settings: what users write (nested, flat, numbers, booleans, nulls) and the flat text that is stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quidditch.model.errors import ApiError


def flatten(body: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """`{"a": {"b": 1}}` → `{"a.b": "1"}`; scalars become text, lists lists of text, null stays None.

    Raises illegal_argument_exception for a list that holds objects.
    """
    flat: dict[str, Any] = {}
    for key, value in body.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping):
            flat.update(flatten(value, f"{path}."))
        elif isinstance(value, list | tuple):
            if any(isinstance(each, Mapping | list) for each in value):
                raise ApiError(
                    400, "settings_exception", f"Failed to load settings from [{path}]: only lists of scalars are allowed"
                )
            flat[path] = [text(each) for each in value]
        else:
            flat[path] = None if value is None else text(value)
    return flat


def text(value: Any) -> str:
    """A scalar as OpenSearch keeps it."""
    if value is True:
        return "true"
    if value is False:
        return "false"
    return str(value)


def unflatten(flat: Mapping[str, Any]) -> dict[str, Any]:
    """`{"a.b": "1"}` → `{"a": {"b": "1"}}`; where a key is both a value and a parent, the deeper stays dotted (`{"a": "1", "a.b": "2"}`)."""
    root: dict[str, Any] = {}
    for key in sorted(flat):
        node, parts = root, key.split(".")
        for position, part in enumerate(parts[:-1]):
            child = node.get(part)
            if child is not None and not isinstance(child, dict):
                node[".".join(parts[position:])] = flat[key]
                break
            node = node.setdefault(part, {})
        else:
            node[parts[-1]] = flat[key]
    return root


def index_settings(body: Mapping[str, Any] | None) -> dict[str, Any]:
    """Flat settings with the `index.` prefix on each key that lacks it."""
    flat = flatten(body or {})
    return {key if key.startswith(("index.", "archived.")) else f"index.{key}": value for key, value in flat.items()}


def without_nulls(flat: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in flat.items() if value is not None}
