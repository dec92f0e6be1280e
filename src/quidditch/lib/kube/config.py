"""Where the API server is and how it is spoken to: from a kubeconfig, or from what Kubernetes puts into a pod.

The rules are those of kubectl: several files in `$KUBECONFIG` are merged, the first to say something wins, and paths in a file are
relative to it.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

from quidditch.lib.kube.credentials import Credential, Credentials, Exec, Fixed, Plugin, TokenFile
from quidditch.lib.kube.errors import ConfigError
from quidditch.lib.kube.tls import Pem, Tls, content

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_Named = TypeVar("_Named")


class Config(msgspec.Struct, frozen=True, eq=False):
    """`server` is a URL without a slash at its end; `namespace` the one that is meant where none is named."""

    server: str
    tls: Tls
    credentials: Credentials
    namespace: str = "default"
    proxy: str | None = None


class _Cluster(msgspec.Struct, frozen=True, rename="kebab"):
    server: str = ""
    certificate_authority: str = ""
    certificate_authority_data: str = ""
    insecure_skip_tls_verify: bool = False
    tls_server_name: str = ""
    proxy_url: str = ""


class _Context(msgspec.Struct, frozen=True):
    cluster: str = ""
    user: str = ""
    namespace: str = ""


class _User(msgspec.Struct, frozen=True, rename="kebab"):
    client_certificate: str = ""
    client_certificate_data: str = ""
    client_key: str = ""
    client_key_data: str = ""
    token: str = ""
    token_file: str = msgspec.field(default="", name="tokenFile")
    username: str = ""
    password: str = ""
    plugin: Plugin | None = msgspec.field(default=None, name="exec")
    auth_provider: dict[str, Any] | None = None
    acts_as: str = msgspec.field(default="", name="as")


class _NamedCluster(msgspec.Struct, frozen=True):
    name: str
    cluster: _Cluster


class _NamedContext(msgspec.Struct, frozen=True):
    name: str
    context: _Context


class _NamedUser(msgspec.Struct, frozen=True):
    name: str
    user: _User | None = None


class _File(msgspec.Struct, frozen=True, rename="kebab"):
    clusters: tuple[_NamedCluster, ...] | None = None
    contexts: tuple[_NamedContext, ...] | None = None
    users: tuple[_NamedUser, ...] | None = None
    current_context: str = ""


def load(
    environ: Mapping[str, str], kubeconfig: Path | None = None, context: str = "", account: Path = SERVICE_ACCOUNT
) -> Config:
    """The file that is named; else those in `$KUBECONFIG`; else the pod's service account; else `~/.kube/config`.

    `context` is one of the file's, its current one by default. Raises :class:`ConfigError`.
    """
    if kubeconfig is not None:
        return from_files([kubeconfig], context, environ)
    named = [Path(path).expanduser() for path in environ.get("KUBECONFIG", "").split(os.pathsep) if path]
    if named:
        return from_files([path for path in named if path.exists()] or named[:1], context, environ)
    if environ.get("KUBERNETES_SERVICE_HOST") and not context:
        return in_cluster(environ, account)
    usual = Path(environ.get("HOME", "~")).expanduser() / ".kube" / "config"
    if not usual.exists():
        raise ConfigError(f"no API server is configured: neither KUBECONFIG, nor {usual}, nor a pod's service account")
    return from_files([usual], context, environ)


def in_cluster(environ: Mapping[str, str], account: Path = SERVICE_ACCOUNT) -> Config:
    """In a pod: the address from its environment, token, authority and namespace from its service account's folder."""
    host, port = environ.get("KUBERNETES_SERVICE_HOST", ""), environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise ConfigError("KUBERNETES_SERVICE_HOST is not set: this is no pod")
    if not (account / "token").exists():
        raise ConfigError(f"the pod has no service account token: {account / 'token'} is missing")
    try:
        namespace = (account / "namespace").read_text().strip()
    except OSError:
        namespace = ""
    authority = account / "ca.crt"
    address = f"[{host}]" if ":" in host else host
    return Config(
        server=f"https://{address}:{port}",
        tls=Tls(ca=authority if authority.exists() else None),
        credentials=TokenFile(account / "token"),
        namespace=namespace or "default",
    )


