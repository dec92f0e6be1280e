"""Where the suite comes from: the Maven artifact, fetched by mvn, unpacked once into a cache outside the clone."""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from pathlib import Path

COORDINATES = "org.opensearch:rest-api-spec:3.1.0"


class Unavailable(Exception):
    """The suite cannot be had here; the message says what is missing."""


def cache() -> Path:
    base = os.environ.get("QUIDDITCH_CACHE") or os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "quidditch"


def fetch() -> Path:
    """The folder that holds `api/` and `test/`."""
    target = cache() / "rest-api-spec-3.1.0"
    if not (target / "rest-api-spec" / "test").is_dir():
        _unpack(_jar(), target)
    return target / "rest-api-spec"


def _jar() -> Path:
    group, name, version = COORDINATES.split(":")
    jar = Path.home() / ".m2/repository" / group.replace(".", "/") / name / version / f"{name}-{version}.jar"
    if jar.is_file():
        return jar
    if shutil.which("mvn") is None:
        raise Unavailable(
            f"the compatibility suite is the Maven artifact {COORDINATES}: install Maven (apt-get install maven)"
        )
    command = ["mvn", "-q", "-B", "dependency:get", f"-Dartifact={COORDINATES}:jar", "-Dtransitive=false"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or not jar.is_file():
        raise Unavailable(f"Maven could not fetch {COORDINATES}: {(done.stdout + done.stderr).strip()[-500:]}")
    return jar


def _unpack(jar: Path, target: Path) -> None:
    part = target.with_name(f"{target.name}.part{os.getpid()}")
    with zipfile.ZipFile(jar) as archive:
        archive.extractall(part)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        part.rename(target)
    except OSError:
        shutil.rmtree(part)
