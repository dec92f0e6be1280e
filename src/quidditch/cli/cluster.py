"""`quidditch cluster`: a local cluster of real processes, and how a cluster is."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quidditch.cli.access import Access
from quidditch.cli.options import fail, reaches

if TYPE_CHECKING:
    from quidditch.cli.local_cluster import LocalCluster, Member

app = typer.Typer(help="A local cluster of real processes, for trying things.", no_args_is_help=True)

Dir = Annotated[Path, typer.Option("--dir", help="Folder of the cluster.")]
NodeName = Annotated[str, typer.Argument(metavar="NODE", help="A name that `cluster ps` shows.")]
_DIR = Path("quidditch-cluster")
_COUNTS = {"master": 3, "data": 3, "coordinator": 0}


@contextlib.contextmanager
def _problems() -> Iterator[None]:
    """Says what went wrong in one line, and ends with status 1."""
    from quidditch.cli.local_cluster import ClusterProblem

    try:
        yield
    except ClusterProblem as problem:
        raise fail(problem) from None


def _load(folder: Path) -> LocalCluster:
    from quidditch.cli.local_cluster import LocalCluster

    return LocalCluster.load(folder.absolute())


@app.command()
@reaches
def up(
    access: Access,
    masters: Annotated[int | None, typer.Option("--masters", min=1, help="1, 3 or 5; 3 if not given.")] = None,
    data: Annotated[int | None, typer.Option("--data", min=0, help="3 if not given.")] = None,
    coordinators: Annotated[int | None, typer.Option("--coordinators", min=0, help="None if not given.")] = None,
    first_port: Annotated[int, typer.Option("--first-port", help="A new cluster takes ports from here on.")] = 9200,
    folder: Dir = _DIR,
) -> None:
    """Start a cluster and print where its nodes listen. One that is in the folder already goes on where it was.

    Its nodes take their other settings from the environment, such as QUIDDITCH_HTTP_TLS_CERT, QUIDDITCH_HTTP_TLS_KEY and
    QUIDDITCH_HTTP_USERS_FILE; with these the options say who asks whether they answer.
    """
    with _problems():
        cluster = _opened(folder, {"master": masters, "data": data, "coordinator": coordinators}, first_port)
        _start(cluster, cluster.members, access)


def _opened(folder: Path, counts: Mapping[str, int | None], first_port: int) -> LocalCluster:
    """The cluster of the folder, or a new one."""
    from quidditch.cli.local_cluster import LocalCluster

    if LocalCluster.is_in(folder.absolute()):
        cluster = _load(folder)
        cluster.check_counts(counts)
        return cluster
    masters, data, coordinators = (
        default if (wanted := counts[role]) is None else wanted for role, default in _COUNTS.items()
    )
    return LocalCluster.create(folder.absolute(), masters, data, coordinators, first_port)


def _start(cluster: LocalCluster, members: Sequence[Member], access: Access) -> None:
    """Starts the nodes that do not run, waits for all, prints them. Raises :class:`ClusterProblem`."""
    from rich.console import Console
    from rich.progress import Progress

    for member in members:
        cluster.start(member)
    with Progress(transient=True, console=Console(stderr=True)) as progress:
        task = progress.add_task("starting", total=len(members))
        for _ in cluster.wait(members, access=access):
            progress.advance(task)
    for member in members:
        print(f"{member.name:16} {member.url}  pid {member.pid}")


@app.command()
def down(folder: Dir = _DIR) -> None:
    """End all nodes of the cluster. Data and logs stay in the folder: `cluster up` goes on with them."""
    with _problems():
        _load(folder).stop()
    print(f"all nodes have ended; `quidditch cluster up --dir {folder}` goes on, removing {folder} forgets the cluster")


@app.command()
def kill(
    node: NodeName,
    with_signal: Annotated[str, typer.Option("--signal", "-s", help="KILL, TERM, STOP, CONT…")] = "KILL",
    folder: Dir = _DIR,
) -> None:
    """Send a signal to a node; without --signal it is gone at once."""
    from quidditch.cli.local_cluster import parse_signal, send

    with _problems():
        member, number = _load(folder)[node], parse_signal(with_signal)
        send(member, number)
    print(f"{member.name} (pid {member.pid}) got {signal.Signals(number).name}")


@app.command()
@reaches
def start(node: NodeName, access: Access, folder: Dir = _DIR) -> None:
    """Start a node again, on its old data and ports."""
    with _problems():
        cluster = _load(folder)
        _start(cluster, [cluster[node]], access)


@app.command()
@reaches
def add(
    role: Annotated[str, typer.Argument(metavar="ROLE", help="master, data or coordinator")],
    access: Access,
    folder: Dir = _DIR,
) -> None:
    """Start one more node, which joins the running cluster; a master becomes one of those that vote."""
    with _problems():
        cluster = _load(folder)
        _start(cluster, [cluster.add(role)], access)


@app.command()
def ps(as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False, folder: Dir = _DIR) -> None:
    """List the nodes: name, role, process id, whether it runs, addresses (HTTP, other nodes)."""
    from quidditch.cli.local_cluster import state

    with _problems():
        cluster = _load(folder)
    rows = [
        {
            "name": member.name,
            "role": member.role,
            "pid": member.pid,
            "state": (now := state(member)),
            "running": now != "ended",
            "http": member.url,
            "transport": f"{member.host}:{member.transport}",
            "log": str(cluster.log(member)),
        }
        for member in cluster.members
    ]
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    for row in rows:
        print(f"{row['name']:16} {row['role']:12} {row['pid']:>8} {row['state']:8} {row['http']}  {row['transport']}")


@app.command()
@reaches
def status(
    access: Access,
    url: Annotated[
        str | None,
        typer.Option("--url", envvar="QUIDDITCH_URL", help="Any node; otherwise one of the local cluster."),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch/--once", help="Refresh until Ctrl-C.")] = sys.stdout.isatty(),
    folder: Dir = _DIR,
) -> None:
    """Show health, nodes, shards on each, and what is being waited for."""
    from quidditch.cli import cluster_status

    with _problems():
        members = [] if url else _load(folder).members
    option = "" if folder == _DIR else f" --dir {folder}"
    local = cluster_status.Local(members, option)
    cluster_status.show([url] if url else [member.url for member in members], local, access, watch)
