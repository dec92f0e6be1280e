"""An authority of a test and the certificates it gives, as files in PEM."""

from __future__ import annotations

from pathlib import Path

import trustme


class Authority:
    """`ca` is its own certificate's file."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self._folder = folder
        self._authority = trustme.CA(organization_name=name)
        self.ca = folder / f"{name}.pem"
        self._authority.cert_pem.write_to_path(self.ca)

    def pair(self, name: str, *subjects: str) -> tuple[Path, Path]:
        """Files of a certificate for these names or addresses and of its key."""
        made = self._authority.issue_cert(*(subjects or (name,)))
        cert, key = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        made.cert_chain_pems[0].write_to_path(cert)
        made.private_key_pem.write_to_path(key)
        return cert, key

    def http_settings(self, name: str, *subjects: str) -> dict[str, str]:
        """What a node that answers by TLS has in its configuration."""
        cert, key = self.pair(name, *subjects)
        return {"http.tls.cert": str(cert), "http.tls.key": str(key)}

    def settings(self, name: str, *subjects: str) -> dict[str, str]:
        """What a node with a certificate for these addresses has in its configuration."""
        cert, key = self.pair(name, *subjects)
        return {"transport.tls.ca": str(self.ca), "transport.tls.cert": str(cert), "transport.tls.key": str(key)}
