"""One fault after the other, by chance, while clients use a real cluster: `make chaos`.

    python -m tests.chaos --minutes 30 --seed 7
    python -m tests.chaos metadata --fault 'leader cut off' --rounds 3

`documents` (what is told without a word): writers and readers of documents, and every copy compared with what was acknowledged;
`metadata`: clients that create and delete indices, aliases and fields. Ends with 1 and what cannot be explained, the nodes' folders kept;
with 3 where a fault that was asked for cannot be made on this machine.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.chaos import rounds
from tests.chaos.faults import DOCUMENT_FAULTS, FAULTS, Fault
from tests.support import disk, etcd, netns
from tests.support.cluster import Running

_DISK_MEGABYTES = 192


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument("what", nargs="?", choices=("documents", "metadata"), default="documents")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=sys.maxsize, help="at most so many faults")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--fault", action="append", choices=list(DOCUMENT_FAULTS | FAULTS), help="only this one")
    parser.add_argument("--masters", type=int, default=3)
    parser.add_argument("--data", type=int, default=3)
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    seed = random.randrange(10**6) if args.seed is None else args.seed
    try:
        etcd.binary()
        _run(args, seed)
    except (netns.Missing, etcd.Missing, _NoDisk) as missing:
        print(missing, file=sys.stderr)
        sys.exit(3)
    except KeyboardInterrupt:
        sys.exit(130)


def _run(args: argparse.Namespace, seed: int) -> None:
    chance = random.Random(seed)
    known = DOCUMENT_FAULTS if args.what == "documents" else FAULTS
    wanted = {name: known[name] for name in args.fault or known}
    with contextlib.ExitStack() as stack:
        networks = _networks(stack, wanted, asked=bool(args.fault))
        small = _small_disk(stack, wanted, asked=bool(args.fault))
        names = [
            name
            for name, fault in wanted.items()
            if (networks or not fault.needs_networks) and (small or not fault.needs_disk)
        ]
        print(f"seed {seed}; {len(names)} faults", flush=True)

        def prepare(folder: Path) -> None:
            if small is not None:
                (folder / f"data-{args.data}").symlink_to(small)

        cluster = stack.enter_context(Running.temporary(args.masters, args.data, prepare=prepare, networks=networks))
        each = rounds.Documents(cluster) if args.what == "documents" else rounds.Metadata(cluster, stack)
        end = time.monotonic() + args.minutes * 60
        number = 0
        while number < args.rounds and time.monotonic() < end:
            name = names[number % len(names)] if args.fault else chance.choice(names)
            _round(number, name, each, chance)
            number += 1


def _networks(stack: contextlib.ExitStack, wanted: Mapping[str, Fault], asked: bool) -> netns.Networks | None:
    """Of the nodes; None where there can be none and none are asked for. Raises :class:`netns.Missing`."""
    try:
        networks = stack.enter_context(netns.Networks.temporary())
    except netns.Missing as missing:
        if asked and any(fault.needs_networks for fault in wanted.values()):
            raise
        print(f"nothing is cut off: {missing}", flush=True)
        return None
    stack.enter_context(networks.inside())
    return networks


class _NoDisk(Exception):
    """A small disk cannot be mounted here."""


def _small_disk(stack: contextlib.ExitStack, wanted: Mapping[str, Fault], asked: bool) -> Path | None:
    """Of the last data node; None where it is not needed, or where there can be none and none is asked for."""
    if not any(fault.needs_disk for fault in wanted.values()):
        return None
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="quidditch-disk-")))
    try:
        stack.enter_context(disk.mounted(folder / "small", _DISK_MEGABYTES))
    except pytest.skip.Exception as missing:
        if asked:
            raise _NoDisk(missing) from None
        print(f"no disk is filled: {missing}", flush=True)
        return None
    return folder / "small"


def _round(number: int, name: str, each: rounds.Documents | rounds.Metadata, chance: random.Random) -> None:
    began = time.monotonic()
    try:
        told = each.happen(number, name, chance)
    except Exception as error:
        kept = Path(tempfile.mkdtemp(prefix="quidditch-chaos-"))
        shutil.copytree(each.cluster.cluster.folder, kept / "cluster", dirs_exist_ok=True)
        print(f"{number}: {name}: {error!r}\nthe nodes' folders are in {kept}", flush=True)
        raise SystemExit(1) from error
    print(f"{number}: {name} {told}, {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
