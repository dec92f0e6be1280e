"""Names of roles, and object names: what a user calls a thing may be no DNS name, what a store keys it by must be one (Kubernetes names
are).

The true name always stands in the spec, so the encoding need not be reversed; it only has to be injective and readable.
"""

from __future__ import annotations

import hashlib
import re

TIERS = ("data_content", "data_hot", "data_warm", "data_cold", "data_frozen")
"""Roles of nodes that hold the data of one tier only; those with the role `data` are in every one."""

_DNS = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_DOTS = re.compile(r"\.\.|\.-|-\.")
_ENCODED = re.compile(r".*-x[0-9a-f]{16}")
_UNSAFE = re.compile(r"[^a-z0-9]+")


def object_name(true_name: str) -> str:
    """The DNS-1123 subdomain under which `true_name` is stored: the name itself where it is one, otherwise a slug
    and a hash.
    """
    if _DNS.fullmatch(true_name) and not _DOTS.search(true_name) and not _ENCODED.fullmatch(true_name):
        return true_name
    digest = hashlib.sha256(true_name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    slug = _UNSAFE.sub("-", true_name.lower()).strip("-")[:200].strip("-")
    return f"{slug or 'n'}-x{digest}"
