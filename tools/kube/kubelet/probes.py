"""Probes and hooks: what a container is asked, and how often it may fail."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Mapping

from tools.kube.api import Thing
from tools.kube.kubelet.sandbox import Running
from tools.kube.kubelet.spec import port


class Threshold:
    """Turns single answers into a verdict: so many in a row. Pure."""

    def __init__(self, probe: Thing) -> None:
        self._needed = {True: probe.get("successThreshold", 1), False: probe.get("failureThreshold", 3)}
        self._last: bool | None = None
        self._count = 0

    def add(self, good: bool) -> bool | None:
        """The verdict if this answer has completed a row, else None. After a row counting begins anew only when the answer turns."""
        self._count = self._count + 1 if good == self._last else 1
        self._last = good
        if self._count < self._needed[good]:
            return None
        return good


async def ask(
    probe: Thing, container: Thing, address: str, running: Running, variables: Mapping[str, str]
) -> str | None:
    """One probe or hook: None if it succeeds, else what went wrong."""
    timeout = float(probe.get("timeoutSeconds", 1))
    try:
        if "exec" in probe:
            code, output = await running.execute(probe["exec"]["command"], variables, timeout)
            return None if code == 0 else output or f"exit code {code}"
        if "httpGet" in probe:
            return await asyncio.wait_for(_get(probe["httpGet"], container, address), timeout)
        if "tcpSocket" in probe:
            where = probe["tcpSocket"]
            opening = asyncio.open_connection(where.get("host") or address, port(container, where["port"]))
            _, writer = await asyncio.wait_for(opening, timeout)
            writer.close()
            return None
    except TimeoutError:
        return f"timeout of {timeout:g} s"
    except (OSError, ValueError) as error:
        return str(error)
    return "this kind of probe is not supported"


async def _get(get: Thing, container: Thing, address: str) -> str | None:
    host, number = get.get("host") or address, port(container, get["port"])
    tls = None
    if get.get("scheme") == "HTTPS":
        tls = ssl.create_default_context()
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    reader, writer = await asyncio.open_connection(host, number, ssl=tls)
    try:
        headers = {"Host": f"{host}:{number}", "User-Agent": "kube-probe/1.35", "Accept": "*/*", "Connection": "close"}
        headers |= {header["name"]: header["value"] for header in get.get("httpHeaders", [])}
        lines = [f"GET {get.get('path') or '/'} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        first = (await reader.readline()).decode(errors="replace").split()
        if len(first) < 2 or not first[1].isdigit():
            return "no HTTP answer"
        status = int(first[1])
        return None if 200 <= status < 400 else f"HTTP probe failed with statuscode: {status}"
    finally:
        writer.close()
        with contextlib.suppress(OSError, ssl.SSLError):
            await writer.wait_closed()
