"""`quidditch state`: the cluster's state read, kept and put back, straight from and to its store. Documents are not part of it."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from quidditch.cli import options
from quidditch.cli.options import Flags, fail, takes

if TYPE_CHECKING:
    from quidditch.cli.config import Config
    from quidditch.model.objects import Object
    from quidditch.store.api import Store
    from quidditch.store.backup import Backup, Progress

app = typer.Typer(
    help="The state of a cluster (indices, routing, templates, settings…) in its store: read, keep, put back. Documents are no part of it.",
    no_args_is_help=True,
)
T = TypeVar("T")
_PATIENCE_SECONDS = 10.0


@app.command()
@takes(options.STATE)
def export(
    flags: Flags,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File; otherwise standard output.")] = None,
) -> None:
    """Print all objects as YAML, at one version."""
    from quidditch.cli.files import write_private

    with _problems():
        effective = _config(flags)
        text = _yaml(_with_progress("reading", lambda _done: _reading(effective, _all)))
        if output is None:
            sys.stdout.write(text)
        else:
            write_private(output, text.encode())


@app.command()
@takes(options.STATE)
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file.")],
    flags: Flags,
) -> None:
    """Keep the state in a file, at one version; the cluster may run."""
    from quidditch.cli.config import ConfigError
    from quidditch.cli.files import write_private
    from quidditch.store.backup import dump, take

    with _problems():
        if file.exists():
            raise ConfigError(f"{file} is there already")
        effective = _config(flags)
        taken = _with_progress("reading", lambda _done: _reading(effective, take))
        write_private(file, dump(taken))
    print(f"{file}: {_about(taken)}")


@app.command()
@takes(options.STATE)
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `state backup` wrote.")],
    flags: Flags,
) -> None:
    """Fill an empty store from a backup. Masters wait for it with `quidditch master --await-restore`.

    Data nodes take their shards from their own disks again. What was changed after the backup is forgotten; the data of
    indices that were created after it stay on the data nodes' disks, unused.
    """
    from quidditch.cli.config import ConfigError
    from quidditch.store.backup import parse

    with _problems():
        effective = _config(flags)
        try:
            kept = parse(file.read_bytes())
        except OSError as error:
            raise ConfigError(f"{file} cannot be read: {error.strerror}") from None
        _with_progress("restoring", lambda done: _filling(effective, kept, done), len(kept.objects))
    print(f"restored {_about(kept)}")


def _about(backup: Backup) -> str:
    spec = backup.cluster.spec
    return f"{len(backup.objects)} objects of the cluster [{spec.name}] with the uuid {spec.uuid}"


# --- the store ----------------------------------------------------------------------------------------------------------


def _config(flags: Flags) -> Config:
    """The configuration with these flags, which decide where the store is. Raises :class:`ConfigError`."""
    from quidditch.cli.config import ConfigError

    modes = {"path.data": "embedded", "raft.endpoints": "raft", "kubernetes.namespace": "k8s"}
    named = [mode for setting, mode in modes.items() if flags.settings[setting] is not None]
    if len(named) > 1:
        raise ConfigError(
            "a state is in one place: a folder (--data-dir), etcd (--endpoints), or Kubernetes (--namespace)"
        )
    return (flags.also({"controlPlane.mode": named[0]}) if named else flags).load()


async def _reading(config: Config, read: Callable[[Store], Awaitable[T]]) -> T:
    from quidditch.cli.stores import opened_folder

    async with _elsewhere(config) or opened_folder(config.data_path) as opened:
        return await read(opened)


async def _filling(config: Config, backup: Backup, done: Progress) -> None:
    from quidditch.cli.stores import opened_to_fill
    from quidditch.store import backup as backups

    holder = f"quidditch state restore {uuid.uuid4()}"
    async with _elsewhere(config) or opened_to_fill(config.data_path, backup.cluster.spec.uuid) as opened:
        await backups.restore(opened, backup, holder, time.time, done)


def _elsewhere(config: Config) -> contextlib.AbstractAsyncContextManager[Store] | None:
    """The store that other processes have too; None for an embedded node's."""
    from quidditch.cli.run import mode

    where = mode(config)
    return _etcd(config) if where == "raft" else _kubernetes(config) if where == "k8s" else None


@contextlib.asynccontextmanager
async def _kubernetes(config: Config) -> AsyncIterator[Store]:
    """The namespace that is named, or the context's."""
    from quidditch.cli.stores import kubernetes_client, open_kubernetes

    store = await open_kubernetes(*kubernetes_client(config), _PATIENCE_SECONDS)
    try:
        yield store
    finally:
        await store.close()


@contextlib.asynccontextmanager
async def _etcd(config: Config) -> AsyncIterator[Store]:
    """The etcd that is named, or the one of the master that is configured so."""
    from quidditch.cli.stores import open_etcd, own_endpoint

    endpoints = config.words("raft.endpoints") or [own_endpoint(config)]
    store = await open_etcd(config, endpoints, _PATIENCE_SECONDS)
    try:
        yield store
    finally:
        await store.close()


async def _all(store: Store) -> Sequence[Object]:
    """All objects, indices with their mappings."""
    from quidditch.controlplane import overflow
    from quidditch.store.api import StoreError

    objects = (await store.list()).objects
    try:
        return overflow.join_all(objects)
    except StoreError as error:
        print(f"quidditch: {error}; the objects are shown as they are stored", file=sys.stderr)
        return objects


# --- files and terminal -------------------------------------------------------------------------------------------------


def _yaml(objects: Sequence[Object]) -> str:
    import msgspec
    import yaml

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    trees = [msgspec.to_builtins(obj) for obj in objects]
    return str(yaml.dump_all(trees, Dumper=dumper, sort_keys=False, allow_unicode=True, explicit_start=True))


def _with_progress(what: str, work: Callable[[Progress], Awaitable[T]], total: int | None = None) -> T:
    """Runs the work with a progress bar on a terminal."""
    from rich.console import Console
    from rich.progress import Progress as Bars

    with Bars(console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(what, total=total)

        async def main() -> T:
            return await work(lambda count: bars.advance(task, count))

        return asyncio.run(main())


@contextlib.contextmanager
def _problems() -> Iterator[None]:
    """Says what went wrong in one line, and ends with status 1."""
    from quidditch.cli.config import ConfigError
    from quidditch.model.codec import FormatError
    from quidditch.store.api import StoreError
    from quidditch.store.backup import BackupError

    try:
        yield
    except (ConfigError, BackupError, FormatError, StoreError) as error:
        raise fail(error) from None
