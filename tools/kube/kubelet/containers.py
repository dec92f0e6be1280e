"""One container of a pod: started, probed, started again with longer and longer pauses, stopped with grace."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import uuid
from typing import TYPE_CHECKING

from quidditch.reconcile.backoff import Backoff
from tools.kube.api import Thing
from tools.kube.kubelet.probes import Threshold, ask
from tools.kube.kubelet.sandbox import Running
from tools.kube.kubelet.spec import NotYet, command, environment, user
from tools.kube.kubelet.status import Container, now, restarts

if TYPE_CHECKING:
    from tools.kube.kubelet.pod import Pod

_AGAIN_SECONDS = 0.5
_LEAST_GRACE_AFTER_HOOK = 2.0
_CALM_SECONDS = 60.0
"""A container that ran so long is started again at once, as the first time; others wait longer and longer."""


class Keeper:
    """Keeps one container as its pod wants it."""

    def __init__(self, pod: Pod, container: Container) -> None:
        self.pod = pod
        self.container = container
        self.has_started = asyncio.Event()
        self._running: Running | None = None
        self._variables: dict[str, str] = {}

    @property
    def runs(self) -> bool:
        return self._running is not None

    @property
    def pid(self) -> int:
        """Of its first process, as this machine numbers it; 0 if it does not run."""
        return self._running.pid if self._running is not None else 0

    def signal(self, number: signal.Signals) -> None:
        if self._running is not None:
            self._running.signal(number)

    async def keep(self) -> None:
        """Returns when the container has ended for good."""
        backoff = Backoff(first=0.5, most=30.0)
        while True:
            await self._start()
            begun = asyncio.get_running_loop().time()
            await self._watch()
            await self.pod.node.powered.wait()
            if not restarts(self.pod.policy, self.container):
                return
            lasted = asyncio.get_running_loop().time() - begun
            if lasted >= _CALM_SECONDS:
                backoff.succeeded(self)
            delay = backoff.failed(self)
            if backoff.failures(self) > 1:
                where = f"{self.container.name} pod={self.pod.name}_{self.pod.namespace}({self.pod.uid})"
                message = f"back-off {delay:g}s restarting failed container={where}"
                self.container.wait("CrashLoopBackOff", message)
                self._event("Warning", "BackOff", f"Back-off restarting failed container {where}")
                self.pod.changed()
                await asyncio.sleep(delay)
            self.container.restarts += 1

    async def stop(self, grace: float) -> None:
        """preStop, SIGTERM, and SIGKILL after so many seconds in all."""
        running = self._running
        if running is None:
            return
        loop = asyncio.get_running_loop()
        deadline = loop.time() + grace
        hook = self.container.spec.get("lifecycle", {}).get("preStop")
        if hook is not None and grace > 0:
            with contextlib.suppress(TimeoutError):
                problem = await asyncio.wait_for(self._hook(hook, running, grace), grace)
                if problem is not None:
                    self._event("Warning", "FailedPreStopHook", f"PreStopHook failed: {problem}")
        running.signal(signal.SIGTERM)
        left = deadline - loop.time()
        if hook is not None and grace > 0:
            left = max(left, _LEAST_GRACE_AFTER_HOOK)
        try:
            await asyncio.wait_for(running.ended(), max(left, 0.0))
        except TimeoutError:
            running.signal(signal.SIGKILL)
        await self._finish(running)

    async def _finish(self, running: Running) -> None:
        code = await running.ended()
        if self._running is running:
            self._running = None
            self.container.terminate(code)
            self.has_started.clear()
            self.pod.changed()

    async def _hook(self, hook: Thing, running: Running, seconds: float) -> str | None:
        if "sleep" in hook:
            await asyncio.sleep(float(hook["sleep"]["seconds"]))
            return None
        return await ask(
            hook | {"timeoutSeconds": seconds}, self.container.spec, self.pod.address, running, self._variables
        )

    async def _start(self) -> None:
        tries = 0
        while True:
            await self.pod.node.powered.wait()
            try:
                await self._start_once(tries)
                return
            except NotYet as error:
                self._refuse(error.reason, error.message)
            except OSError as error:
                self._refuse("RunContainerError", str(error))
            tries += 1
            await asyncio.sleep(_AGAIN_SECONDS if tries < 10 else 2.0)

    def _refuse(self, reason: str, message: str) -> None:
        if self.container.state.get("waiting") != {"reason": reason, "message": message}:
            self.container.wait(reason, message)
            self._event("Warning", "Failed", message)
            self.pod.changed()

    async def _start_once(self, tries: int) -> None:
        pod, spec = self.pod, self.container.spec
        image = pod.image(spec["image"])
        if image is None:
            if tries == 0:
                raise NotYet("ErrImagePull", f'image "{spec["image"]}" is not in the table of images')
            raise NotYet("ImagePullBackOff", f'Back-off pulling image "{spec["image"]}"')
        sandbox = pod.sandbox
        assert sandbox is not None
        api = {"KUBERNETES_SERVICE_HOST": pod.host.network.kubernetes, "KUBERNETES_SERVICE_PORT": "443"}
        runs_as = user(pod.pod, spec, image)
        basis = {"HOME": "/" if runs_as.uid else "/root", "HOSTNAME": sandbox.hostname, **image.environment, **api}
        namespace = pod.namespace
        own = environment(
            pod.as_it_runs(),
            spec,
            pod.node.allocatable,
            lambda kind, name: pod.host.lookup(namespace, kind, name),
        )
        self._variables = basis | own
        running = await sandbox.run(
            spec["name"],
            command(spec, image, basis | own),
            self._variables,
            pod.volumes.mounts(pod.pod, spec, self._variables),
            work=spec.get("workingDir", "/"),
            read_only=bool(spec.get("securityContext", {}).get("readOnlyRootFilesystem")),
            user=runs_as,
            log=pod.logs / f"{spec['name']}.log",
        )
        self._running = running
        if "terminated" in self.container.state:
            self.container.last = self.container.state
        self.container.id = f"process://{uuid.uuid4().hex}"
        self.container.state = {"running": {"startedAt": now()}}
        self._event("Normal", "Started", f"Container started: {spec['name']}")
        if "startupProbe" not in spec and "postStart" not in spec.get("lifecycle", {}):
            self._begin()
        pod.changed()

    def _begin(self) -> None:
        self.container.started = True
        self.container.ready = "readinessProbe" not in self.container.spec
        self.has_started.set()
        self.pod.changed()

    async def _watch(self) -> None:
        running = self._running
        assert running is not None
        probing = asyncio.create_task(self._probe_all(running))
        try:
            await running.ended()
        finally:
            probing.cancel()
            await asyncio.gather(probing, return_exceptions=True)
        await self._finish(running)

    async def _probe_all(self, running: Running) -> None:
        spec = self.container.spec
        if hook := spec.get("lifecycle", {}).get("postStart"):
            if problem := await self._hook(hook, running, 60.0):
                self._event("Warning", "FailedPostStartHook", f"PostStartHook failed: {problem}")
                await self.stop(self._grace(spec))
                return
            if "startupProbe" not in spec:
                self._begin()
        if "startupProbe" in spec:
            await self._probe("startupProbe", running)
        async with asyncio.TaskGroup() as group:
            for kind in ("readinessProbe", "livenessProbe"):
                if kind in spec:
                    group.create_task(self._probe(kind, running))

    async def _probe(self, kind: str, running: Running) -> None:
        probe = self.container.spec[kind]
        threshold = Threshold(probe)
        await asyncio.sleep(float(probe.get("initialDelaySeconds", 0)))
        while True:
            # The kubelet of a node that is cut off still reaches its own pods; this one does not.
            await self.pod.node.attached.wait()
            problem = await ask(probe, self.container.spec, self.pod.address, running, self._variables)
            if problem is not None and self.pod.node.connected:
                self._event("Warning", "Unhealthy", f"{kind[:-5].capitalize()} probe failed: {problem}")
            verdict = threshold.add(problem is None) if self.pod.node.connected else None
            if kind == "readinessProbe" and verdict is not None and verdict != self.container.ready:
                self.container.ready = verdict
                self.pod.changed()
            elif kind == "startupProbe" and verdict:
                self._begin()
                return
            elif kind != "readinessProbe" and verdict is False:
                message = f"Container {self.container.name} failed {kind[:-5]} probe, will be restarted"
                self._event("Normal", "Killing", message)
                await self.stop(self._grace(probe))
                return
            await asyncio.sleep(float(probe.get("periodSeconds", 10)))

    def _grace(self, of: Thing) -> float:
        grace = of.get("terminationGracePeriodSeconds")
        return float(self.pod.pod["spec"].get("terminationGracePeriodSeconds", 30) if grace is None else grace)

    def _event(self, kind: str, reason: str, message: str) -> None:
        self.pod.host.event(self.pod.pod, kind, reason, message)
