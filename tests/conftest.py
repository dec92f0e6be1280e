"""Fixtures that several folders of tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.support.client import Client
from tests.support.etcd import Cluster
from tests.support.kube import ApiServer
from tests.support.node import Node

# A busy machine is no fault of the code: nothing here fails for being slow. Where a change waits to land the examples are the same
# each time; everywhere else they are new ones.
settings.register_profile(
    "patient", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=bool(os.environ.get("CI"))
)
settings.load_profile("patient")
settings.register_profile("clusters", settings.get_profile("patient"), max_examples=1000)


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    """A real node of the test module."""
    with Node.temporary() as running:
        yield running


@pytest.fixture
def client(node: Node) -> Iterator[Client]:
    connected = Client(node.url)
    yield connected
    connected.close()


@pytest.fixture(scope="session")
def etcd() -> Iterator[Cluster]:
    """A real etcd of one member, for tests that leave it alive and keep to a prefix of their own."""
    with Cluster.temporary() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def kube_api() -> Iterator[ApiServer]:
    """A real Kubernetes API server, for tests that leave it alive and keep to a namespace of their own."""
    with ApiServer.temporary() as server:
        yield server


@pytest.fixture(scope="session")
def kube_crds(kube_api: ApiServer) -> ApiServer:
    """The API server of :func:`kube_api`, which knows Quidditch's resources."""
    from tests.support import crds  # brings aiohttp along, which other tests shall not pay for

    crds.install(kube_api)
    return kube_api
