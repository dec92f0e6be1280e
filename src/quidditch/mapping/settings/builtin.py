"""Names of the analysis components that every index has."""

from __future__ import annotations

LANGUAGES = (
    "arabic armenian basque bengali brazilian bulgarian catalan chinese cjk czech danish dutch english estonian "
    "finnish french galician german greek hindi hungarian indonesian irish italian latvian lithuanian norwegian "
    "persian portuguese romanian russian sorani spanish swedish thai turkish"
)
ANALYZERS = {
    "default",
    "standard",
    "simple",
    "whitespace",
    "stop",
    "keyword",
    "pattern",
    "snowball",
    "fingerprint",
    *LANGUAGES.split(),
}
NORMALIZERS = {"lowercase"}
SIMILARITIES = {"BM25", "boolean"}
