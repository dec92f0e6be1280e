"""`python -m tools.kube up|down|status|node|api`: a Kubernetes to play with on this machine."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import shutil
import sys
from pathlib import Path

from tests.support.etcd import Missing, binary

from tools.kube.cluster import Options, Supervisor
from tools.kube.kubelet.node import STATES
from tools.kube.running import Failed, Running


def main() -> int:
    """The exit code: 1 where it does not work, 3 where something is missing on this machine."""
    parser = argparse.ArgumentParser(prog="python -m tools.kube", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, help in (
        ("up", "start a cluster"),
        ("down", "end it"),
        ("status", "what runs where"),
        ("run", "in the foreground"),
    ):
        command = commands.add_parser(name, help=help)
        command.add_argument("--dir", type=Path, default=_folder())
        if name in ("up", "run"):
            _add_options(command)
    node = commands.add_parser("node", help="let a node fail, or bring it back")
    node.add_argument("state", choices=STATES)
    node.add_argument("name")
    node.add_argument("--dir", type=Path, default=_folder())
    api = commands.add_parser("api", help="let the API server fail, or bring it back")
    api.add_argument("action", choices=("kill", "stop", "start", "pause", "resume"))
    api.add_argument("--dir", type=Path, default=_folder())
    arguments = parser.parse_args()
    try:
        return _run(arguments)
    except Missing as missing:
        print(missing, file=sys.stderr)
        return 3
    except Failed as failed:
        print(failed, file=sys.stderr)
        return 1


def _add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--nodes", type=int, default=3)
    command.add_argument("--zones", default="a,b,c", help="dealt out to the nodes in turn")
    command.add_argument("--grace", type=int, default=10, help="seconds until a silent node is not ready")
    command.add_argument("--images", type=Path, help="a YAML file with further images")
    command.add_argument("--api-arg", action="append", default=[], help="a further argument of kube-apiserver")


def _folder() -> Path:
    cache = os.environ.get("QUIDDITCH_CACHE") or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "quidditch" / "kube"


def _run(arguments: argparse.Namespace) -> int:
    running = Running(arguments.dir)
    match arguments.command:
        case "run":
            options = Options(
                arguments.nodes, arguments.zones.split(","), arguments.grace, arguments.images, arguments.api_arg
            )
            logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
            asyncio.run(Supervisor(arguments.dir, options).run())
        case "up":
            return _up(running, arguments)
        case "down":
            running.stop()
            shutil.rmtree(arguments.dir, ignore_errors=True)
        case "status":
            print(json.dumps(running.status(), indent=2))
        case "node":
            running.node(arguments.name, arguments.state)
        case "api":
            running.api(arguments.action)
    return 0


def _up(running: Running, arguments: argparse.Namespace) -> int:
    if not running.alive():
        running.stop()
        shutil.rmtree(running.folder, ignore_errors=True)
        passed = ["--nodes", str(arguments.nodes), "--zones", arguments.zones, "--grace", str(arguments.grace)]
        if arguments.images:
            passed += ["--images", str(arguments.images.resolve())]
        passed += [f"--api-arg={each}" for each in arguments.api_arg]
        try:
            running.start(passed)
        except BaseException:
            running.stop()
            raise
    kubectl, helm = binary("kubectl"), binary("helm")
    print(f"export KUBECONFIG={running.kubeconfig}")
    print(f"alias kubectl={kubectl} helm={helm}")
    print(
        f"# logs of pods: {running.folder / 'logs'}; `python -m tools.kube status` shows what runs where",
        file=sys.stderr,
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
