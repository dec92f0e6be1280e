"""How an answer is written: compact or pretty JSON as OpenSearch prints it, and YAML."""

from __future__ import annotations

from typing import Any

import orjson

COMPACT = orjson.OPT_NON_STR_KEYS


def compact(value: Any) -> bytes:
    return orjson.dumps(value, option=COMPACT)


def pretty(value: Any) -> bytes:
    """Two blanks of indentation, ` : ` between name and value, `{ }` and `[ ]` for empty ones, a newline at the end."""
    pieces: list[str] = []
    _pretty(value, "\n", pieces)
    pieces.append("\n")
    return "".join(pieces).encode()


def _scalar(value: Any) -> str:
    return orjson.dumps(value).decode()


def _key(name: Any) -> str:
    return _scalar(name if isinstance(name, str) else str(name))


def _pretty(value: Any, newline: str, out: list[str]) -> None:
    if isinstance(value, dict):
        if not value:
            out.append("{ }")
            return
        deeper = newline + "  "
        separator = "{"
        for name, member in value.items():
            out.append(f"{separator}{deeper}{_key(name)} : ")
            _pretty(member, deeper, out)
            separator = ","
        out.append(newline + "}")
    elif isinstance(value, (list, tuple)):
        if not value:
            out.append("[ ]")
            return
        deeper = newline + "  "
        separator = "["
        for member in value:
            out.append(separator + deeper)
            _pretty(member, deeper, out)
            separator = ","
        out.append(newline + "]")
    else:
        out.append(_scalar(value))


def yaml(value: Any) -> bytes:
    """A YAML document with every text in double quotes."""
    out = ["---"]
    if isinstance(value, (dict, list)) and value:
        out.append("\n")
        _yaml(value, "", out)
    else:
        out.append(f" {_yaml_scalar(value)}\n")
    return "".join(out).encode()


def _yaml_scalar(value: Any) -> str:
    if value == {} and isinstance(value, dict):
        return "{}"
    if value == [] and isinstance(value, list):
        return "[]"
    return _scalar(value)


def _yaml_key(name: Any) -> str:
    text = name if isinstance(name, str) else str(name)
    plain = text.replace("_", "a").replace("-", "a").replace(".", "a").isalnum() and text[0] not in "-.0123456789"
    return (
        text
        if plain and text.lower() not in ("true", "false", "null", "yes", "no", "on", "off", "y", "n")
        else _scalar(text)
    )


def _yaml(value: Any, indent: str, out: list[str]) -> None:
    if isinstance(value, dict):
        for name, member in value.items():
            _yaml_entry(f"{indent}{_yaml_key(name)}:", member, indent, out)
    else:
        for member in value:
            _yaml_item(member, indent, out)


def _yaml_entry(head: str, member: Any, indent: str, out: list[str]) -> None:
    if isinstance(member, (dict, list)) and member:
        out.append(head + "\n")
        _yaml(member, indent + ("  " if isinstance(member, dict) else ""), out)
    else:
        out.append(f"{head} {_yaml_scalar(member)}\n")


def _yaml_item(member: Any, indent: str, out: list[str]) -> None:
    if isinstance(member, (dict, list)) and member:
        below: list[str] = []
        _yaml(member, indent + "  ", below)
        text = "".join(below)
        out.append(f"{indent}- {text[len(indent) + 2 :]}")
    else:
        out.append(f"{indent}- {_yaml_scalar(member)}\n")
