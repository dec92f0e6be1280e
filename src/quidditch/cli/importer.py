"""`quidditch import`: documents of a file, a line each, into an index by `_bulk`.

The place up to which everything is acknowledged is kept in a file beside the source (`<file>.quidditch-import`), so that
the same command goes on after an interruption. Without an id field a document's id is made of the source and its number,
so that the bulk that was under way is not indexed twice.
"""

from __future__ import annotations

import csv
import gzip
import http.client
import io
import ssl
import sys
import time
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote, urlsplit

import orjson
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TransferSpeedColumn

from quidditch.cli.access import Access
from quidditch.cli.config import ConfigError

_RETRIES = 8
_SHOWN_ERRORS = 5


class ImportProblem(Exception):
    """The import cannot go on; the message is one sentence for the user."""


class _Counting(io.RawIOBase):
    """A source that knows how many of its bytes were read."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self.count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._source.read(len(buffer))
        buffer[: len(data)] = data
        self.count += len(data)
        return len(data)


def run_import(
    file: str,
    index: str,
    url: str,
    kind: str | None,
    id_field: str | None,
    batch: int,
    restart: bool,
    access: Access | None = None,
) -> None:
    """Imports a file and reports. Raises :class:`ImportProblem`."""
    kind = kind or _kind(file)
    if kind not in ("ndjson", "csv"):
        raise ImportProblem(f"unknown format [{kind}], it is ndjson or csv")
    place = None if file == "-" else Path(file + ".quidditch-import")
    done = 0 if restart or place is None else _done(place, index)
    source = _Counting(_open(file))
    size = None if file == "-" else Path(file).stat().st_size
    target = _Target(url, index, access or Access())
    console = Console(stderr=True)
    if done:
        console.print(f"going on after {done:,} documents")
    columns = (
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%" if size else ""),
        TransferSpeedColumn(), TextColumn("{task.fields[rate]}"), TimeElapsedColumn(),
    )  # fmt: skip
    failures = _Failures(console)
    with Progress(*columns, console=console, transient=False) as progress:
        task = progress.add_task(index, total=size, rate="")
        done = _send_all(source, file, kind, id_field, batch, done, target, place, failures, progress, task)
    if place is not None and not failures.count:
        place.unlink(missing_ok=True)
    console.print(f"{done - failures.count:,} documents are in [{index}]" + failures.summary())
    if failures.count:
        raise ImportProblem(f"{failures.count:,} documents were refused")


def _send_all(
    source: _Counting,
    name: str,
    kind: str,
    id_field: str | None,
    batch: int,
    done: int,
    target: _Target,
    place: Path | None,
    failures: _Failures,
    progress: Progress,
    task: TaskID,
) -> int:
    documents = _documents(source, name, kind)
    for _ in islice(documents, done):
        pass
    started, first = time.monotonic(), done
    prefix = f"{zlib.crc32(Path(name).name.encode()):08x}"
    while chunk := list(islice(documents, batch)):
        body = _bulk_body(chunk, done, prefix, id_field)
        failures.add(target.bulk(body))
        done += len(chunk)
        if place is not None:
            _save(place, target.index, done)
        rate = (done - first) / max(time.monotonic() - started, 1e-6)
        progress.update(task, completed=source.count, rate=f"{done:,} documents, {rate:,.0f}/s")
    return done


def _kind(file: str) -> str:
    name = file.removesuffix(".gz").lower()
    return "csv" if name.endswith(".csv") else "ndjson"


def _open(file: str) -> IO[bytes]:
    if file == "-":
        return sys.stdin.buffer
    try:
        return open(file, "rb")
    except OSError as error:
        raise ImportProblem(f"cannot read {file}: {error.strerror}") from None


def _documents(source: _Counting, name: str, kind: str) -> Iterator[dict[str, Any]]:
    """The documents in order; empty lines do not count."""
    stream: IO[bytes] = io.BufferedReader(source, 1 << 20)
    if stream.peek(2)[:2] == b"\x1f\x8b":  # type: ignore[attr-defined]
        stream = gzip.GzipFile(fileobj=stream)  # type: ignore[assignment]
    try:
        if kind == "csv":
            yield from _csv(stream, name)
        else:
            yield from _ndjson(stream, name)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ImportProblem(f"{name} is damaged: {error}") from None


def _ndjson(stream: IO[bytes], name: str) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(stream, 1):
        if not line.strip():
            continue
        try:
            document = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise ImportProblem(f"{name}, line {number} is not JSON: {error}") from None
        if not isinstance(document, dict):
            raise ImportProblem(f"{name}, line {number} is not a JSON object")
        yield document


def _csv(stream: IO[bytes], name: str) -> Iterator[dict[str, Any]]:
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    try:
        reader = csv.DictReader(text)
        for row in reader:
            if None in row:
                header = len(reader.fieldnames or ())
                raise ImportProblem(f"{name}, line {reader.line_num} has more cells than the header's {header}")
            yield {key: _value(value) for key, value in row.items() if key and value not in (None, "")}
    except (csv.Error, UnicodeDecodeError) as error:
        raise ImportProblem(f"{name} is not CSV in UTF-8: {error}") from None


def _value(text: Any) -> Any:
    """Numbers and booleans of a CSV cell as such; codes with leading zeros stay text."""
    if isinstance(text, list):
        return [_value(each) for each in text]
    if text in ("true", "false"):
        return text == "true"
    try:
        number = int(text)
    except ValueError:
        pass
    else:
        return number if str(number) == text and abs(number) < 1 << 63 else text
    try:
        value = float(text)
    except ValueError:
        return text
    plain = text[0] in "-.0123456789" and not (text[0] == "0" and text[1:2].isdigit())
    return value if plain and value == value and abs(value) != float("inf") else text


def _bulk_body(chunk: list[dict[str, Any]], first: int, prefix: str, id_field: str | None) -> bytes:
    lines: list[bytes] = []
    for number, document in enumerate(chunk, first):
        if id_field is None:
            id: Any = f"{prefix}-{number}"
        else:
            id = document.get(id_field)
            if id is None:
                raise ImportProblem(f"document {number + 1} has no field [{id_field}]")
        lines.append(orjson.dumps({"index": {"_id": str(id)}}))
        lines.append(orjson.dumps(document))
    lines.append(b"")
    return b"\n".join(lines)


def _done(place: Path, index: str) -> int:
    try:
        content = orjson.loads(place.read_bytes())
        return int(content["documents"]) if content["index"] == index else 0
    except FileNotFoundError:
        return 0
    except (ValueError, KeyError, TypeError):
        raise ImportProblem(f"{place} is damaged; remove it, or begin anew with --restart") from None


def _save(place: Path, index: str, done: int) -> None:
    temporary = place.with_name(place.name + ".tmp")
    temporary.write_bytes(orjson.dumps({"index": index, "documents": done}))
    temporary.replace(place)


class _Failures:
    """Counts refused documents and shows the first of them."""

    def __init__(self, console: Console) -> None:
        self.count = 0
        self._console = console

    def add(self, answer: dict[str, Any]) -> None:
        if not answer.get("errors"):
            return
        for item in answer["items"]:
            for result in item.values():
                if "error" in result:
                    self.count += 1
                    if self.count <= _SHOWN_ERRORS:
                        error = result["error"]
                        self._console.print(
                            f"refused [{result['_id']}]: {error['type']}: {error['reason']}", style="red"
                        )

    def summary(self) -> str:
        return f", {self.count:,} were refused" if self.count else ""


class _Target:
    """The node that takes the bulks; waits and tries again while it is overloaded or away."""

    def __init__(self, url: str, index: str, access: Access) -> None:
        try:
            self._connection = access.connection(url, timeout=300)
        except ConfigError as error:
            raise ImportProblem(str(error)) from None
        self._headers = {"Content-Type": "application/x-ndjson", **access.headers}
        self._path = f"{urlsplit(url).path.rstrip('/')}/{quote(index, safe='')}/_bulk"
        self._url = url
        self.index = index

    def bulk(self, body: bytes) -> dict[str, Any]:
        problem = ""
        for attempt in range(_RETRIES):
            if attempt:
                time.sleep(min(0.25 * 2**attempt, 10))
            try:
                self._connection.request("POST", self._path, body, self._headers)
                response = self._connection.getresponse()
                data = response.read()
            except ssl.SSLCertVerificationError as error:
                problem = f"the certificate of {self._url} is not trusted: {error.verify_message} (--cacert)"
                raise ImportProblem(problem) from None
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                problem = str(error) or type(error).__name__
                continue
            if response.status in (429, 503):
                problem = f"HTTP {response.status}"
                continue
            return self._parse(response.status, data)
        raise ImportProblem(f"{self._url} does not take the documents: {problem}")

    def _parse(self, status: int, data: bytes) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = orjson.loads(data)
        except orjson.JSONDecodeError:
            raise ImportProblem(f"{self._url} answered HTTP {status}, and not in JSON") from None
        if status != 200:
            error = answer.get("error", {})
            reason = error.get("reason") if isinstance(error, dict) else error
            raise ImportProblem(f"{self._url} answered HTTP {status}: {reason}")
        return answer
