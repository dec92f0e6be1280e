"""The rules of the house that no linter knows."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HARD_LIMIT = 600


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z", "--", *patterns], cwd=ROOT, capture_output=True, check=True)
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


def test_no_source_file_is_longer_than_the_limit() -> None:
    sources = tracked("src/*.py", "tests/*.py", "tools/*.py", "benchmarks/*.py", "kernel/*.rs", "kernel/*.py")
    long = {
        str(file.relative_to(ROOT)): lines for file in sources if (lines := file.read_text().count("\n")) > HARD_LIMIT
    }
    assert not long


def test_no_address_of_a_registry_and_no_path_of_a_machine_is_in_the_tree() -> None:
    suspicious = re.compile(r"(?<![\w./-])/(?:work|root)/|https?://[^\s\"')]*(?:proxy|mirror|artifactory|nexus)")
    found = []
    for file in tracked("."):
        if file == Path(__file__).resolve():
            continue
        try:
            text = file.read_text()
        except UnicodeDecodeError:
            continue
        found += [f"{file.relative_to(ROOT)}: {match[0]}" for match in suspicious.finditer(text)]
    assert not found


def test_relative_links_in_documents_lead_somewhere() -> None:
    broken = []
    for file in tracked("*.md"):
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", file.read_text()):
            if not re.match(r"[a-z]+:", target) and not (file.parent / target).exists():
                broken.append(f"{file.relative_to(ROOT)}: {target}")
    assert not broken


@pytest.mark.parametrize("command", ["make run", "make test"])
def test_the_readme_shows_the_two_commands(command: str) -> None:
    assert command in (ROOT / "README.md").read_text()
