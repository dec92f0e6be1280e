"""A real OpenSearch 3.6.0 to compare with: the Maven artifact of its integration-test build, run on a JDK ≥ 21."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.compat.artifact import cache
from tests.support.node import free_port

VERSION = "3.6.0"
COORDINATES = f"org.opensearch.distribution.integ-test-zip:opensearch:{VERSION}:zip"


def java_home() -> Path | None:
    """The newest JDK ≥ 21 beside the system's default one."""
    found = []
    for release in Path("/usr/lib/jvm").glob("*/release"):
        text = release.read_text(errors="replace")
        for line in text.splitlines():
            if line.startswith("JAVA_VERSION="):
                major = line.split('"')[1].split(".")[0]
                found.append((int(major), release.parent))
    good = [home for major, home in sorted(found) if major >= 21]
    return good[-1] if good else None


def _home() -> Path | None:
    target = cache() / f"opensearch-{VERSION}"
    if (target / "bin").is_dir():
        return target
    archive = Path.home() / ".m2/repository/org/opensearch/distribution/integ-test-zip/opensearch"
    archive = archive / VERSION / f"opensearch-{VERSION}.zip"
    if not archive.is_file():
        if shutil.which("mvn") is None:
            return None
        command = ["mvn", "-q", "-B", "dependency:get", f"-Dartifact={COORDINATES}", "-Dtransitive=false"]
        subprocess.run(command, check=False, capture_output=True)
    if not archive.is_file():
        return None
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(target.parent)
    for script in (target / "bin").iterdir():
        script.chmod(0o755)
    return target


@contextmanager
def running(folder: Path) -> Iterator[str | None]:
    """Its URL while it runs, None where it cannot: no JDK, no Maven."""
    java, home = java_home(), _home()
    if java is None or home is None:
        yield None
        return
    copy = folder / "opensearch"
    shutil.copytree(home, copy)
    port = free_port()
    (copy / "config/opensearch.yml").write_text(
        f"discovery.type: single-node\nhttp.host: 127.0.0.1\nhttp.port: {port}\ntransport.host: 127.0.0.1\n"
        f"transport.port: {free_port()}\ncluster.routing.allocation.disk.threshold_enabled: false\n"
    )
    env = {**os.environ, "OPENSEARCH_JAVA_HOME": str(java), "OPENSEARCH_JAVA_OPTS": "-Xms1g -Xmx1g"}
    command = [str(copy / "bin/opensearch")]
    if os.geteuid() == 0:  # OpenSearch refuses to run as root
        subprocess.run(["chown", "-R", "nobody", str(folder)], check=True)
        folder.chmod(0o755)
        command = ["setpriv", "--reuid=nobody", "--clear-groups", *command]
        env["HOME"] = str(copy)
    with (folder / "opensearch.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=env)
    try:
        _wait(f"http://127.0.0.1:{port}/", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=60)


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError("OpenSearch did not start")
