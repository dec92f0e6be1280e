"""Bodies of some size come and go without the system taking their pages back each time."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

_COUNT = """
import resource
from quidditch.cli import run

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def come_and_go(times):
    for _ in range(times):
        bodies = [b"x" * (512 << 10) for _ in range(6)]
        del bodies

if {kept}:
    run.keep_freed_memory()
come_and_go(3)
before = faults()
come_and_go(50)
print(faults() - before)
"""


def _faults(kept: bool) -> int:
    done = subprocess.run([sys.executable, "-c", _COUNT.format(kept=kept)], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another allocator has other habits")
def test_freed_blocks_stay_for_the_next_ones() -> None:
    assert _faults(kept=True) * 10 < _faults(kept=False)
