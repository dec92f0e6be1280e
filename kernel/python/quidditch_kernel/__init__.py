"""The kernel of Quidditch: shards, plans and the pure functions that must run at machine speed (see docs/kernel.md)."""

from quidditch_kernel._native import *  # noqa: F403
