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


def _null_value(_field: str, value: Any) -> str:
    return java_str(value)


def _without_bad_null_value(shown: dict[str, Any]) -> dict[str, Any]:
    """OpenSearch keeps a null_value that is no address in the mapping, and indexes nothing for it."""
    if "null_value" in shown:
        try:
            ip_address(shown["null_value"])
        except ValueError:
            return {key: value for key, value in shown.items() if key != "null_value"}
    return shown


IP = TypeDef(
    "ip",
    (INDEX, DOC_VALUES, STORE, IGNORE_MALFORMED, null_value_param(_null_value), bool_param("skip_list", False), META),
    kernel=_without_bad_null_value,
)

TYPES = (IP,)
