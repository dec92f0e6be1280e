"""The composition object that handlers get: everything of this process that an endpoint may need."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quidditch.model.errors import ApiError
from quidditch.rest.node_filter import select_nodes
from quidditch.rest.traffic import Traffic

if TYPE_CHECKING:
    from quidditch.controlplane.api import ControlPlane
    from quidditch.coordinator.get import Getter
    from quidditch.coordinator.mappings import Mappings
    from quidditch.coordinator.nodes import Nodes
    from quidditch.coordinator.search_service import SearchService
    from quidditch.coordinator.shards import Shards
    from quidditch.coordinator.tasks import Tasks
    from quidditch.coordinator.write import Writer
    from quidditch.datanode.node import DataNode
    from quidditch.model.objects import Node as ClusterNode
    from quidditch.rest.pressure import Pressure


@dataclass(slots=True)
class Node:
    """The parts of this process.

    `config`: effective configuration; `clock`: quidditch.lib's clock; `control`: the control plane (`state`, `submit`);
    `data`: the data node; `nodes`: questions to all nodes; `shards`: calls and broadcasts to shards wherever they are; `mappings`:
    compiled mappings by index; `write`, `get`, `search`: the coordinator's parts; `tasks`: what runs; `traffic`: answers counted;
    `extra`: what a family keeps for itself
    under its own name.
    """

    name: str
    id: str
    config: Any
    clock: Any
    control: ControlPlane
    data: DataNode
    nodes: Nodes
    shards: Shards
    mappings: Mappings
    write: Writer
    get: Getter
    search: SearchService
    pressure: Pressure
    tasks: Tasks
    traffic: Traffic = field(default_factory=Traffic)
    http_address: str = ""
    started_ms: int = 0
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def data_path(self) -> Path:
        """Where this process keeps its data."""
        return self.data.folder.path

    @property
    def known(self) -> ClusterNode:
        """This node as the cluster knows it. Raises :class:`ApiError` while it does not."""
        found = self.control.state.nodes.get(self.id)
        if found is None:
            raise ApiError(503, "node_not_connected_exception", f"node [{self.id}] is not a member of the cluster")
        return found

    @property
    def manager(self) -> str:
        """The id of the node that leads the cluster, empty while none does."""
        return self.control.leader_id

    def select(self, expression: str | None) -> list[ClusterNode]:
        """The nodes that an expression of the API means."""
        return select_nodes(self.control.state, expression, self.id, self.manager)
