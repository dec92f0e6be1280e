"""How an index is shown: its settings nested or flat, for people or machines, with defaults; its mapping; its aliases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from quidditch.mapping import settings
from quidditch.model.objects import Alias, Index
from quidditch.model.state import ClusterState
from quidditch.model.wildcard import matches_any


def settings_json(
    index: Index, *, flat: bool, human: bool, keep: Callable[[str], bool] | None = None
) -> dict[str, Any]:
    """The settings; `keep` chooses among the full names."""
    stored: dict[str, Any] = dict(index.spec.settings)
    if human:
        stored.update(_readable(stored))
    if keep is not None:
        stored = {key: value for key, value in stored.items() if keep(key)}
    return settings.shown(stored, flat)


def defaults_json(index: Index, *, flat: bool, keep: Callable[[str], bool] | None = None) -> dict[str, Any]:
    """Defaults of what the index does not set."""
    found: dict[str, Any] = dict(settings.defaults(index.spec.settings))
    if "index.number_of_routing_shards" not in index.spec.settings:
        found["index.number_of_routing_shards"] = str(index.spec.settings.get("index.number_of_shards", "1"))
    if keep is not None:
        found = {key: value for key, value in found.items() if keep(key)}
    return settings.shown(found, flat)


def _readable(stored: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    created = stored.get("index.creation_date")
    if created is not None:
        moment = datetime.fromtimestamp(int(created) / 1000, UTC)
        found["index.creation_date_string"] = (
            moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"
        )
    version = stored.get("index.version.created")
    if version is not None:
        found["index.version.created_string"] = version_text(int(version))
    return found


def version_text(number: int) -> str:
    """OpenSearch numbers versions as 2^27 + major·1000000 + minor·10000 + revision·100 + build."""
    bare = number ^ 0x08000000
    return f"{bare // 1_000_000}.{bare // 10_000 % 100}.{bare // 100 % 100}"


def matches_name(patterns: tuple[str, ...]) -> Callable[[str], bool] | None:
    """A filter of names by patterns; None for no patterns or all."""
    if not patterns or any(pattern in ("_all", "*") for pattern in patterns):
        return None
    return lambda name: matches_any(patterns, name)


def alias_json(alias: Alias, index: str) -> dict[str, Any]:
    return alias.spec.indices[index].to_json()


def aliases_json(state: ClusterState, index: str) -> dict[str, Any]:
    """All aliases of an index."""
    return {alias.name: alias_json(alias, index) for alias in state.aliases_of(index)}
