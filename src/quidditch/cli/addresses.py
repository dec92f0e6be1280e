"""Addresses in a configuration: which are of this machine only, which can be dialled, and how they are written."""

from __future__ import annotations

import ipaddress
import socket

from quidditch.cli.config import ConfigError


def joined(name: str, port: int) -> str:
    """`host:port`, an IPv6 address in brackets."""
    return f"[{name}]:{port}" if ":" in name else f"{name}:{port}"


def is_loopback(setting: str, name: str) -> bool:
    return name == "localhost" or _address(setting, name).is_loopback


def is_any(setting: str, name: str) -> bool:
    """Whether it stands for all addresses of a machine, so that nobody can dial it."""
    return name != "localhost" and _address(setting, name).is_unspecified


def family(name: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in name else socket.AF_INET


def leaves_by(name: str, port: int, of: socket.AddressFamily) -> str | None:
    """The address of this machine by which packets to another leave, if it is one that others can reach; nothing is sent."""
    with socket.socket(of, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((name, port))
        except OSError:
            return None
        own: str = probe.getsockname()[0]
    return None if ipaddress.ip_address(own).is_loopback else own


def _address(setting: str, name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        raise ConfigError(f"[{setting}] must be an IP address or localhost, not [{name}]") from None
