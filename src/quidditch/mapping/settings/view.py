"""What is read from an index's settings: typed values, limits, analysis names, and the shown form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from quidditch.mapping.context import ParseContext
from quidditch.mapping.limits import Limits
from quidditch.mapping.settings.builtin import ANALYZERS, NORMALIZERS, SIMILARITIES
from quidditch.mapping.settings.catalog import SETTINGS
from quidditch.mapping.settings.flat import nest
from quidditch.mapping.settings.kinds import Value


def value(settings: Mapping[str, Value], key: str) -> Any:
    """The typed value of a registered setting, or its default: int, float, bool, milliseconds, bytes, text or list.

    Raises KeyError for a setting that is not registered, which is an error of the program.
    """
    setting = SETTINGS[key]
    stored = settings.get(key, setting.default)
    return None if stored is None else setting.parse(key, stored)


def limits(settings: Mapping[str, Value]) -> Limits:
    return Limits(
        total_fields=value(settings, "index.mapping.total_fields.limit"),
        depth=value(settings, "index.mapping.depth.limit"),
        nested_fields=value(settings, "index.mapping.nested_fields.limit"),
        field_name_length=value(settings, "index.mapping.field_name_length.limit"),
    )


def _custom(settings: Mapping[str, Value], group: str) -> set[str]:
    prefix = f"index.analysis.{group}."
    return {key[len(prefix) :].split(".")[0] for key in settings if key.startswith(prefix)}


def parse_context(
    settings: Mapping[str, Value], check_date_format: Callable[[str], None] | None = None
) -> ParseContext:
    """What a mapping of this index may refer to."""
    similarities = {key.split(".")[2] for key in settings if key.startswith("index.similarity.")}
    return ParseContext(
        analyzers=frozenset(ANALYZERS | _custom(settings, "analyzer")),
        normalizers=frozenset(NORMALIZERS | _custom(settings, "normalizer")),
        similarities=frozenset(SIMILARITIES | similarities),
        check_date_format=check_date_format,
    )


def defaults(settings: Mapping[str, Value]) -> dict[str, Value]:
    """Defaults of the settings that are not set."""
    return {
        key: setting.default
        for key, setting in sorted(SETTINGS.items())
        if setting.default is not None and key not in settings
    }


def shown(settings: Mapping[str, Value], flat: bool) -> dict[str, Any]:
    """The settings as a response shows them: flat, or nested."""
    return dict(sorted(settings.items())) if flat else nest(settings)


def nested_for_kernel(settings: Mapping[str, Value]) -> dict[str, Any]:
    """`{"analysis": {…}, "index": {…}}`, the form of the kernel's contract."""
    index = nest(settings).get("index", {})
    return {"analysis": index.get("analysis", {}), "index": index}
