"""What replication and recovery ask of a shard's engine, and of the world around it.

The kernel's `Shard` fulfils :class:`Engine`; so does the model that the simulation runs on. Everything here is synchronous and may
take long: it is called through a :class:`Run`, which has threads, or none where time is simulated.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Protocol, TypeVar

from quidditch_kernel import Slice, SliceResult

T = TypeVar("T")


class History(Protocol):
    """Operations in the order of their numbers, held against trimming until it is dropped."""

    @property
    def max_seq_no(self) -> int: ...
    @property
    def bytes(self) -> int: ...
    def __len__(self) -> int: ...
    def next(self, max_bytes: int) -> builtins.bytes:
        """The next records, about that many bytes; empty at the end."""


class Files(Protocol):
    """A commit whose operations are all below the global checkpoint, held until it is dropped."""

    def manifest(self) -> bytes:
        """JSON {files: [{name, length, checksum}], local_checkpoint, max_seq_no, history_uuid}."""

    def read(self, name: str, offset: int, length: int) -> bytes: ...


class Engine(Protocol):
    """One copy of a shard. Every method may raise `KernelError`; see docs/kernel.md for what they promise of durability."""

    def bulk(self, slice: Slice, sync: bool = True, retried: bool = False) -> SliceResult:
        """Applies a slice as the primary; not durable before :meth:`sync` if `sync` is False. `retried`: it may have been applied
        before, documents with generated ids are not doubled.
        """

    def retry(self, slice: Slice, result: SliceResult, sync: bool = True) -> None:
        """Applies the unknown items of `result` again, in place."""

    def sync(self) -> None:
        """All that was written is durable on return."""

    def apply(self, operations: bytes, primary_term: int, sync: bool = True) -> None:
        """Applies records as a replica, in any order; what was processed before is passed over. Raises illegal_argument_exception
        for an older term than the configured one.
        """

    def checkpoints(self) -> tuple[int, int, int, int]:
        """Greatest sequence number, processed and persisted local checkpoint, global checkpoint; -1: none."""

    def set_global_checkpoint(self, value: int) -> None:
        """Never goes back; in the log with the next sync."""

    def promote(self, primary_term: int) -> None:
        """Becomes the primary: restores what its log holds above the local checkpoint and fills the gaps with no-ops of the new
        term; durable on return. No other operation may be under way.
        """

    def trim_above(self, max_seq_no: int) -> None:
        """Voids the records so far in the log with greater numbers; durable on return."""

    def history(self, from_seq_no: int) -> History | None:
        """All operations from there on; None if some are no longer kept."""

    def retain_history(self, from_seq_no: int) -> None:
        """Keeps operations from here on, as far as the index's settings allow."""

    def history_uuid(self) -> str: ...
    def files(self) -> Files: ...
    def refresh(self) -> None: ...
    def when_refreshed(self, seq_no: int, callback: Callable[[], None]) -> None: ...
    def get(self, request: bytes) -> bytes | None: ...
    def flush(self, force: bool, wait_if_ongoing: bool) -> None: ...
    def configure(self, config: bytes) -> None: ...
    def stats(self) -> bytes: ...
    def failure(self) -> str | None: ...
    def when_failed(self, callback: Callable[[], None]) -> None: ...
    def close(self) -> None: ...
    def abandon(self) -> None: ...


class Run(Protocol):
    """Calls a method of an engine where it may block."""

    async def __call__(self, function: Callable[..., T], /, *args: object) -> T: ...


class Peers(Protocol):
    """Calls to other nodes, as messages."""

    async def call(self, node: str, action: str, message: object, answer: type[T], timeout: float) -> T:
        """Raises what a transport's call raises: `Remote` with the error of the other side, or a `TransportError`."""
