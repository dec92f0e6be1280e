"""Kinds of resources and where they stand in the API's paths."""

from __future__ import annotations

from urllib.parse import quote

import msgspec


class ResourceType(msgspec.Struct, frozen=True):
    """A kind of resource in one version of its group (`""`: the core group)."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """As objects carry it."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None, name: str = "", subresource: str = "") -> str:
        """Of all objects (of a namespace), of one, or of a part of one."""
        parts = [f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"]
        if self.namespaced and namespace is not None:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        if name:
            parts.append(quote(name, safe=""))
        if subresource:
            parts.append(subresource)
        return "/".join(parts)


NAMESPACES = ResourceType("", "v1", "namespaces", "Namespace", namespaced=False)
LEASES = ResourceType("coordination.k8s.io", "v1", "leases", "Lease")
