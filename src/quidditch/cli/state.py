"""`quidditch state`: the cluster's state read, kept and put back, straight from and to its store. Documents are not part of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

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

DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Folder of an embedded node (path.data).")]
Endpoints = Annotated[
    str | None, typer.Option("--endpoints", help="The masters' etcd, host:client-port,… (raft.endpoints).")
]
ClusterName = Annotated[str | None, typer.Option("--cluster-name", help="Whose state in etcd (cluster.name).")]
Ca = Annotated[str | None, typer.Option("--ca", help="Authority of etcd's certificates (raft.tls.ca).")]
Cert = Annotated[str | None, typer.Option("--cert", help="Own certificate for etcd (raft.tls.cert).")]
Key = Annotated[str | None, typer.Option("--key", help="Key of that certificate (raft.tls.key).")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="Configuration of a master or an embedded node.")]


@app.command()
def export(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File; otherwise standard output.")] = None,
    data_dir: DataDir = None,
    endpoints: Endpoints = None,
    cluster_name: ClusterName = None,
    ca: Ca = None,
    cert: Cert = None,
    key: Key = None,
    config: ConfigFile = None,
) -> None:
    """Print all objects as YAML, at one version."""
    with _problems():
        effective = _config(config, data_dir, endpoints, cluster_name, ca, cert, key)
        text = _yaml(_with_progress("reading", lambda _done: _reading(effective, _all)))
        if output is None:
            sys.stdout.write(text)
        else:
            _write(output, text.encode())


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file.")],
    data_dir: DataDir = None,
    endpoints: Endpoints = None,
    cluster_name: ClusterName = None,
    ca: Ca = None,
    cert: Cert = None,
    key: Key = None,
    config: ConfigFile = None,
) -> None:
    """Keep the state in a file, at one version; the cluster may run."""
    from quidditch.cli.config import ConfigError
    from quidditch.store.backup import dump, take

    with _problems():
        if file.exists():
            raise ConfigError(f"{file} is there already")
        effective = _config(config, data_dir, endpoints, cluster_name, ca, cert, key)
        taken = _with_progress("reading", lambda _done: _reading(effective, take))
        _write(file, dump(taken))
    print(f"{file}: {_about(taken)}")


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `state backup` wrote.")],
    data_dir: DataDir = None,
    endpoints: Endpoints = None,
    cluster_name: ClusterName = None,
    ca: Ca = None,
    cert: Cert = None,
    key: Key = None,
    config: ConfigFile = None,
) -> None:
    """Fill an empty store from a backup. Masters wait for it with `quidditch master --await-restore`.

    Data nodes take their shards from their own disks again. What was changed after the backup is forgotten; the data of
    indices that were created after it stay on the data nodes' disks, unused.
    """
    from quidditch.cli.config import ConfigError
    from quidditch.store.backup import parse

    with _problems():
        effective = _config(config, data_dir, endpoints, cluster_name, ca, cert, key)
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


def _config(
    file: Path | None,
    data_dir: Path | None,
    endpoints: str | None,
    cluster_name: str | None,
    ca: str | None,
    cert: str | None,
    key: str | None,
) -> Config:
    """The configuration with these flags, which decide where the store is. Raises :class:`ConfigError`."""
    from quidditch.cli.config import ConfigError, load

    if data_dir is not None and endpoints is not None:
        raise ConfigError("a state is in a folder (--data-dir) or in etcd (--endpoints), not in both")
    flags = {"raft.endpoints": endpoints, "cluster.name": cluster_name}
    flags |= {"raft.tls.ca": ca, "raft.tls.cert": cert, "raft.tls.key": key}
    if data_dir is not None:
        flags |= {"path.data": str(data_dir), "controlPlane.mode": "embedded"}
    elif endpoints is not None:
        flags["controlPlane.mode"] = "raft"
    return load(file, os.environ, flags)


async def _reading(config: Config, read: Callable[[Store], Awaitable[T]]) -> T:
    from quidditch.cli.stores import opened_folder

    store = _etcd(config) if _in_etcd(config) else opened_folder(config.data_path)
    async with store as opened:
        return await read(opened)


async def _filling(config: Config, backup: Backup, done: Progress) -> None:
    from quidditch.cli.stores import opened_to_fill
    from quidditch.store import backup as backups

    holder = f"quidditch state restore {uuid.uuid4()}"
    store = _etcd(config) if _in_etcd(config) else opened_to_fill(config.data_path, backup.cluster.spec.uuid)
    async with store as opened:
        await backups.restore(opened, backup, holder, time.time, done)


def _in_etcd(config: Config) -> bool:
    from quidditch.cli.run import mode

    return mode(config) == "raft"


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


def _write(file: Path, data: bytes) -> None:
    """Writes a file whole or not at all, for its owner only. Raises :class:`ConfigError`."""
    from quidditch.cli.config import ConfigError
    from quidditch.datanode.folder import sync_folder

    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(file)
        sync_folder(file.absolute().parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise ConfigError(f"{file} cannot be written: {error.strerror}") from None


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
        print(f"quidditch: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
