"""`_cluster/voting_config_exclusions`: masters that shall neither vote nor lead any more, before they are taken away."""

from __future__ import annotations

from collections.abc import Sequence

from quidditch.controlplane.core import voting
from quidditch.controlplane.core.commands import AddVotingExclusions, ClearVotingExclusions
from quidditch.model.errors import ApiError, illegal_argument
from quidditch.model.objects import VotingExclusion
from quidditch.model.state import ClusterState
from quidditch.rest import index_params as common
from quidditch.rest import media
from quidditch.rest.node import Node
from quidditch.rest.request import Request
from quidditch.rest.response import Response
from quidditch.rest.route import Route

_ONE = (
    "Please set node identifiers correctly. One and only one of [node_name], [node_names] and [node_ids] has to be set"
)
_REMOVAL_SECONDS = 30.0


async def add(request: Request, node: Node) -> Response:
    given = {name: _words(request, name) for name in ("node_name", "node_names", "node_ids")}
    if sum(bool(words) for words in given.values()) != 1:
        raise illegal_argument(_ONE)
    ids = tuple(given["node_ids"]) + _described(node, given["node_name"])
    await common.change(request, node, AddVotingExclusions(node_ids=ids, node_names=tuple(given["node_names"])))
    wanted = [each for each in voting.exclusions(node.control.state) if _is_asked(each, ids, given["node_names"])]
    timeout = (request.time("timeout", 30_000) or 0) / 1000
    if not await node.control.wait_for(lambda state: not _voting(node, state, wanted), timeout):
        left = _listed(_voting(node, node.control.state, wanted))
        raise _timed_out(f"timed out waiting for voting config exclusions [{left}] to take effect")
    return _empty()


async def clear(request: Request, node: Node) -> Response:
    if request.flag("wait_for_removal", True) and not await node.control.wait_for(
        lambda state: not _present(state), _REMOVAL_SECONDS
    ):
        raise _timed_out(
            "timed out waiting for removal of nodes; if nodes should not be removed, set waitForRemoval to false. "
            f"[{_listed(_present(node.control.state))}]"
        )
    await common.change(request, node, ClearVotingExclusions())
    return _empty()


def voter_ids(node: Node, state: ClusterState) -> Sequence[str]:
    """The nodes that vote on who leads; where only one can lead, that one."""
    return [each.node_id for each in voting.voters(state)] or [node.manager or node.id]


def _words(request: Request, name: str) -> list[str]:
    return [word for word in (request.param(name) or "").split(",") if word]


def _described(node: Node, descriptions: list[str]) -> tuple[str, ...]:
    """Ids of the masters that `node_name` means, which may be names, addresses, wildcards."""
    if not descriptions:
        return ()
    text = ",".join(descriptions)
    found = node.select(text)
    ids = tuple(each.id for each in found if voting.MASTER in each.spec.roles)
    if not ids:
        raise illegal_argument(
            f"add voting config exclusions request for [{text}] matched no cluster-manager-eligible nodes"
        )
    return ids


def _is_asked(exclusion: VotingExclusion, ids: Sequence[str], names: Sequence[str]) -> bool:
    return exclusion.node_id in ids or exclusion.node_name in names


def _voting(node: Node, state: ClusterState, wanted: Sequence[VotingExclusion]) -> list[VotingExclusion]:
    """Those that vote nevertheless."""
    now = {*voter_ids(node, state), *(each.node_name for each in voting.voters(state))} - {voting.ABSENT}
    return [each for each in wanted if each.node_id in now or each.node_name in now]


def _present(state: ClusterState) -> list[VotingExclusion]:
    return [each for each in voting.exclusions(state) if each.node_id in state.nodes]


def _listed(exclusions: Sequence[VotingExclusion]) -> str:
    return ", ".join(f"{{{each.node_name}}}{{{each.node_id}}}" for each in exclusions)


def _timed_out(reason: str) -> ApiError:
    return ApiError(500, "timeout_exception", reason)


def _empty() -> Response:
    return Response.raw(b"", media.JSON)


_PATH = "/_cluster/voting_config_exclusions"
ROUTES = [
    Route("POST", _PATH, add, (*common.CHANGE, "node_name", "node_names", "node_ids")),
    Route("POST", f"{_PATH}/{{node_name}}", add, common.CHANGE),
    Route("DELETE", _PATH, clear, (*common.MANAGER, "wait_for_removal")),
]
