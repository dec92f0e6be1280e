"""Settings as users write them, nested or flat, with or without `index.`; and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quidditch.mapping.settings.kinds import Value
from quidditch.mapping.values import java_str
from quidditch.model.errors import ApiError

Update = dict[str, Value | None]
"""Flat settings; None resets."""


def flatten(body: Mapping[str, Any], prefix: str = "") -> Update:
    """Nested members become dotted keys, scalars text. Keys as written."""
    found: Update = {}
    for name, value in body.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping):
            found.update(flatten(value, f"{key}."))
        elif isinstance(value, list):
            found.update(_flatten_list(key, value))
        else:
            found[key] = None if value is None else java_str(value)
    return found


def _flatten_list(key: str, items: list[Any]) -> Update:
    if any(isinstance(item, list) for item in items):
        raise ApiError(400, "parse_exception", f"unexpected array in the list of setting [{key}]")
    if any(isinstance(item, Mapping) for item in items):
        found: Update = {}
        for position, item in enumerate(items):
            found.update(flatten({str(position): item}, f"{key}."))
        return found
    return {key: [java_str(item) for item in items]}


def normalize(body: Any) -> Update:
    """Flat, every key with its `index.` prefix (wildcards stay), sorted. Raises parse_exception for what is no object."""
    if not isinstance(body, Mapping):
        raise ApiError(400, "parse_exception", "key [settings] must be an object")
    flat = flatten(body)
    prefixed = {key if key.startswith("index.") or key.endswith("*") else f"index.{key}": flat[key] for key in flat}
    return dict(sorted(prefixed.items()))


def nest(flat: Mapping[str, Any]) -> dict[str, Any]:
    """The nested form that `GET _settings` shows.

    Where a key is also the prefix of another, the longer stays dotted below the parent.
    """
    root: dict[str, Any] = {}
    for key in sorted(flat):
        parts = key.split(".")
        node = root
        for depth, part in enumerate(parts[:-1]):
            child = node.setdefault(part, {})
            if not isinstance(child, dict):
                node[".".join(parts[depth:])] = flat[key]
                break
            node = child
        else:
            node[parts[-1]] = flat[key]
    return root
