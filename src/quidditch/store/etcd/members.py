"""Who etcd's members are, and how they become more and fewer. Apart from the store's contract: other stores have no members."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from quidditch.store.etcd import wire_pb2 as pb
from quidditch.store.etcd.client import Client, Credentials, Rpc, Tls

_TIMEOUT = 5.0
_PATH = "/etcdserverpb.Cluster/Member"
_LIST: Rpc[pb.MemberListRequest, pb.MemberListResponse] = Rpc(f"{_PATH}List", pb.MemberListResponse.FromString)
_ADD: Rpc[pb.MemberAddRequest, pb.MemberAddResponse] = Rpc(f"{_PATH}Add", pb.MemberAddResponse.FromString)
_REMOVE: Rpc[pb.MemberRemoveRequest, pb.MemberRemoveResponse] = Rpc(
    f"{_PATH}Remove", pb.MemberRemoveResponse.FromString
)
_PROMOTE: Rpc[pb.MemberPromoteRequest, pb.MemberPromoteResponse] = Rpc(
    f"{_PATH}Promote", pb.MemberPromoteResponse.FromString
)


class Member(msgspec.Struct, frozen=True):
    """`name` is empty while it has not started for the first time; a `learner` does not vote yet. Addresses are URLs."""

    id: int
    name: str
    peers: tuple[str, ...]
    learner: bool


class Members:
    """The membership of the etcd cluster behind these endpoints. Methods raise :class:`Unavailable` and :class:`Refused`."""

    def __init__(
        self, endpoints: Sequence[str], tls: Tls | None = None, credentials: Credentials | None = None
    ) -> None:
        self._client = Client(endpoints, tls, credentials, _TIMEOUT)

    async def list(self) -> Sequence[Member]:
        """As a quorum knows it."""
        answer = await self._client.call(_LIST, pb.MemberListRequest(linearizable=True), repeatable=True)
        return [_member(each) for each in answer.members]

    async def add_learner(self, peer: str) -> Member:
        """A member that copies the data before it votes; etcd takes one at a time."""
        answer = await self._client.call(_ADD, pb.MemberAddRequest(peerURLs=[peer], isLearner=True))
        return _member(answer.member)

    async def promote(self, id: int) -> None:
        """Makes a learner a voter. Refused while its data is behind."""
        await self._client.call(_PROMOTE, pb.MemberPromoteRequest(ID=id))

    async def remove(self, id: int) -> None:
        """Refused where the rest would have no quorum that lives."""
        await self._client.call(_REMOVE, pb.MemberRemoveRequest(ID=id))

    async def close(self) -> None:
        await self._client.close()


def _member(member: pb.Member) -> Member:
    return Member(member.ID, member.name, tuple(member.peerURLs), member.isLearner)
