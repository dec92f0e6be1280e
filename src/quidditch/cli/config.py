"""The configuration of a node: defaults, a YAML file, the environment, flags; each over the one before.

Names are OpenSearch's where it has the setting. In the file they may be nested or dotted; in the environment `http.port` is
`QUIDDITCH_HTTP_PORT`.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from quidditch.lib.units import parse_bytes, parse_millis
from quidditch.model.names import TIERS


class ConfigError(Exception):
    """The configuration cannot be used; the message is one sentence for the user."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its default and what it is for."""

    default: str
    meaning: str
    secret: bool = False
    """Never shown."""


SETTINGS: dict[str, Setting] = {
    "cluster.name": Setting("quidditch", "name of the cluster"),
    "node.name": Setting("", "name of the node; empty for the name of the host"),
    "path.data": Setting("data", "folder of all data"),
    "http.host": Setting("127.0.0.1", "address to listen on"),
    "http.port": Setting("9200-9300", "port, or a range of which the first free one is taken"),
    "http.publish_host": Setting(
        "",
        "address that clients and other nodes are told; empty for transport.publish_host, or else where http.host is",
    ),
    "http.tls.enabled": Setting("", "TLS for requests: empty for true where its files are named"),
    "http.tls.cert": Setting("", "this node's certificate for clients, a PEM file"),
    "http.tls.key": Setting("", "the key of that certificate, a PEM file"),
    "http.tls.client_ca": Setting(
        "", "the authority of clients' certificates, a PEM file; where it is named, a client must show one"
    ),
    "http.users_file": Setting(
        "", "who may send requests, a file that `quidditch users add` makes; without it everybody who reaches the node"
    ),
    "http.max_content_length": Setting("100mb", "largest request body"),
    "controlPlane.mode": Setting(
        "auto",
        "where the cluster's state lives: embedded, raft, k8s, or auto: raft where other nodes are named",
    ),
    "node.roles": Setting(
        "cluster_manager,data,ingest,remote_cluster_client",
        "what the node does; data_hot, data_warm, data_cold, data_frozen and data_content hold the data of one tier only",
    ),
    "transport.host": Setting("127.0.0.1", "address to listen on for other nodes, which a master's etcd takes as well"),
    "transport.publish_host": Setting(
        "",
        "address that other nodes are told; empty for transport.host, or where that is 0.0.0.0 for what leads to them",
    ),
    "transport.port": Setting("9300-9400", "port for other nodes, or a range of which the first free one is taken"),
    "transport.tls.enabled": Setting(
        "", "TLS between nodes: empty for true where its files are named; only false lets others reach a node without"
    ),
    "transport.tls.ca": Setting("", "the authority of all nodes' certificates, a PEM file"),
    "transport.tls.cert": Setting("", "this node's certificate for other nodes, a PEM file"),
    "transport.tls.key": Setting("", "the key of that certificate, a PEM file"),
    "discovery.seed_hosts": Setting("", "masters to ask first, as host:port of their transport, separated by commas"),
    "raft.peers": Setting("", "the first masters of a new cluster, each as name=host:port of its etcd peers' port"),
    "raft.endpoints": Setting(
        "", "an etcd cluster to use instead of one of its own, as host:port of its clients' ports"
    ),
    "raft.client_port": Setting("2379", "port of the master's etcd for clients"),
    "raft.heartbeat_interval": Setting("100ms", "how often etcd's leader is heard"),
    "raft.election_timeout": Setting("1s", "after how much silence etcd's members elect another leader"),
    "raft.etcd": Setting("", "the etcd binary; empty for the one on PATH or built by make etcd"),
    "raft.join": Setting(
        "", "a running cluster's etcd that this new master is added to, as host:port of its clients' ports"
    ),
    "raft.await_restore": Setting(
        "false", "wait for `quidditch state restore` instead of founding a cluster where etcd holds none"
    ),
    "raft.tls.ca": Setting(
        "",
        "the authority of etcd's certificates, a PEM file; a master's own etcd has those of transport.tls where none are named",
    ),
    "raft.tls.cert": Setting("", "this master's certificate for etcd, a PEM file"),
    "raft.tls.key": Setting("", "the key of that certificate, a PEM file"),
    "raft.username": Setting(
        "", "a user of the etcd that raft.endpoints names; its role may use /quidditch/<cluster.name>/"
    ),
    "raft.password": Setting("", "that user's password; the environment or the file is the place for it", secret=True),
    "kubernetes.kubeconfig": Setting(
        "",
        "how an operator reaches the API server; empty for $KUBECONFIG, the pod's service account, or ~/.kube/config",
    ),
    "kubernetes.context": Setting("", "which context of the kubeconfig; empty for its current one"),
    "kubernetes.namespace": Setting("", "where the cluster's objects are; empty for the pod's or the context's"),
    "kubernetes.lease_duration": Setting("15s", "how long other operators wait for a leader that is not heard of"),
    "kubernetes.qps": Setting("400", "requests a second that an operator makes of the API server in the long run"),
    "kubernetes.burst": Setting("800", "requests that it makes at once after a pause"),
    "indices.memory.index_buffer_size": Setting("10%", "memory for documents not yet in segments"),
    "indexing_pressure.memory.limit": Setting("10%", "bytes of writes in work before new ones are refused"),
    "thread_pool.write.size": Setting("0", "threads for writes; 0 for one more than there are cores"),
    "thread_pool.search.size": Setting("0", "threads for searches; 0 for one more than 1.5 times the cores"),
    "thread_pool.write.queue_size": Setting("10000", "writes that wait for a thread before new ones are refused"),
    "thread_pool.search.queue_size": Setting("1000", "searches that wait for a thread before new ones are refused"),
    "logger.level": Setting("warning", "debug, info, warning or error"),
}