def from_files(paths: Sequence[Path], context: str = "", environ: Mapping[str, str] | None = None) -> Config:
    """One configuration out of kubeconfig files. Raises :class:`ConfigError`."""
    files = [(path, _parsed(path)) for path in paths]
    name = context or next((file.current_context for _, file in files if file.current_context), "")
    if not name:
        raise ConfigError(f"{paths[0]}: no current-context, and no context is named")
    chosen, _ = _find("context", name, [(e.name, e.context, p) for p, f in files for e in f.contexts or ()], paths)
    cluster, home = _find(
        "cluster", chosen.cluster, [(e.name, e.cluster, p) for p, f in files for e in f.clusters or ()], paths
    )
    if not cluster.server:
        raise ConfigError(f"{home}: cluster [{chosen.cluster}] has no server")
    user, user_home = _User(), paths[0]
    if chosen.user:
        found, user_home = _find(
            "user", chosen.user, [(e.name, e.user, p) for p, f in files for e in f.users or ()], paths
        )
        user = found or _User()
    return Config(
        server=cluster.server.rstrip("/"),
        tls=_tls(cluster, home, user, user_home),
        credentials=_credentials(cluster, home, user, user_home, environ),
        namespace=chosen.namespace or "default",
        proxy=_proxy(cluster, home),
    )


def _find(
    what: str, name: str, entries: Sequence[tuple[str, _Named, Path]], paths: Sequence[Path]
) -> tuple[_Named, Path]:
    for known, entry, path in entries:
        if known == name:
            return entry, path
    raise ConfigError(f"{', '.join(map(str, paths))}: there is no {what} [{name}]")


def _parsed(path: Path) -> _File:
    try:
        tree = yaml.safe_load(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"kubeconfig {path}: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"kubeconfig {path} is no YAML: {error}") from None
    try:
        return msgspec.convert(tree or {}, _File)
    except msgspec.ValidationError as error:
        raise ConfigError(f"kubeconfig {path}: {error}") from None


def _tls(cluster: _Cluster, home: Path, user: _User, user_home: Path) -> Tls:
    ca = _pem("certificate-authority", cluster.certificate_authority, cluster.certificate_authority_data, home)
    if ca is not None and cluster.insecure_skip_tls_verify:
        raise ConfigError(f"{home}: certificate-authority and insecure-skip-tls-verify exclude each other")
    certificate = _pem("client-certificate", user.client_certificate, user.client_certificate_data, user_home)
    key = _pem("client-key", user.client_key, user.client_key_data, user_home)
    if (certificate is None) != (key is None):
        raise ConfigError(f"{user_home}: client-certificate and client-key go together")
    return Tls(ca, certificate, key, cluster.insecure_skip_tls_verify, cluster.tls_server_name)


def _pem(field: str, file: str, data: str, home: Path) -> Pem | None:
    """Data goes before a file, as with kubectl."""
    if data:
        try:
            return base64.b64decode(data, validate=True)
        except binascii.Error as error:
            raise ConfigError(f"{home}: {field}-data is no base64: {error}") from None
    return home.parent / Path(file).expanduser() if file else None


def _credentials(
    cluster: _Cluster, home: Path, user: _User, user_home: Path, environ: Mapping[str, str] | None
) -> Credentials:
    if user.acts_as:
        raise ConfigError(f"{user_home}: to act as another user (as: {user.acts_as}) is not supported")
    if user.token_file:
        return TokenFile(user_home.parent / Path(user.token_file).expanduser())
    if user.token:
        return Fixed.token(user.token)
    if user.username:
        return Fixed.password(user.username, user.password)
    if user.plugin is not None:
        return Exec(user.plugin, _told(cluster, home), user_home.parent, environ)
    if user.auth_provider is not None:
        raise ConfigError(f"{user_home}: auth-provider is not supported, Kubernetes 1.26 replaced it by exec")
    return Fixed(Credential())


def _told(cluster: _Cluster, home: Path) -> dict[str, Any]:
    """What a plugin is told of the cluster."""
    told: dict[str, Any] = {"server": cluster.server}
    ca = _pem("certificate-authority", cluster.certificate_authority, cluster.certificate_authority_data, home)
    if ca is not None:
        try:
            authority = content(ca)
        except OSError as error:
            raise ConfigError(f"{home}: certificate-authority: {error}") from None
        told["certificate-authority-data"] = base64.b64encode(authority).decode()
    if cluster.insecure_skip_tls_verify:
        told["insecure-skip-tls-verify"] = True
    if cluster.tls_server_name:
        told["tls-server-name"] = cluster.tls_server_name
    return told


def _proxy(cluster: _Cluster, home: Path) -> str | None:
    if cluster.proxy_url and not cluster.proxy_url.startswith(("http://", "https://")):
        raise ConfigError(f"{home}: proxy-url [{cluster.proxy_url}] is no http proxy")
    return cluster.proxy_url or None
