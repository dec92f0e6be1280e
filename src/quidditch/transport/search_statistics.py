"""What shards tell before they are searched: whether they can match, and by which statistics `dfs_query_then_fetch` scores."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import quidditch_kernel
from quidditch_kernel import KernelError

if TYPE_CHECKING:
    from quidditch_kernel import Cancel, Plan, Reader


def gathered(shards: Iterable[tuple[Reader, Plan]], cancel: Cancel | None = None) -> bytes:
    """Those of shards that are here. One that cannot tell is left out: its query says why. Raises the kernel's error when the search
    is cancelled.
    """
    blocks: list[bytes] = []
    for reader, plan in shards:
        try:
            blocks.append(quidditch_kernel.statistics(reader, plan, cancel))
        except KernelError:
            if cancel is not None and cancel.cancelled:
                raise
    return quidditch_kernel.merge_statistics(blocks)


def can_match(reader: Reader, plan: Plan) -> bool:
    """False only if certainly no document of the reader matches."""
    try:
        return plan.can_match(reader)
    except KernelError:  # the query says what is wrong
        return True