ROLES = ("cluster_manager", "data", *TIERS, "ingest", "remote_cluster_client")
ATTRIBUTE = "node.attr."
"""What any name behind this says of the node is its own affair: zones, racks, tiers."""


@dataclass(frozen=True, slots=True)
class Config:
    """Effective values, and for each where it came from."""

    values: Mapping[str, str]
    sources: Mapping[str, str]

    def __getitem__(self, name: str) -> str:
        return self.values[name]

    @property
    def shown(self) -> dict[str, str]:
        """What a node tells of its settings: all but secrets."""
        return {name: value for name, value in self.values.items() if name not in SETTINGS or not SETTINGS[name].secret}

    def number(self, name: str) -> int:
        try:
            return int(self.values[name])
        except ValueError:
            raise ConfigError(f"[{name}] must be a number, not [{self.values[name]}]") from None

    def size(self, name: str) -> int:
        """Bytes; a percentage is one of the machine's memory."""
        text = self.values[name].strip()
        try:
            if text.endswith("%"):
                return int(memory_bytes() * float(text[:-1]) / 100)
            return parse_bytes(text)
        except ValueError:
            raise ConfigError(f"[{name}] must be a size such as 512mb, not [{text}]") from None

    @property
    def node_name(self) -> str:
        return self.values["node.name"] or socket.gethostname()

    @property
    def data_path(self) -> Path:
        return Path(self.values["path.data"]).expanduser().absolute()

    @property
    def roles(self) -> tuple[str, ...]:
        """Sorted. Raises :class:`ConfigError` for one that is unknown."""
        roles = sorted(set(self.words("node.roles")))
        wrong = [role for role in roles if role not in ROLES]
        if wrong:
            raise ConfigError(f"[node.roles] has the unknown role [{wrong[0]}]; known are {', '.join(ROLES)}")
        return tuple(roles)

    @property
    def attributes(self) -> dict[str, str]:
        """The node's own (`node.attr.zone` and the like)."""
        return {
            name.removeprefix(ATTRIBUTE): value for name, value in self.values.items() if name.startswith(ATTRIBUTE)
        }

    def words(self, name: str) -> list[str]:
        """The members of a list separated by commas."""
        return [word for word in (part.strip() for part in self.values[name].split(",")) if word]

    def flag(self, name: str) -> bool:
        if self.values[name] not in ("true", "false"):
            raise ConfigError(f"[{name}] must be true or false, not [{self.values[name]}]")
        return self.values[name] == "true"

    def milliseconds(self, name: str) -> int:
        try:
            return parse_millis(self.values[name])
        except ValueError:
            raise ConfigError(f"[{name}] must be a time such as 500ms or 2s, not [{self.values[name]}]") from None

    def ports(self, name: str = "http.port") -> range:
        text = self.values[name]
        first, _, last = text.partition("-")
        try:
            ports = range(int(first), int(last or first) + 1)
            if not ports or ports[0] < 0 or ports[-1] > 65535:
                raise ValueError
        except ValueError:
            raise ConfigError(f"[{name}] must be a port or a range such as 9200-9300, not [{text}]") from None
        return ports


