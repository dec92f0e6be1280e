"""What a configuration says of the way to other nodes: where to listen, what address to tell them, and TLS between them."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

from quidditch.cli.config import Config, ConfigError
from quidditch.transport.tcp import TcpTransport

PARTS = ("ca", "cert", "key")
_SECTION = "transport.tls"
_BACKSTOP_PORT = 9300


def host(config: Config) -> str:
    """Where to listen for other nodes. Raises :class:`ConfigError` for what others could reach without TLS, unless that is allowed."""
    name = config["transport.host"]
    if not _is_loopback("transport.host", name) and not tls_files(config) and config[f"{_SECTION}.enabled"] != "false":
        raise ConfigError(
            f"[transport.host] is {name}, which other machines can reach, but there is no TLS: name the files by "
            f"[{_SECTION}.ca], [{_SECTION}.cert] and [{_SECTION}.key], or, in a network where everybody may be trusted, "
            f"set [{_SECTION}.enabled] to false"
        )
    return name


def publish_host(config: Config) -> str:
    """The address that other nodes are told: the one named, the one listened on, or that of the interface towards the other
    masters. Raises :class:`ConfigError` where none is an address that can be dialled.
    """
    name = config["transport.publish_host"]
    if name:
        if _is_any("transport.publish_host", name):
            raise ConfigError(f"[transport.publish_host] is {name}, which nobody can dial")
        return name
    name = host(config)
    if not _is_any("transport.host", name):
        return name
    found = next(_towards_others(config, socket.AF_INET6 if ":" in name else socket.AF_INET), None)
    if found is None:
        raise ConfigError(
            f"[transport.host] is {name}, which nobody can dial, and no other master is named that shows the way: "
            "set [transport.publish_host] to the address that other nodes reach this one by"
        )
    return found


def joined(name: str, port: int) -> str:
    """`host:port`, an IPv6 address in brackets."""
    return f"[{name}]:{port}" if ":" in name else f"{name}:{port}"


def tls_files(config: Config) -> dict[str, str]:
    """The files of TLS between nodes: `ca`, `cert`, `key`; none without TLS. Raises :class:`ConfigError`."""
    enabled = config[f"{_SECTION}.enabled"] and config.flag(f"{_SECTION}.enabled")
    files = {part: config[f"{_SECTION}.{part}"] for part in PARTS}
    if enabled is False or (not enabled and not any(files.values())):
        return {}
    for part, file in files.items():
        if not file:
            raise ConfigError(f"[{_SECTION}.{part}] is missing: TLS between nodes needs ca, cert and key")
    return files


def open_transport(
    config: Config, node_id: str, cluster_uuid: Callable[[], str], addresses: Callable[[str], str | None]
) -> TcpTransport:
    """The transport, with TLS where it is configured; it does not listen yet. Raises :class:`ConfigError`."""
    files = tls_files(config)
    server, client = (
        _context(kind, files) if files else None for kind in (ssl.PROTOCOL_TLS_SERVER, ssl.PROTOCOL_TLS_CLIENT)
    )
    return TcpTransport(node_id, cluster_uuid, addresses, server_tls=server, client_tls=client)


async def listen(config: Config, transport: TcpTransport) -> str:
    """Listens on the first free port; the address that others are told. Raises :class:`ConfigError`."""
    here, published = host(config), publish_host(config)
    for port in config.ports("transport.port"):
        try:
            bound = await transport.listen(here, port)
        except OSError as error:
            problem = error.strerror or str(error)
            continue
        return joined(published if published != here else bound[0], bound[1])
    raise ConfigError(f"cannot listen on {here}:{config['transport.port']} for other nodes (transport.port): {problem}")


def _context(kind: int, files: dict[str, str]) -> ssl.SSLContext:
    """Both ends show a certificate of the authority. Names in it are not looked at, as OpenSearch's transport does it by default:
    every holder of such a certificate is a node, and which one was reached its greeting tells.
    """
    context = ssl.SSLContext(kind)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    for part, file in files.items():
        try:
            Path(file).read_bytes()
        except OSError as error:
            raise ConfigError(f"[{_SECTION}.{part}] cannot be read: {file}: {error.strerror}") from None
    _take_certificates(context, "ca", files)
    _take_certificates(ssl.SSLContext(kind), "cert", files)
    try:
        # An encrypted key would have its password asked for at the terminal.
        context.load_cert_chain(files["cert"], files["key"], password="")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            problem = f"is not the key of the certificate {files['cert']}"
        else:
            problem = "is no private key in PEM without a password"
        raise ConfigError(f"[{_SECTION}.key] {files['key']} {problem}") from None
    return context


def _take_certificates(context: ssl.SSLContext, part: str, files: dict[str, str]) -> None:
    try:
        context.load_verify_locations(files[part])
    except ssl.SSLError:
        raise ConfigError(f"[{_SECTION}.{part}] {files[part]} holds no certificate in PEM") from None


def _towards_others(config: Config, family: socket.AddressFamily) -> Iterator[str]:
    """Addresses of this machine by which packets to the other masters leave; nothing is sent."""
    peers = [word.partition("=")[2] for word in config.words("raft.peers")]
    for word in (*config.words("discovery.seed_hosts"), *peers, *config.words("raft.join")):
        name, _, port = word.rpartition("//")[2].rpartition(":")
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((name.strip("[]"), int(port) if port.isdigit() else _BACKSTOP_PORT))
            except OSError:
                continue
            own: str = probe.getsockname()[0]
        if not ipaddress.ip_address(own).is_loopback:
            yield own


def _is_loopback(setting: str, name: str) -> bool:
    return name == "localhost" or _address(setting, name).is_loopback


def _is_any(setting: str, name: str) -> bool:
    return name != "localhost" and _address(setting, name).is_unspecified


def _address(setting: str, name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        raise ConfigError(f"[{setting}] must be an IP address or localhost, not [{name}]") from None
