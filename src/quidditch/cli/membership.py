"""Masters come and go while the cluster runs: a new one becomes a member of etcd, an excluded one ceases to be one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import structlog

from quidditch.cli.config import ConfigError
from quidditch.cli.etcd_member import EtcdMember
from quidditch.controlplane.core import voting
from quidditch.controlplane.core.commands import SetVoters
from quidditch.controlplane.leader import Leader
from quidditch.model.errors import ApiError
from quidditch.model.objects import Voter
from quidditch.model.state import ClusterState
from quidditch.store import api
from quidditch.store.etcd.members import Members

_log = structlog.get_logger(__name__)
_INTERVAL = 0.5
_PAUSE = 0.2
T = TypeVar("T")


async def admit(members: Members, name: str, peer: str, patience: float) -> dict[str, str]:
    """Adds a learner with this peer URL, unless an interrupted attempt has; the addresses of all members by name.

    Raises :class:`ConfigError`.
    """

    async def attempt() -> dict[str, str]:
        known = await members.list()
        taken = next((each for each in known if each.name == name), None)
        if taken is not None:
            raise ConfigError(
                f"etcd has a member [{name}] already: exclude it first "
                f"(POST /_cluster/voting_config_exclusions?node_names={name}), then clear the exclusions"
            )
        if not any(peer in each.peers for each in known):
            await members.add_learner(peer)
            known = await members.list()
        return {each.name or name: each.peers[0].partition("://")[2] for each in known}

    return await _patient(attempt, patience, f"[{name}] cannot be added to etcd")


async def promote(members: Members, peer: str, patience: float) -> None:
    """Makes the learner with this peer URL a voter once it has all data. Raises :class:`ConfigError`."""

    async def attempt() -> None:
        for each in await members.list():
            if peer in each.peers and each.learner:
                await members.promote(each.id)

    await _patient(attempt, patience, f"the new member [{peer}] does not become a voter")


async def _patient(attempt: Callable[[], Awaitable[T]], patience: float, problem: str) -> T:
    """Repeats what etcd refuses for now: it changes one member at a time, and only while all others are there."""
    deadline = asyncio.get_running_loop().time() + patience
    while True:
        try:
            return await attempt()
        except (api.Unavailable, api.Refused) as error:
            if asyncio.get_running_loop().time() > deadline:
                raise ConfigError(f"{problem}: {error}") from None
            await asyncio.sleep(_PAUSE)


class Membership:
    """Keeps etcd's members and the masters that are not excluded the same, from where the leader is. `members` and `own`
    are None where etcd is not the masters' own: then exclusions only keep from leading.
    """

    def __init__(
        self,
        leader: Leader,
        members: Members | None,
        own: EtcdMember | None,
        state: Callable[[], ClusterState],
        node_id: str,
    ) -> None:
        self._leader = leader
        self._members = members
        self._own = own
        self._state = state
        self._node_id = node_id
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._keep(), name="membership")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._members is not None:
            await self._members.close()

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(_INTERVAL)
            try:
                if self._leader.leading:
                    await self._tell(self._leader.state, await self._voters(self._leader.state))
                elif self._own is not None and self._is_out(self._state()):
                    await self._own.stop()
            except (api.StoreError, ApiError) as error:
                _log.info("membership of etcd not settled", error=str(error))

    async def _voters(self, state: ClusterState) -> Sequence[Voter]:
        """Removes the excluded from etcd; who is left."""
        masters = voting.masters(state)
        if self._members is None:
            return [Voter(node_id=node.id, node_name=node.name) for node in masters if voting.may_lead(state, node.id)]
        ids = {each.node_name: each.node_id for each in voting.voters(state)}
        ids |= {node.name: node.id for node in masters}
        left = []
        for member in await self._members.list():
            id = ids.get(member.name, voting.ABSENT)
            if member.name and id != self._node_id and voting.named(state, member.name):
                await self._members.remove(member.id)
                _log.info("member removed from etcd", member=member.name)
            elif member.name and not member.learner:
                left.append(Voter(node_id=id, node_name=member.name))
        return left

    async def _tell(self, state: ClusterState, voters: Sequence[Voter]) -> None:
        wanted = tuple(sorted(voters, key=lambda each: each.node_name))
        if wanted and wanted != voting.voters(state):
            await self._leader.submit(SetVoters(voters=wanted))

    def _is_out(self, state: ClusterState) -> bool:
        """Whether this master is excluded and its member of etcd removed: it need not run any longer."""
        voters = {each.node_id for each in voting.voters(state)}
        return bool(voters) and self._node_id not in voters and not voting.may_lead(state, self._node_id)
