"""`boolean`."""

from __future__ import annotations

from typing import Any

from quidditch.mapping.types.base import BOOST, DOC_VALUES, INDEX, META, STORE, TypeDef, bool_param, null_value_param
from quidditch.mapping.values import to_bool


def _null_value(_field: str, value: Any) -> bool:
    return to_bool(value)


BOOLEAN = TypeDef(
    "boolean", (META, BOOST, DOC_VALUES, INDEX, null_value_param(_null_value), STORE, bool_param("skip_list", False))
)

TYPES = (BOOLEAN,)
