"""The field types, one module per family, and the table of all of them."""

from __future__ import annotations

from collections.abc import Mapping

from quidditch.mapping.types import binary, boolean, date, ip, keyword, number, opaque, text
from quidditch.mapping.types.base import TypeDef

_FAMILIES = (text, keyword, number, boolean, date, ip, binary, opaque)
TYPES: Mapping[str, TypeDef] = {type_def.name: type_def for family in _FAMILIES for type_def in family.TYPES}
