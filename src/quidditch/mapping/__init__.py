"""Pure: field types, dynamic mapping, analysis and index settings."""

from quidditch.mapping.context import ParseContext
from quidditch.mapping.fields import FieldType
from quidditch.mapping.limits import Limits
from quidditch.mapping.root import RootMapping, check, compose, merge, parse, parse_for_create

__all__ = [
    "FieldType",
    "Limits",
    "ParseContext",
    "RootMapping",
    "check",
    "compose",
    "merge",
    "parse",
    "parse_for_create",
]
