"""Records the answers of a real OpenSearch into tests/rest/transcripts: `python -m tools.record_transcripts URL [NAME…]`."""

from __future__ import annotations

import http.client
import sys
from pathlib import Path
from urllib.parse import urlsplit

from tests.support import transcripts

FOLDER = Path(__file__).parent.parent / "tests/rest/transcripts"


def wipe(connection: http.client.HTTPConnection) -> None:
    for path in ("/*?expand_wildcards=all", "/_index_template/*", "/_component_template/*", "/_template/*"):
        connection.request("DELETE", path)
        connection.getresponse().read()


def main(url: str, names: list[str]) -> None:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port or 9200)
    for file in sorted(FOLDER.glob("*.txt")):
        if names and file.stem not in names:
            continue
        comments, exchanges = transcripts.parse(file.read_text())
        wipe(connection)
        for exchange in exchanges:
            exchange.answer = transcripts.perform(connection, exchange)
        wipe(connection)
        file.write_text(transcripts.render(comments, exchanges))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
