"""One fault after the other, by chance, while clients change a real cluster's metadata: `make chaos`.

    python -m tests.chaos --minutes 30 --seed 7
    python -m tests.chaos --fault 'leader cut off' --rounds 3

Ends with 1 and what cannot be explained, the nodes' folders kept; with 3 where a fault that was asked for cannot be made on this machine.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.support import chaos, etcd, faults, netns
from tests.support.cluster import Running
from tests.support.write_history import Recorder


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=sys.maxsize, help="at most so many faults")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--fault", action="append", choices=list(faults.FAULTS), help="only this one")
    parser.add_argument("--masters", type=int, default=3)
    parser.add_argument("--data", type=int, default=2)
    args = parser.parse_args()
    seed = random.randrange(10**6) if args.seed is None else args.seed
    try:
        etcd.binary()
        _run(args, seed)
    except (netns.Missing, etcd.Missing) as missing:
        print(missing, file=sys.stderr)
        sys.exit(3)


def _run(args: argparse.Namespace, seed: int) -> None:
    chance = random.Random(seed)
    with contextlib.ExitStack() as stack:
        networks = _networks(stack, args.fault)
        names = args.fault or [
            name for name, fault in faults.FAULTS.items() if networks is not None or not fault.needs_networks
        ]
        print(f"seed {seed}; {len(names)} faults", flush=True)
        cluster = stack.enter_context(Running.temporary(args.masters, args.data, networks=networks))
        recorder = stack.enter_context(Recorder(cluster.etcd_endpoints()).running())
        chaos.prepare(cluster)
        end = time.monotonic() + args.minutes * 60
        number = 0
        while number < args.rounds and time.monotonic() < end:
            name = args.fault[number % len(args.fault)] if args.fault else chance.choice(names)
            _round(number, name, cluster, recorder, chance)
            number += 1


def _networks(stack: contextlib.ExitStack, asked: list[str] | None) -> netns.Networks | None:
    """Of the nodes; None where there can be none and none are asked for. Raises :class:`netns.Missing`."""
    try:
        networks = stack.enter_context(netns.Networks.temporary())
    except netns.Missing as missing:
        if asked and any(faults.FAULTS[name].needs_networks for name in asked):
            raise
        print(f"nothing is cut off: {missing}", flush=True)
        return None
    stack.enter_context(networks.inside())
    return networks


def _round(number: int, name: str, cluster: Running, recorder: Recorder, chance: random.Random) -> None:
    urls = {member.name: member.url for member in cluster.cluster.members}
    workload = chaos.Workload(urls, chance.randrange(10**9), prefix=f"race{number}")
    began = time.monotonic()
    try:
        met = faults.happen(name, cluster, workload, chance)
        chaos.healed(cluster)
        chaos.judge(cluster, workload, recorder)
    except BaseException as error:
        kept = Path(tempfile.mkdtemp(prefix="quidditch-chaos-"))
        shutil.copytree(cluster.cluster.folder, kept / "cluster", dirs_exist_ok=True)
        print(f"{number}: {name}: {error}\nthe nodes' folders are in {kept}", flush=True)
        raise SystemExit(1) from error
    heard = workload.answers
    print(
        f"{number}: {name} {', '.join(met)}: {workload.acknowledged} changes, {heard['exists'] + heard['missing']} refused, "
        f"{heard['unknown']} without answer, {time.monotonic() - began:.0f} s",
        flush=True,
    )


if __name__ == "__main__":
    main()
