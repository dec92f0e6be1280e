"""Bounds of a node that is made for a test."""

from __future__ import annotations

from quidditch.rest.pressure import Pressure
from quidditch.transport.breakers import Breakers
from quidditch.transport.pressure import IndexingPressure


def pressure_of(bodies: int, writes: int) -> Pressure:
    """So many bytes of bodies, and of writes."""
    breakers = Breakers(lambda: bodies, lambda: bodies, lambda: 2 * bodies)
    return Pressure(breakers, IndexingPressure(writes), 10)
