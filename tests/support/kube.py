"""A real Kubernetes API server with an etcd of its own, on free loopback ports: killed, paused and started again at will."""

from __future__ import annotations

import contextlib
import functools
import http.client
import os
import secrets
import shutil
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.authority import Authority
from tests.support.etcd import Cluster, Missing, binary
from tests.support.node import free_port
from tests.support.process import Process

NEEDED = ("etcd", "kube-apiserver", "kubectl")
_START_SECONDS = 120.0


@functools.cache
def _missing(names: Sequence[str]) -> str | None:
    try:
        for name in names:
            binary(name, build=False)
    except Missing as missing:
        return str(missing)
    return None


def required(names: Sequence[str] = NEEDED) -> None:
    """Skips the test where one of these binaries is missing. Minutes of building are for `make`, not for a test."""
    if (why := _missing(tuple(names))) is not None:
        pytest.skip(why)


class WithKubectl:
    """What has a folder with a kubeconfig."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kubeconfig = folder / "kubeconfig"

    def kubectl(self, *args: str, input: str | None = None) -> str:
        """What kubectl prints. Raises RuntimeError with what it says when it fails."""
        done = self.run_kubectl(*args, input=input)
        if done.returncode != 0:
            raise RuntimeError(f"kubectl {' '.join(args)}: {done.stderr.strip()}")
        return done.stdout

    def run_kubectl(self, *args: str, input: str | None = None) -> subprocess.CompletedProcess[str]:
        command = [str(binary("kubectl")), f"--kubeconfig={self.kubeconfig}", *args]
        environment = os.environ | {"HOME": str(self.folder)}
        return subprocess.run(command, input=input, capture_output=True, text=True, check=False, env=environment)


class ApiServer(WithKubectl):
    """etcd and kube-apiserver in a folder. `token` belongs to system:masters; `kubeconfig` and `ca` are files.

    `subjects` are further names and addresses of the certificate, `services` the range of cluster IPs.
    """

    def __init__(
        self,
        folder: Path,
        *,
        args: Sequence[str] = (),
        subjects: Sequence[str] = (),
        services: str = "10.96.0.0/16",
    ) -> None:
        super().__init__(folder)
        self.port = free_port()
        self.token = secrets.token_hex(16)
        self.ca = folder / "ca.pem"
        self.signing_key = folder / "service-accounts.key"
        self.etcd = Cluster(folder)
        authority = Authority(folder)
        cert, key = authority.pair("kube-apiserver", "127.0.0.1", "localhost", "kubernetes.default.svc", *subjects)
        self._tls = ssl.create_default_context(cafile=str(self.ca))
        self._write_files()
        command = [str(binary("kube-apiserver")), "--bind-address=127.0.0.1", f"--secure-port={self.port}"]
        command += [f"--etcd-servers=http://{self.etcd.endpoints[0]}", "--storage-media-type=application/json"]
        command += [f"--tls-cert-file={cert}", f"--tls-private-key-file={key}", f"--cert-dir={folder / 'certificates'}"]
        command += [f"--token-auth-file={folder / 'tokens.csv'}", "--authorization-mode=Node,RBAC"]
        command += ["--service-account-issuer=https://kubernetes.default.svc"]
        command += [f"--service-account-key-file={self.signing_key}"]
        command += [f"--service-account-signing-key-file={self.signing_key}"]
        # An address of its own in the endpoints of the Service `kubernetes` would have to be none of the loopback's.
        command += ["--advertise-address=192.0.2.1", "--endpoint-reconciler-type=none"]
        command += [f"--service-cluster-ip-range={services}", "--allow-privileged=true", "--profiling=false", *args]
        self.process = Process("kube-apiserver", command, folder)

    @classmethod
    @contextlib.contextmanager
    def temporary(cls, *, args: Sequence[str] = ()) -> Iterator[ApiServer]:
        """A running API server, gone at the end; the test is skipped where it cannot be had."""
        required()
        folder = Path(tempfile.mkdtemp(prefix="quidditch-kube-"))
        try:
            server = cls(folder, args=args)
            try:
                server.start()
                yield server
            finally:
                server.close()
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Starts what does not run of etcd and the API server, until /readyz answers."""
        (member,) = self.etcd.members
        if not member.running:
            self.etcd.start()
        self.process.spawn()
        self.wait()

    def wait(self, timeout: float = _START_SECONDS) -> None:
        """Until /readyz answers ok; raises RuntimeError with the log's end."""
        deadline = time.monotonic() + timeout
        while not self.ready():
            self.process.check()
            if time.monotonic() > deadline:
                raise RuntimeError(f"kube-apiserver is not ready after {timeout} s: {self.process.tail()}")
            time.sleep(0.02)

    def ready(self) -> bool:
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=5, context=self._tls)
        with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
            connection.request("GET", "/readyz", headers={"Authorization": f"Bearer {self.token}"})
            return connection.getresponse().status == 200
        return False

    def stop(self) -> None:
        """The API server alone; etcd stays."""
        self.process.stop()

    def kill(self) -> None:
        """The API server alone by SIGKILL; etcd stays."""
        self.process.kill()

    def pause(self) -> None:
        self.process.pause()

    def resume(self) -> None:
        self.process.resume()

    def close(self) -> None:
        """Both processes, without waiting for what they have open."""
        self.process.kill()
        for member in self.etcd.members:
            member.kill()

    def _write_files(self) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
        self.signing_key.write_bytes(pem)
        (self.folder / "tokens.csv").write_text(f'{self.token},admin,admin,"system:masters"\n')
        self.write_kubeconfig(self.kubeconfig, self.token)

    def write_kubeconfig(self, path: Path, token: str, namespace: str = "default") -> None:
        """A kubeconfig file for the holder of this token."""
        cluster = {"server": self.url, "certificate-authority": str(self.ca)}
        context = {"cluster": "quidditch", "user": "user", "namespace": namespace}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "quidditch",
            "clusters": [{"name": "quidditch", "cluster": cluster}],
            "users": [{"name": "user", "user": {"token": token}}],
            "contexts": [{"name": "quidditch", "context": context}],
        }
        path.write_text(yaml.safe_dump(config))
        path.chmod(0o600)
