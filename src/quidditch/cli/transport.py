"""What a configuration says of the way to other nodes: where to listen, what address to tell them, and TLS between them."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator, Sequence

from quidditch.cli.addresses import family, is_any, is_loopback, joined, leaves_by
from quidditch.cli.config import Config, ConfigError
from quidditch.cli.renewal import Renewed
from quidditch.cli.tls import RenewedContext, context, named_files
from quidditch.transport.connection import Silence
from quidditch.transport.tcp import TcpTransport

PARTS = ("ca", "cert", "key")
_SECTION = "transport.tls"
_BACKSTOP_PORT = 9300
Ends = Renewed[Sequence[ssl.SSLContext]]


def host(config: Config) -> str:
    """Where to listen for other nodes. Raises :class:`ConfigError` for what others could reach without TLS, unless that is allowed."""
    name = config["transport.host"]
    if not is_loopback("transport.host", name) and not tls_files(config) and config[f"{_SECTION}.enabled"] != "false":
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
        if is_any("transport.publish_host", name):
            raise ConfigError(f"[transport.publish_host] is {name}, which nobody can dial")
        return name
    name = host(config)
    if not is_any("transport.host", name):
        return name
    found = next(_towards_others(config, family(name)), None)
    if found is None:
        raise ConfigError(
            f"[transport.host] is {name}, which nobody can dial, and no other master is named that shows the way: "
            "set [transport.publish_host] to the address that other nodes reach this one by"
        )
    return found


def tls_files(config: Config) -> dict[str, str]:
    """The files of TLS between nodes: `ca`, `cert`, `key`; none without TLS. Raises :class:`ConfigError`."""
    return dict(named_files(config, _SECTION, PARTS))


def renewed_tls(config: Config) -> Ends | None:
    """The accepting and the dialling end of TLS, made again when a file of them changes; None without TLS.

    Names in certificates are not looked at, as OpenSearch's transport does it by default: every holder of one of the authority's is
    a node, and which one was reached its greeting tells. Raises :class:`ConfigError`.
    """
    files = tls_files(config)
    kinds = (ssl.PROTOCOL_TLS_SERVER, ssl.PROTOCOL_TLS_CLIENT)
    return Renewed(files.values(), lambda: [context(kind, _SECTION, files) for kind in kinds]) if files else None


def open_transport(
    node_id: str,
    cluster_uuid: Callable[[], str],
    addresses: Callable[[str], str | None],
    tls: Ends | None,
    silence_allowed: Callable[[], Silence] = Silence,
) -> TcpTransport:
    """The transport, which does not listen yet; with TLS its connections take what is newest."""
    if tls is None:
        return TcpTransport(node_id, cluster_uuid, addresses, silence_allowed=silence_allowed)
    server, client = ends = [RenewedContext.of(end) for end in tls.value]

    def use(newest: Sequence[ssl.SSLContext]) -> None:
        for end, made in zip(ends, newest, strict=True):
            end.newest = made

    tls.use = use
    return TcpTransport(
        node_id, cluster_uuid, addresses, server_tls=server, client_tls=client, silence_allowed=silence_allowed
    )


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


def _towards_others(config: Config, of: socket.AddressFamily) -> Iterator[str]:
    """Addresses of this machine by which packets to the other masters leave; nothing is sent."""
    peers = [word.partition("=")[2] for word in config.words("raft.peers")]
    for word in (*config.words("discovery.seed_hosts"), *peers, *config.words("raft.join")):
        name, _, port = word.rpartition("//")[2].rpartition(":")
        own = leaves_by(name.strip("[]"), int(port) if port.isdigit() else _BACKSTOP_PORT, of)
        if own is not None:
            yield own
