"""The client against a real API server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from msgspec.structs import replace

from quidditch.lib.kube import config, errors
from quidditch.lib.kube.client import JSON_PATCH, Client
from quidditch.lib.kube.credentials import TokenFile
from quidditch.lib.kube.resource import LEASES, NAMESPACES, ResourceType
from quidditch.lib.kube.watch import Event, Watch
from quidditch.lib.metrics import Metrics
from tests.support.kube import ApiServer

MAPS = ResourceType("", "v1", "configmaps", "ConfigMap")
DEPLOYMENTS = ResourceType("apps", "v1", "deployments", "Deployment")
Test: TypeAlias = Callable[[Client], Awaitable[None]]


def named(name: str, **fields: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, **fields.pop("meta", {})}, **fields}


@pytest.fixture
def run(kube_api: ApiServer, request: pytest.FixtureRequest) -> Callable[[Test], None]:
    """Runs a coroutine function with a client in a namespace of its own."""
    name = "client-" + "".join(letter if letter.isalnum() else "-" for letter in request.node.name)[:50].strip("-")

    def runner(test: Test) -> None:
        async def main() -> None:
            loaded = replace(config.load({}, kube_api.kubeconfig), namespace=name)
            client = Client(loaded)
            try:
                await client.create(NAMESPACES, named(name))
                await asyncio.wait_for(test(client), 60)
            finally:
                await client.close()

        asyncio.run(main())

    return runner


def test_objects_are_made_read_replaced_and_deleted(run: Callable[[Test], None]) -> None:
    async def test(client: Client) -> None:
        made = await client.create(MAPS, named("a", data={"x": "1"}), field_manager="me")
        assert made["metadata"]["uid"]
        assert made["metadata"]["managedFields"][0]["manager"] == "me"
        assert await client.get(MAPS, "a") == made
        with pytest.raises(errors.AlreadyExists) as raised:
            await client.create(MAPS, named("a"))
        assert raised.value.message == 'configmaps "a" already exists'
        changed = await client.replace(MAPS, {**made, "data": {"x": "2"}})
        assert changed["data"] == {"x": "2"}
        with pytest.raises(errors.Conflict):
            await client.replace(MAPS, {**made, "data": {"x": "3"}})
        with pytest.raises(errors.Conflict):
            await client.delete(MAPS, "a", uid="another")
        with pytest.raises(errors.Conflict):
            await client.delete(MAPS, "a", resource_version=made["metadata"]["resourceVersion"])
        kept = await client.patch(MAPS, "a", {"metadata": {"finalizers": ["quidditch.io/test"]}})
        marked = await client.delete(MAPS, "a", resource_version=kept["metadata"]["resourceVersion"])
        assert marked is not None
        assert marked["metadata"]["deletionTimestamp"]
        await client.patch(MAPS, "a", [{"op": "remove", "path": "/metadata/finalizers"}], type=JSON_PATCH)
        for call in (client.get(MAPS, "a"), client.delete(MAPS, "a"), client.replace(MAPS, kept)):
            with pytest.raises(errors.NotFound):
                await call
        await client.create(MAPS, named("b"))
        assert await client.delete(MAPS, "b") is None

    run(test)


def test_a_list_comes_in_pages_of_one_version(run: Callable[[Test], None]) -> None:
    async def test(client: Client) -> None:
        def numbered(number: int) -> dict[str, Any]:
            return named(f"m{number:02}", meta={"labels": {"odd": str(number % 2)}})

        await asyncio.gather(*(client.create(MAPS, numbered(number)) for number in range(20)))
        listing = await client.list(MAPS, page=7)
        names = [item["metadata"]["name"] for item in listing.items]
        assert [name for name in names if name[0] == "m"] == [f"m{number:02}" for number in range(20)]
        odd = await client.list(MAPS, labels="odd=1", page=3)
        assert [item["metadata"]["name"] for item in odd.items] == [f"m{number:02}" for number in range(1, 20, 2)]
        one = await client.list(MAPS, fields="metadata.name=m05")
        assert len(one.items) == 1
        await client.delete(MAPS, "m05")
        before = await client.list(MAPS, at=listing.resource_version, page=7)
        assert [item["metadata"]["name"] for item in before.items] == names
        assert before.resource_version == listing.resource_version
        everywhere = await client.list(NAMESPACES, fields="metadata.name=default")
        assert len(everywhere.items) == 1

    run(test)


def test_patches(run: Callable[[Test], None]) -> None:
    async def test(client: Client) -> None:
        made = await client.create(MAPS, named("a", data={"x": "1", "y": "1"}))
        merged = await client.patch(MAPS, "a", {"data": {"x": None, "z": "1"}})
        assert merged["data"] == {"y": "1", "z": "1"}
        version = {"op": "replace", "path": "/metadata/resourceVersion", "value": made["metadata"]["resourceVersion"]}
        with pytest.raises(errors.Conflict):
            await client.patch(MAPS, "a", [version, {"op": "remove", "path": "/data/y"}], type=JSON_PATCH)
        version["value"] = merged["metadata"]["resourceVersion"]
        put = await client.patch(MAPS, "a", [version, {"op": "add", "path": "/data", "value": {}}], type=JSON_PATCH)
        assert "data" not in put

    run(test)


def test_server_side_apply_keeps_to_its_own_fields(run: Callable[[Test], None]) -> None:
    async def test(client: Client) -> None:
        one = await client.apply(MAPS, named("a", data={"x": "1", "y": "1"}), field_manager="one")
        assert one["data"] == {"x": "1", "y": "1"}
        two = await client.apply(MAPS, named("a", data={"z": "1"}), field_manager="two")
        assert two["data"] == {"x": "1", "y": "1", "z": "1"}
        with pytest.raises(errors.Conflict, match=r"conflict with \"one\""):
            await client.apply(MAPS, named("a", data={"x": "2", "z": "1"}), field_manager="two", force=False)
        await client.apply(MAPS, named("a", data={"x": "2", "z": "1"}), field_manager="two")
        left = await client.apply(MAPS, named("a", data={}), field_manager="one")
        assert left["data"] == {"x": "2", "z": "1"}

    run(test)


def test_status_is_written_beside_the_spec(run: Callable[[Test], None]) -> None:
    async def test(client: Client) -> None:
        labels = {"app": "a"}
        pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
        spec = {"selector": {"matchLabels": labels}, "template": pod}
        made = await client.create(DEPLOYMENTS, named("a", spec=spec))
        reported = await client.replace(DEPLOYMENTS, {**made, "status": {"replicas": 3}}, subresource="status")
        assert reported["status"]["replicas"] == 3
        assert reported["metadata"]["generation"] == 1
        ignored = await client.replace(DEPLOYMENTS, {**reported, "status": {"replicas": 5}})
        assert ignored["status"]["replicas"] == 3

    run(test)


def test_refusals_say_why(run: Callable[[Test], None]) -> None:
    async def test(client: Client) -> None:
        with pytest.raises(errors.Invalid) as raised:
            await client.create(LEASES, named("a", spec={"leaseDurationSeconds": -1}))
        details = raised.value.status.details
        assert details is not None
        assert details.causes is not None
        assert details.causes[0].field == "spec.leaseDurationSeconds"
        with pytest.raises(errors.BadRequest):
            await client.create(LEASES, named("a", spec={"renewTime": "yesterday"}))
        with pytest.raises(errors.TooLarge):
            await client.create(MAPS, named("a", data={"x": "x" * 4_000_000}))
        with pytest.raises(errors.NotFound) as missing:
            await client.get(ResourceType("quidditch.test", "v1", "things", "Thing"), "a")
        assert missing.value.reason == ""
        with pytest.raises(errors.NotFound, match="namespaces"):
            await client.create(MAPS, named("a"), "nowhere")

    run(test)


def test_who_has_no_right_is_told(run: Callable[[Test], None], kube_api: ApiServer, tmp_path: Path) -> None:
    async def test(client: Client) -> None:
        kube_api.kubectl("create", "serviceaccount", "nobody", "-n", client.namespace)
        token = tmp_path / "token"
        token.write_text(kube_api.kubectl("create", "token", "nobody", "-n", client.namespace))
        own = Client(replace(client.connection.config, credentials=TokenFile(token)))
        try:
            with pytest.raises(errors.Forbidden, match=r"nobody.* cannot list resource \"configmaps\""):
                await own.list(MAPS)
            with pytest.raises(errors.Forbidden):
                await anext(Watch(own, MAPS, "1").events())
            token.write_text("wrong")
            own.connection.config.credentials.refused()
            with pytest.raises(errors.Unauthorized):
                await own.list(MAPS)
            token.write_text(kube_api.token)
            assert await own.list(MAPS)
        finally:
            await own.close()

    run(test)


def test_a_server_that_cannot_prove_itself_gets_no_request(run: Callable[[Test], None]) -> None:
    async def test(client: Client) -> None:
        known = client.connection.config
        for tls in (replace(known.tls, ca=None), replace(known.tls, server_name="another.example")):
            wrong = Client(replace(known, tls=tls), timeout=1)
            with pytest.raises(errors.Unreachable, match="certificate verify failed") as raised:
                await wrong.create(MAPS, named("a"))
            assert not raised.value.sent
            await wrong.close()
        for tls in (replace(known.tls, ca=None, insecure=True), replace(known.tls, server_name="localhost")):
            right = Client(replace(known, tls=tls))
            assert await right.list(MAPS)
            await right.close()

    run(test)


@contextlib.asynccontextmanager
async def watching(client: Client, version: str, **more: Any) -> AsyncIterator[AsyncIterator[Event]]:
    async with contextlib.aclosing(Watch(client, MAPS, version, **more).events()) as events:
        yield events


async def changes(events: AsyncIterator[Event], count: int) -> list[tuple[str, str]]:
    seen: list[tuple[str, str]] = []
    while len(seen) < count:
        event = await anext(events)
        if event.type not in ("BEGUN", "BOOKMARK"):
            seen.append((event.type, event.object["metadata"]["name"]))
    return seen


def test_a_watch_brings_what_happens(run: Callable[[Test], None]) -> None:
    async def test(client: Client) -> None:
        version = (await client.list(MAPS)).resource_version
        await client.create(MAPS, named("a"))
        async with watching(client, version, fields="metadata.name=a") as events:
            assert await changes(events, 1) == [("ADDED", "a")]
            await client.patch(MAPS, "a", {"data": {"x": "1"}})
            await client.create(MAPS, named("b"))
            await client.delete(MAPS, "a")
            assert await changes(events, 2) == [("MODIFIED", "a"), ("DELETED", "a")]

    run(test)


def test_a_watch_that_the_server_ends_goes_on(run: Callable[[Test], None]) -> None:
    async def test(client: Client) -> None:
        version = (await client.list(MAPS)).resource_version
        async with watching(client, version, minutes=(0.02, 0.02)) as events:
            begun = 0
            while begun < 3:
                begun += (await anext(events)).type == "BEGUN"
            await client.create(MAPS, named("a"))
            assert [each for each in await changes(events, 1) if each[1] == "a"] == [("ADDED", "a")]

    run(test)


# asyncio does not close a socket whose TLS handshake breaks off.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_watch_outlives_the_server() -> None:
    with ApiServer.temporary() as server:

        async def main() -> None:
            metrics = Metrics()
            client = Client(config.load({}, server.kubeconfig), timeout=30, metrics=metrics)
            listing = await client.list(MAPS)
            async with watching(client, listing.resource_version) as events:
                await client.create(MAPS, named("a"))
                assert await changes(events, 1) == [("ADDED", "a")]
                server.kill()
                restarted = asyncio.create_task(asyncio.to_thread(server.start))
                # A read waits for the server; what happens meanwhile is not lost, or the watch says that it may be.
                assert await client.get(MAPS, "a")
                await restarted
                await client.create(MAPS, named("b"))
                try:
                    assert await changes(events, 1) == [("ADDED", "b")]
                except errors.Gone:
                    assert {item["metadata"]["name"] for item in (await client.list(MAPS)).items} >= {"a", "b"}
            assert (
                b'quidditch_kube_request_failures_total{method="GET",resource="configmaps",status="0"}'
                in metrics.render()
            )
            await client.close()

        asyncio.run(main())
