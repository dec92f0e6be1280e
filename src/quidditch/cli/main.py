"""`quidditch`: the command line. Each command imports what it needs when it runs."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from quidditch.cli import cluster, state

STARTED = time.monotonic()
app = typer.Typer(
    name="quidditch",
    help="An OpenSearch-compatible search engine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(cluster.app, name="cluster")
app.add_typer(state.app, name="state")

DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Folder of all data (path.data).")]
Host = Annotated[str | None, typer.Option("--http-host", help="Address to listen on (http.host).")]
Port = Annotated[str | None, typer.Option("--http-port", help="Port or range of ports (http.port).")]
File = Annotated[Path | None, typer.Option("--config", help="Configuration in YAML.")]
Sets = Annotated[list[str] | None, typer.Option("--set", "-E", metavar="NAME=VALUE", help="Any other setting.")]

Name = Annotated[str | None, typer.Option("--name", help="Name of the node (node.name).")]
TransportPort = Annotated[str | None, typer.Option("--transport-port", help="Port for other nodes (transport.port).")]
Seeds = Annotated[
    str | None, typer.Option("--seed-hosts", help="Masters to ask first, host:port,… (discovery.seed_hosts).")
]
Peers = Annotated[
    str | None, typer.Option("--peers", help="First masters of a new cluster, name=host:etcd-port,… (raft.peers).")
]


def _fail(message: str) -> typer.Exit:
    print(f"quidditch: {message}", file=sys.stderr)
    return typer.Exit(1)


def _flags(
    data_dir: Path | None, host: str | None, port: str | None, sets: list[str] | None, **named: str | None
) -> dict[str, str | None]:
    """Settings by name; `named` has those of further options, `node_name` for `node.name`."""
    flags: dict[str, str | None] = {name.replace("_", ".", 1): value for name, value in named.items()}
    for text in sets or []:
        name, equals, value = text.partition("=")
        if not equals:
            raise _fail(f"--set takes NAME=VALUE, not [{text}]")
        flags[name] = value
    flags["path.data"] = None if data_dir is None else str(data_dir)
    flags["http.host"] = host
    flags["http.port"] = port
    return flags


@app.command()
def run(
    data_dir: DataDir = None,
    http_host: Host = None,
    http_port: Port = None,
    config: File = None,
    sets: Sets = None,
) -> None:
    """Start a node: all roles in one process, everything in one folder."""
    _serve(config, _flags(data_dir, http_host, http_port, sets))


def _serve(config: Path | None, flags: dict[str, str | None]) -> None:
    from quidditch.cli.config import ConfigError, load
    from quidditch.cli.run import serve
    from quidditch.datanode.folder import FolderError

    try:
        serve(load(config, os.environ, flags), started=STARTED)
    except (ConfigError, FolderError) as error:
        raise _fail(str(error)) from None


@app.command()
def master(
    data_dir: DataDir = None,
    http_host: Host = None,
    http_port: Port = None,
    config: File = None,
    sets: Sets = None,
    name: Name = None,
    transport_port: TransportPort = None,
    seed_hosts: Seeds = None,
    peers: Peers = None,
    join: Annotated[
        str | None,
        typer.Option("--join", help="Etcd of the running masters to be added to, host:client-port,… (raft.join)."),
    ] = None,
    await_restore: Annotated[
        bool, typer.Option("--await-restore", help="Found no cluster: wait for `state restore` (raft.await_restore).")
    ] = False,
) -> None:
    """Start a master: an etcd member and a candidate for the lead; it holds no documents."""
    flags = _flags(
        data_dir, http_host, http_port, sets, node_name=name, transport_port=transport_port, raft_peers=peers
    )
    flags["raft.join"] = join
    if await_restore:
        flags["raft.await_restore"] = "true"
    _serve(config, {**flags, **_member("cluster_manager", seed_hosts)})


@app.command()
def data(
    data_dir: DataDir = None,
    http_host: Host = None,
    http_port: Port = None,
    config: File = None,
    sets: Sets = None,
    name: Name = None,
    transport_port: TransportPort = None,
    seed_hosts: Seeds = None,
) -> None:
    """Start a data node: it holds shards, and takes requests like every node."""
    flags = _flags(data_dir, http_host, http_port, sets, node_name=name, transport_port=transport_port)
    _serve(config, {**flags, **_member("data,ingest,remote_cluster_client", seed_hosts)})


@app.command()
def coordinator(
    data_dir: DataDir = None,
    http_host: Host = None,
    http_port: Port = None,
    config: File = None,
    sets: Sets = None,
    name: Name = None,
    transport_port: TransportPort = None,
    seed_hosts: Seeds = None,
) -> None:
    """Start a coordinator: it takes requests and holds nothing."""
    flags = _flags(data_dir, http_host, http_port, sets, node_name=name, transport_port=transport_port)
    _serve(config, {**flags, **_member("", seed_hosts)})


def _member(roles: str, seed_hosts: str | None) -> dict[str, str | None]:
    """What makes a process a member of a cluster of many, with these roles."""
    return {"controlPlane.mode": "raft", "node.roles": roles, "discovery.seed_hosts": seed_hosts}


@app.command()
def demo(
    data_dir: DataDir = None,
    http_host: Host = None,
    http_port: Port = None,
    config: File = None,
    sets: Sets = None,
    stop: Annotated[bool, typer.Option("--stop", help="End when the demonstration is over.")] = False,
) -> None:
    """Index the documentation of this Python installation and search it; the node stays up afterwards."""
    from quidditch.cli.config import ConfigError, load
    from quidditch.cli.demo import demonstrate
    from quidditch.datanode.folder import FolderError

    flags = _flags(data_dir, http_host, http_port, sets)
    try:
        demonstrate(load(config, os.environ, flags), temporary=data_dir is None, stop=stop)
    except (ConfigError, FolderError) as error:
        raise _fail(str(error)) from None


@app.command(name="import")
def import_file(
    file: Annotated[str, typer.Argument(help="NDJSON or CSV, may be gzipped; - for standard input.")],
    index: Annotated[str, typer.Option("--index", "-i", help="Index to write to; created if it is missing.")],
    url: Annotated[str, typer.Option("--url", help="The node.")] = "http://127.0.0.1:9200",
    kind: Annotated[str | None, typer.Option("--format", help="ndjson or csv; otherwise told by the name.")] = None,
    id_field: Annotated[str | None, typer.Option("--id-field", help="Field that gives the document's id.")] = None,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Documents in one request.")] = 2000,
    restart: Annotated[
        bool, typer.Option("--restart", help="Begin anew instead of where the last import ended.")
    ] = False,
) -> None:
    """Index the documents of a file. An interrupted import goes on where it was."""
    from quidditch.cli.importer import ImportProblem, run_import

    try:
        run_import(file, index, url, kind, id_field, batch, restart)
    except ImportProblem as error:
        raise _fail(str(error)) from None
    except KeyboardInterrupt:
        raise _fail("interrupted; the same command goes on from here") from None


@app.command(name="config")
def show_config(
    data_dir: DataDir = None,
    http_host: Host = None,
    http_port: Port = None,
    config: File = None,
    sets: Sets = None,
) -> None:
    """Print the effective configuration and where each value comes from."""
    from quidditch.cli.config import SETTINGS, ConfigError, environment_name, load

    try:
        effective = load(config, os.environ, _flags(data_dir, http_host, http_port, sets))
        effective.ports()
    except ConfigError as error:
        raise _fail(str(error)) from None
    for name, setting in SETTINGS.items():
        print(f"# {setting.meaning} ({environment_name(name)}; {effective.sources[name]})")
        print(f'{name}: "{effective[name]}"')


@app.command()
def version() -> None:
    """Print the version."""
    from quidditch import __version__

    print(f"quidditch {__version__}")


def main() -> None:
    app()


if __name__ == "__main__":
    main()
