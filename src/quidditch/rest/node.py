"""The composition object that handlers get: everything of this process that an endpoint may need."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from quidditch.controlplane.api import ControlPlane
    from quidditch.coordinator.get import Getter
    from quidditch.coordinator.mappings import Mappings
    from quidditch.coordinator.search_service import SearchService
    from quidditch.coordinator.shards import Shards
    from quidditch.coordinator.write import Writer
    from quidditch.datanode.node import DataNode
    from quidditch.rest.pressure import Pressure


@dataclass(slots=True)
class Node:
    """The parts of this process.

    `config`: effective configuration; `clock`: quidditch.lib's clock; `control`: the control plane (`state`, `submit`);
    `data`: the data node; `shards`: calls and broadcasts to shards wherever they are; `mappings`: compiled mappings by
    index; `write`, `get`, `search`: the coordinator's parts; `extra`: what a family keeps for itself
    under its own name.
    """

    name: str
    id: str
    config: Any
    clock: Any
    control: ControlPlane
    data: DataNode
    shards: Shards
    mappings: Mappings
    write: Writer
    get: Getter
    search: SearchService
    pressure: Pressure
    http_address: str = ""
    started_ms: int = 0
    extra: dict[str, Any] = field(default_factory=dict)
