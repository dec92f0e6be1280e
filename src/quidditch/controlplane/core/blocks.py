"""Blocks: what settings of the cluster and of an index forbid, with the numbers and texts that clients know."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias, get_args

import msgspec

from quidditch.model.errors import ApiError
from quidditch.model.objects import Index
from quidditch.model.state import ClusterState

Level: TypeAlias = Literal["read", "write", "metadata_read", "metadata_write"]


class Block(msgspec.Struct, frozen=True):
    """A block as `_cluster/state/blocks` shows it. `retryable`: a client may try again later."""

    id: int
    description: str
    levels: tuple[Level, ...]
    setting: str
    status: int = 403
    retryable: bool = False

    @property
    def text(self) -> str:
        kind = "TOO_MANY_REQUESTS" if self.status == 429 else "FORBIDDEN"
        return f"[{kind}/{self.id}/{self.description}];"


INDEX_BLOCKS: Sequence[Block] = (
    Block(5, "index read-only (api)", ("write", "metadata_write"), "index.blocks.read_only"),
    Block(7, "index read (api)", ("read",), "index.blocks.read"),
    Block(8, "index write (api)", ("write",), "index.blocks.write"),
    Block(9, "index metadata (api)", ("metadata_read", "metadata_write"), "index.blocks.metadata"),
    Block(
        12,
        "disk usage exceeded flood-stage watermark, index has read-only-allow-delete block",
        ("write", "metadata_write"),
        "index.blocks.read_only_allow_delete",
        status=429,
        retryable=True,
    ),
)
CLOSED = Block(4, "index closed", ("read", "write"), "")
CLUSTER_BLOCKS: Sequence[Block] = (
    Block(6, "cluster read-only (api)", ("write", "metadata_write"), "cluster.blocks.read_only"),
    Block(
        13,
        "cluster read-only / allow delete (api)",
        ("write", "metadata_write"),
        "cluster.blocks.read_only_allow_delete",
    ),
    Block(10, "cluster create-index blocked (api)", (), "cluster.blocks.create_index"),
)
_OF_INDEX = {level: [each for each in (CLOSED, *INDEX_BLOCKS) if level in each.levels] for level in get_args(Level)}
_OF_CLUSTER = {level: [each for each in CLUSTER_BLOCKS if level in each.levels] for level in get_args(Level)}


def cluster_blocks(state: ClusterState) -> list[Block]:
    return [block for block in CLUSTER_BLOCKS if _lies_on_all(block, state)]


def index_blocks(index: Index) -> list[Block]:
    """The blocks of an index by number; a closed index has one of its own."""
    return [block for block in (CLOSED, *INDEX_BLOCKS) if _lies_on(block, index)]


def _lies_on_all(block: Block, state: ClusterState) -> bool:
    return str(state.settings.get(block.setting) or "false").lower() == "true"


def _lies_on(block: Block, index: Index) -> bool:
    return not index.open if block is CLOSED else index.setting(block.setting) == "true"


def blocked(state: ClusterState, index: Index, level: Level, ignore: Iterable[str] = ()) -> ApiError | None:
    """The error of an operation of that level on the index; None if nothing is in its way. Cheap where no block is set."""
    everywhere = [each for each in _OF_CLUSTER[level] if _lies_on_all(each, state) and each.setting not in ignore]
    if everywhere:
        return _error("", everywhere)
    own = [each for each in _OF_INDEX[level] if _lies_on(each, index) and each.setting not in ignore]
    return _error(f"index [{index.name}] ", own) if own else None


def _error(prefix: str, blocks: Sequence[Block]) -> ApiError:
    status = 403 if any(block.status == 403 for block in blocks) else 429
    texts = "".join(block.text for block in blocks)
    return ApiError(status, "cluster_block_exception", f"{prefix}blocked by: {texts}")


def check_metadata_write(state: ClusterState, index: Index, *, deleting: bool = False) -> None:
    """Raises cluster_block_exception. A deletion gives space back: the blocks that ask for that do not forbid it."""
    freeing = ("index.blocks.read_only_allow_delete", "cluster.blocks.read_only_allow_delete")
    error = blocked(state, index, "metadata_write", freeing if deleting else ())
    if error is not None:
        raise error
