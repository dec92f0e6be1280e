"""`binary`: base64 text, kept in the source only."""

from __future__ import annotations

from quidditch.mapping.types.base import META, STORE, TypeDef, bool_param

BINARY = TypeDef("binary", (STORE, bool_param("doc_values", False), META))

TYPES = (BINARY,)
