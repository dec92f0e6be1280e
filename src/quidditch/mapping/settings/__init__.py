"""Index settings: what exists, how values are written, and when they may change."""

from quidditch.mapping.settings.check import Target, apply_update, check_create, check_update, check_values
from quidditch.mapping.settings.flat import flatten, nest, normalize
from quidditch.mapping.settings.kinds import Setting, Value
from quidditch.mapping.settings.view import (
    defaults,
    limits,
    nested_for_kernel,
    parse_context,
    shown,
    value,
)

__all__ = [
    "Setting",
    "Target",
    "Value",
    "apply_update",
    "check_create",
    "check_update",
    "check_values",
    "defaults",
    "flatten",
    "limits",
    "nest",
    "nested_for_kernel",
    "normalize",
    "parse_context",
    "shown",
    "value",
]
