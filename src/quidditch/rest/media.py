"""Media types: what a body is in, and what the answer is to be written in."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

JSON = "application/json; charset=UTF-8"
TEXT = "text/plain; charset=UTF-8"
YAML = "application/yaml"

_VENDOR = re.compile(
    r"application/vnd\.(elasticsearch|opensearch)\+(json|x-ndjson|yaml)"
    r"\s*;\s*compatible-with\s*=\s*(\d+)(\s*;.*)?",
    re.IGNORECASE,
)
_KINDS = {
    "application/json": "json",
    "application/*": "json",
    "application/x-ndjson": "ndjson",
    "application/yaml": "yaml",
    "application/x-yaml": "yaml",
    "text/yaml": "yaml",
    "application/smile": "smile",
    "application/cbor": "cbor",
    "text/plain": "text",
    "*/*": "any",
}
FORMATS = {"json": "json", "yaml": "yaml", "smile": "smile", "cbor": "cbor", "text": "text", "txt": "text"}


class Media(NamedTuple):
    """`kind` is json, ndjson, yaml, smile, cbor, text or any; `vendor` what to answer a vendor's client with."""

    kind: str
    vendor: str | None = None


@lru_cache(maxsize=512)
def parse(header: str) -> Media | None:
    """The media type of a Content-Type or Accept header (the first one known); None if there is none we know."""
    for piece in header.split(","):
        text = piece.strip()
        vendor = _VENDOR.fullmatch(text)
        if vendor:
            if vendor[3] not in ("2", "3", "7", "8", "9"):
                return None
            kind = vendor[2].lower()
            answer = "json" if kind == "x-ndjson" else kind
            name = f"application/vnd.{vendor[1].lower()}+{answer};compatible-with={vendor[3]}"
            return Media("ndjson" if kind == "x-ndjson" else kind, name)
        kind = _KINDS.get(text.partition(";")[0].strip().lower(), "")
        if kind:
            return Media(kind)
    return None
