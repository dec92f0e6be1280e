"""The composition object that handlers get: everything of this process that an endpoint may need."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from quidditch.rest.pressure import Pressure


@dataclass(slots=True)
class Node:
    """The parts of this process.

    `config`: effective configuration; `clock`: quidditch.lib's clock; `control`: the control plane (`state`, `submit`);
    `data`: the data node; `write`, `search`: the coordinator's two halves; `extra`: what a family keeps for itself
    under its own name.
    """

    name: str
    id: str
    config: Any
    clock: Any
    control: Any
    data: Any
    write: Any
    search: Any
    pressure: Pressure
    http_address: str = ""
    started_ms: int = 0
    extra: dict[str, Any] = field(default_factory=dict)
