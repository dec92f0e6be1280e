"""`ip`: IPv4 and IPv6 addresses."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from quidditch.mapping.types.base import (
    DOC_VALUES,
    IGNORE_MALFORMED,
    INDEX,
    META,
    STORE,
    TypeDef,
    bool_param,
    null_value_param,
)
from quidditch.mapping.values import java_str
from quidditch.model.errors import mapper_parsing


def _null_value(field_name: str, value: Any) -> str:
    text = java_str(value)
    try:
        return str(ip_address(text))
    except ValueError:
        problem = f"'{text}' is not an IP string literal."
        raise mapper_parsing(
            f"Error parsing [null_value] on field [{field_name}]: {problem}",
            {"type": "illegal_argument_exception", "reason": problem},
        ) from None


IP = TypeDef(
    "ip",
    (INDEX, DOC_VALUES, STORE, IGNORE_MALFORMED, null_value_param(_null_value), bool_param("skip_list", False), META),
)

TYPES = (IP,)
