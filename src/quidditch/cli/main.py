"""`quidditch`: the command line. Each command imports what it needs when it runs."""

from __future__ import annotations

import gc
import time
from typing import Annotated

import typer

from quidditch.cli import cluster, options, state, users
from quidditch.cli.access import Access
from quidditch.cli.options import Flags, fail, reaches, takes

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
app.add_typer(users.app, name="users")


@app.command()
@takes(options.NODE)
def run(flags: Flags) -> None:
    """Start a node: all roles in one process, everything in one folder."""
    _serve(flags)


@app.command()
@takes(options.MASTER)
def master(flags: Flags) -> None:
    """Start a master: an etcd member and a candidate for the lead; it holds no documents."""
    _serve_member(flags, "cluster_manager")


@app.command()
@takes(options.OPERATOR)
def operator(flags: Flags) -> None:
    """Start an operator: a candidate for the lead whose state is in the Kubernetes API; it holds no documents."""
    _serve_member(flags, "cluster_manager", "k8s")


@app.command()
@takes(options.MEMBER)
def data(flags: Flags) -> None:
    """Start a data node: it holds shards, and takes requests like every node. One of a tier has -E node.roles=data_hot,ingest."""
    _serve_member(flags, flags.settings.get("node.roles") or "data,ingest,remote_cluster_client")


@app.command()
@takes(options.MEMBER)
def coordinator(flags: Flags) -> None:
    """Start a coordinator: it takes requests and holds nothing."""
    _serve_member(flags, "")


def _serve_member(flags: Flags, roles: str, mode: str = "raft") -> None:
    """A process of a cluster of many, with these roles. To nodes without a part in the lead it is all one where the state is."""
    _serve(flags.also({"controlPlane.mode": mode, "node.roles": roles}))


def _serve(flags: Flags) -> None:
    # What is loaded stays: looking for garbage among it takes a quarter of the time.
    gc.disable()
    from quidditch.cli.config import ConfigError
    from quidditch.cli.run import serve
    from quidditch.datanode.folder import FolderError

    gc.freeze()
    gc.enable()
    try:
        serve(flags.load(), started=STARTED)
    except (ConfigError, FolderError) as error:
        raise fail(error) from None


@app.command()
@takes(options.NODE)
@reaches
def demo(
    flags: Flags,
    access: Access,
    stop: Annotated[bool, typer.Option("--stop", help="End when the demonstration is over.")] = False,
) -> None:
    """Index the documentation of this Python installation and search it; the node stays up afterwards."""
    from quidditch.cli.config import ConfigError
    from quidditch.cli.demo import demonstrate
    from quidditch.datanode.folder import FolderError

    try:
        demonstrate(flags.load(), temporary=flags.settings["path.data"] is None, stop=stop, access=access)
    except (ConfigError, FolderError) as error:
        raise fail(error) from None


@app.command(name="import")
@reaches
def import_file(
    file: Annotated[str, typer.Argument(help="NDJSON or CSV, may be gzipped; - for standard input.")],
    index: Annotated[str, typer.Option("--index", "-i", help="Index to write to; created if it is missing.")],
    access: Access,
    url: Annotated[str, typer.Option("--url", envvar="QUIDDITCH_URL", help="The node.")] = "http://127.0.0.1:9200",
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
        run_import(file, index, url, kind, id_field, batch, restart, access)
    except ImportProblem as error:
        raise fail(error) from None
    except KeyboardInterrupt:
        raise fail("interrupted; the same command goes on from here") from None


@app.command(name="config")
@takes(options.NODE)
def show_config(flags: Flags) -> None:
    """Print the effective configuration and where each value comes from."""
    from quidditch.cli.config import SETTINGS, ConfigError, environment_name

    try:
        effective = flags.load()
        effective.ports()
    except ConfigError as error:
        raise fail(error) from None
    for name, setting in SETTINGS.items():
        print(f"# {setting.meaning} ({environment_name(name)}; {effective.sources[name]})")
        print(f'{name}: "{"***" if setting.secret and effective[name] else effective[name]}"')


@app.command()
def version() -> None:
    """Print the version."""
    from quidditch import __version__

    print(f"quidditch {__version__}")


def main() -> None:
    app()


if __name__ == "__main__":
    main()
