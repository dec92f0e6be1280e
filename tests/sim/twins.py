"""Puts models in place of the kernel's shards, and simulated threads in place of real ones, wherever production code names them."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import quidditch_kernel
from quidditch import coordinator, datanode, transport
from quidditch.datanode import disk as full_disk
from quidditch.datanode.pools import Pool
from tests.sim import kernel, machines, model, model_files, slices
from tests.sim.disk import Disk


@contextmanager
def twins(disks: Mapping[str, Disk], real: bool = False) -> Iterator[None]:
    """`disks` by the first part of the paths on them. `real`: shards are the kernel's, and only those who use them know more."""

    def restore(path: str, manifest: bytes) -> model_files.Restore:
        return model_files.Restore(disks[Path(path).parts[0]], path, manifest)

    def inspect_shard(path: str) -> bytes | None:
        return model_files.inspect_shard(disks[Path(path).parts[0]], path)

    models: list[tuple[Any, Any]] = [
        (quidditch_kernel.Shard, model.ModelShard),
        (quidditch_kernel.Slice, slices.Slice),
        (quidditch_kernel.SliceResult, slices.SliceResult),
        (quidditch_kernel.Restore, restore),
        (quidditch_kernel.inspect_shard, inspect_shard),
    ]
    wrapped = [(quidditch_kernel.Shard, kernel.KernelShard), (quidditch_kernel.Restore, kernel.restore)]
    replaced = [*(wrapped if real else models), (Pool, machines.SimulatedPool)]
    with ExitStack() as stack:
        for module in _modules():
            for name, value in list(vars(module).items()):
                for known, twin in replaced:
                    if value is known:
                        stack.enter_context(mock.patch.object(module, name, twin))
        stack.enter_context(mock.patch.object(full_disk.Disk, "check_flood", _never_full))
        yield


def _never_full(_disk: full_disk.Disk, _index: str, _setting: Callable[[str], Any]) -> None: ...


@functools.cache
def _modules() -> list[Any]:
    """All of the production packages in which shards occur."""
    found = []
    for package in (transport, datanode, coordinator):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            found.append(importlib.import_module(module.name))
    return found
