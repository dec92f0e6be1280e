"""Dynamic templates: which one matches a field, and the definition it makes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from quidditch.mapping.tree import DynamicTemplate
from quidditch.model.wildcard import matches

DEFAULT_TYPES = {"string": "text", "double": "float"}
"""What `{dynamic_type}` and a template without a type stand for, where it differs from the JSON type."""


MatchesRegex = Callable[[str, str], bool]
"""Whether a pattern matches a whole text."""


def plain_regex(pattern: str, text: str) -> bool:
    """For patterns that are trusted: there are some that take Python's engine forever."""
    return re.fullmatch(pattern, text) is not None


def _applies(template: DynamicTemplate, path: str, name: str, json_type: str, regex: MatchesRegex) -> bool:
    fits = regex if template.match_pattern == "regex" else matches
    if template.match_mapping_type is not None and template.match_mapping_type != json_type:
        return False
    required = ((template.path_match, path), (template.match, name))
    refused = ((template.path_unmatch, path), (template.unmatch, name))
    return all(pattern is None or fits(pattern, text) for pattern, text in required) and not any(
        pattern is not None and fits(pattern, text) for pattern, text in refused
    )


def find_template(
    templates: Iterable[DynamicTemplate], path: str, name: str, json_type: str, regex: MatchesRegex = plain_regex
) -> DynamicTemplate | None:
    """The first template that matches a field of this path, leaf name and JSON type."""
    return next((template for template in templates if _applies(template, path, name, json_type, regex)), None)


def definition_for(template: DynamicTemplate, name: str, json_type: str) -> dict[str, Any]:
    """The template's mapping with its placeholders filled in, always with a type."""
    dynamic_type = DEFAULT_TYPES.get(json_type, json_type)
    definition = _fill(dict(template.mapping), name, dynamic_type)
    definition.setdefault("type", dynamic_type)
    return dict(definition)


def _fill(value: Any, name: str, dynamic_type: str) -> Any:
    if isinstance(value, dict):
        return {_text(key, name, dynamic_type): _fill(item, name, dynamic_type) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, name, dynamic_type) for item in value]
    return _text(value, name, dynamic_type) if isinstance(value, str) else value


def _text(text: str, name: str, dynamic_type: str) -> str:
    filled = text.replace("{name}", name)
    return filled.replace("{dynamic_type}", dynamic_type).replace("{dynamicType}", dynamic_type)
