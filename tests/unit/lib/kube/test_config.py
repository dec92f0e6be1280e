"""Where a client finds its API server, and what it says when it does not."""

from __future__ import annotations

import asyncio
import base64
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from quidditch.lib.kube import config
from quidditch.lib.kube.config import Config
from quidditch.lib.kube.credentials import Credential
from quidditch.lib.kube.errors import ConfigError


def tree(**changes: Any) -> dict[str, Any]:
    cluster = {"server": "https://api.example:6443/", **changes.pop("cluster", {})}
    user = {"token": "secret", **changes.pop("user", {})}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "there",
        "preferences": {},
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "there", "context": {"cluster": "c", "user": "u", "namespace": "search"}}],
        **changes,
    }


def write(path: Path, content: Any) -> Path:
    path.write_text(yaml.safe_dump(content))
    return path


def credential(loaded: Config) -> Credential:
    return asyncio.run(loaded.credentials.get())


def test_a_kubeconfig_is_read(tmp_path: Path) -> None:
    loaded = config.load({}, write(tmp_path / "config", tree()))
    assert loaded.server == "https://api.example:6443"
    assert loaded.namespace == "search"
    assert credential(loaded).authorization == "Bearer secret"
    assert loaded.tls.ca is None
    assert not loaded.tls.insecure


def test_data_goes_before_files_and_files_are_beside_the_kubeconfig(tmp_path: Path) -> None:
    pem = base64.b64encode(b"authority").decode()
    content = tree(
        cluster={"certificate-authority": "ca.crt", "certificate-authority-data": pem, "tls-server-name": "kubernetes"},
        user={"client-certificate": "me.crt", "client-key": "/keys/me.key"},
    )
    loaded = config.load({}, write(tmp_path / "config", content))
    assert loaded.tls.ca == b"authority"
    assert loaded.tls.certificate == tmp_path / "me.crt"
    assert loaded.tls.key == Path("/keys/me.key")
    assert loaded.tls.server_name == "kubernetes"


def test_a_context_is_chosen_by_name(tmp_path: Path) -> None:
    content = tree()
    content["contexts"].append({"name": "bare", "context": {"cluster": "c", "user": ""}})
    path = write(tmp_path / "config", content)
    loaded = config.load({}, path, context="bare")
    assert loaded.namespace == "default"
    assert credential(loaded) == Credential()
    with pytest.raises(ConfigError, match=r"there is no context \[gone\]"):
        config.load({}, path, context="gone")


def test_several_files_are_merged_and_the_first_wins(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    first = {"current-context": "there", "users": [{"name": "u", "user": {"tokenFile": "token"}}]}
    write(tmp_path / "one" / "config", first)
    write(tmp_path / "two" / "config", tree(**{"current-context": "other"}))
    (tmp_path / "one" / "token").write_text("of one\n")
    paths = [tmp_path / "one" / "config", tmp_path / "missing", tmp_path / "two" / "config"]
    loaded = config.load({"KUBECONFIG": os.pathsep.join(map(str, paths))})
    assert loaded.server == "https://api.example:6443"
    assert credential(loaded).authorization == "Bearer of one"


def test_a_pod_is_configured_by_its_environment_and_service_account(tmp_path: Path) -> None:
    for name, content in (("token", "t1"), ("ca.crt", "pem"), ("namespace", "search")):
        (tmp_path / name).write_text(content)
    environ = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443", "HOME": str(tmp_path)}
    loaded = config.load(environ, account=tmp_path)
    assert loaded.server == "https://[fd00::1]:443"
    assert loaded.namespace == "search"
    assert loaded.tls.ca == tmp_path / "ca.crt"
    assert credential(loaded).authorization == "Bearer t1"
    (tmp_path / "token").unlink()
    with pytest.raises(ConfigError, match="token is missing"):
        config.load(environ, account=tmp_path)


def test_a_kubeconfig_that_is_named_goes_before_the_pod(tmp_path: Path) -> None:
    path = write(tmp_path / "config", tree())
    environ = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBECONFIG": str(path)}
    assert config.load(environ).server == "https://api.example:6443"


def test_the_usual_file_is_the_last_resort(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no API server is configured"):
        config.load({"HOME": str(tmp_path)})
    (tmp_path / ".kube").mkdir()
    write(tmp_path / ".kube" / "config", tree())
    assert config.load({"HOME": str(tmp_path)}).server == "https://api.example:6443"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"current-context": ""}, "no current-context"),
        ({"clusters": []}, r"no cluster \[c\]"),
        ({"users": []}, r"no user \[u\]"),
        ({"clusters": 5}, "clusters"),
        ({"clusters": [{"name": "c", "cluster": {}}]}, r"cluster \[c\] has no server"),
        ({"cluster": {"server": 5}}, "server"),
        ({"cluster": {"certificate-authority-data": "*"}}, "no base64"),
        ({"cluster": {"certificate-authority": "a", "insecure-skip-tls-verify": True}}, "exclude each other"),
        ({"cluster": {"proxy-url": "socks5://p"}}, "no http proxy"),
        ({"user": {"client-certificate": "a"}}, "go together"),
        ({"user": {"as": "admin"}}, "not supported"),
        ({"user": {"token": "", "auth-provider": {"name": "gcp"}}}, "replaced it by exec"),
        ({"user": {"token": "", "exec": {"command": "x", "apiVersion": "v0"}}}, r"apiVersion \[v0\]"),
        ({"user": {"token": "", "exec": {"apiVersion": "client.authentication.k8s.io/v1"}}}, "command"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        config.load({}, write(tmp_path / "config", tree(**changes)))


@pytest.mark.parametrize("content", ["{", "- a\n- b", "text"])
def test_a_file_that_is_no_kubeconfig_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "config").write_text(content)
    with pytest.raises(ConfigError, match="kubeconfig"):
        config.load({}, tmp_path / "config")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere: No such file"):
        config.load({"KUBECONFIG": str(tmp_path / "nowhere")})
