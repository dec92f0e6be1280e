"""Quidditch's resources on a real API server, and a namespace for each test."""

from __future__ import annotations

import uuid
from pathlib import Path

from quidditch.lib.kube.client import Client
from quidditch.lib.kube.resource import NAMESPACES
from tests.support.cluster import until
from tests.support.kube import ApiServer

CRDS = Path(__file__).parents[2] / "deploy" / "crds"


def install(server: ApiServer) -> None:
    """Those of deploy/crds; waits until the server serves them, and kubectl knows their short names."""
    server.kubectl("apply", "--server-side", "-f", str(CRDS))
    server.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    # kubectl remembers for minutes which kinds there are, and knows short names from there alone; this makes it ask again.
    listing = ("api-resources", "--api-group=quidditch.io", "-o", "name")
    until(lambda: len(server.kubectl(*listing).split()) == len(list(CRDS.iterdir())))


async def new_namespace(client: Client) -> str:
    name = f"test-{uuid.uuid4()}"
    await client.create(NAMESPACES, {"metadata": {"name": name}})
    return name
