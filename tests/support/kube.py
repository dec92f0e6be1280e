"""A real Kubernetes API server with an etcd of its own, on free loopback ports: killed, paused and started again at will."""

from __future__ import annotations

import contextlib
import functools
import http.client
import os
import secrets
import shutil
import signal
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

__all__ = ["ApiServer", "Missing", "Process", "binary", "required"]

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


class Process:
    """One process of the cluster with its log, started again with the same arguments as often as wanted.

    It leads a process group of its own, so that a Ctrl-C in the terminal ends the tests and not the server under them.
    """

    def __init__(self, name: str, command: Sequence[str], folder: Path) -> None:
        self.name = name
        self.command = [str(part) for part in command]
        self.log = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None, f"{self.name} does not run"
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def spawn(self) -> None:
        """Without waiting for it."""
        assert not self.running, f"{self.name} runs already"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
            )

    def check(self) -> None:
        """Raises RuntimeError with the log's end if it has ended by itself."""
        if self._process is not None and (code := self._process.poll()) is not None:
            raise RuntimeError(f"{self.name} ended with {code}: {self.tail()}")

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-3000:] if self.log.exists() else ""

    def pause(self) -> None:
        """SIGSTOP: connections stay open, nothing is answered."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL: nobody is told."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, with_signal: signal.Signals) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(with_signal)
            self._process.send_signal(signal.SIGCONT)
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


class ApiServer:
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
        port: int | None = None,
    ) -> None:
        self.folder = folder
        self.port = port or free_port()
        self.token = secrets.token_hex(16)
        self.ca = folder / "ca.pem"
        self.kubeconfig = folder / "kubeconfig"
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
        if member.process is None:
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

    def kubectl(self, *args: str, input: str | None = None, check: bool = True) -> str:
        """What kubectl prints, as system:masters. Raises RuntimeError with what it says when it fails, unless `check` is off."""
        done = self.run_kubectl(*args, input=input)
        if check and done.returncode != 0:
            raise RuntimeError(f"kubectl {' '.join(args)}: {done.stderr.strip()}")
        return done.stdout

    def run_kubectl(self, *args: str, input: str | None = None) -> subprocess.CompletedProcess[str]:
        command = [str(binary("kubectl")), f"--kubeconfig={self.kubeconfig}", *args]
        environment = os.environ | {"HOME": str(self.folder)}
        return subprocess.run(command, input=input, capture_output=True, text=True, check=False, env=environment)

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