def load(file: Path | None, environment: Mapping[str, str], flags: Mapping[str, str | None]) -> Config:
    """The effective configuration. Raises :class:`ConfigError`."""
    values = {name: setting.default for name, setting in SETTINGS.items()}
    sources = dict.fromkeys(SETTINGS, "default")
    layers: list[tuple[str, Mapping[str, str]]] = []
    if file is not None:
        layers.append((str(file), _from_file(file)))
    layers.append(("environment", _from_environment(environment)))
    layers.append(("flag", {name: value for name, value in flags.items() if value is not None}))
    for source, layer in layers:
        for name, value in layer.items():
            _check_known(name, source)
            values[name] = value
            sources[name] = source
    return Config(values, sources)


def _check_known(name: str, source: str) -> None:
    if name not in SETTINGS and not name.startswith(ATTRIBUTE):
        near = get_close_matches(name, SETTINGS, n=1)
        hint = f", did you mean [{near[0]}]?" if near else ""
        raise ConfigError(f"unknown setting [{name}] ({source}){hint}")


def _from_file(file: Path) -> dict[str, str]:
    import yaml

    try:
        content = yaml.safe_load(file.read_bytes())
    except OSError as error:
        raise ConfigError(f"cannot read the configuration {file}: {error.strerror}") from None
    except yaml.YAMLError as error:
        problem = " ".join(str(error).replace('in "<byte string>", ', "at ").split())
        raise ConfigError(f"the configuration {file} is not valid YAML: {problem}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"the configuration {file} must be a mapping of settings")
    flat: dict[str, str] = {}
    _flatten("", content, flat)
    return flat


def _flatten(prefix: str, value: Any, flat: dict[str, str]) -> None:
    if isinstance(value, dict):
        for name, member in value.items():
            _flatten(f"{prefix}.{name}" if prefix else str(name), member, flat)
    elif value is not None:
        flat[prefix] = _text(value)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(_text, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _from_environment(environment: Mapping[str, str]) -> dict[str, str]:
    names = {environment_name(name): name for name in SETTINGS}
    attribute = environment_name(ATTRIBUTE)
    own = {ATTRIBUTE + key.removeprefix(attribute).lower(): key for key in environment if key.startswith(attribute)}
    known = {names[key]: value for key, value in environment.items() if key in names}
    return {**known, **{name: environment[key] for name, key in own.items()}}


def environment_name(setting: str) -> str:
    return "QUIDDITCH_" + setting.replace(".", "_").upper()


def memory_bytes() -> int:
    """Memory that this process may use: the machine's, or less if a control group says so."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            text = Path(path).read_text().strip()
        except OSError:
            continue
        if text.isdigit():
            total = min(total, int(text))
    return total
