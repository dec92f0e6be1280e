"""What a search costs outside the kernel: HTTP, parsing, routing, the way to the shard and back."""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from benchmarks import load

_TICK = 1e6 / os.sysconf("SC_CLK_TCK")


def python_share(url: str, pid: int, index: str, requests: Sequence[bytes], seconds: float) -> float:
    """Microseconds of the server's processor time per search, less the kernel's own, which the server measures for `_stats`.

    Meant for searches that run on the event loop's thread: of others the kernel's time includes waiting.
    """
    cpu, kernel = _processor_time(pid), _kernel_time(url, index)
    count = len(requests) + len(load.latencies(url, requests, seconds))
    spent = (_processor_time(pid) - cpu) - (_kernel_time(url, index) - kernel)
    return spent / count


def _processor_time(pid: int) -> float:
    """Microseconds of all threads of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * _TICK


def _kernel_time(url: str, index: str) -> float:
    """Microseconds that searches of the index have spent in the kernel."""
    with urllib.request.urlopen(f"{url}/{index}/_stats/search", timeout=60) as response:
        found = json.loads(response.read())
    return float(found["_all"]["total"]["search"]["query_time_in_millis"]) * 1000
