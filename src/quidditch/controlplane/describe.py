"""How commands are called in `_cluster/pending_tasks` and in errors: (priority, source)."""

from __future__ import annotations

from quidditch.controlplane.core import commands
from quidditch.controlplane.core.commands import Command


def describe(command: Command) -> tuple[str, str]:
    if isinstance(command, commands.CreateIndex):
        cause = "auto(bulk api)" if command.auto else "api"
        return "URGENT", f"create-index [{command.name}], cause [{cause}]"
    if isinstance(command, commands.Rollover):
        return "URGENT", f"rollover_index source [{command.source}] to target [{command.new_index or ''}]"
    if isinstance(command, commands.DeleteIndices):
        return "URGENT", f"delete-index [{_names(command.indices)}]"
    if isinstance(command, commands.OpenIndices):
        return "URGENT", f"open-indices [{_names(command.indices)}]"
    if isinstance(command, commands.CloseIndices):
        return "URGENT", f"close-indices [{_names(command.indices)}]"
    if isinstance(command, commands.PutMapping):
        return "HIGH", f"put-mapping [{_names(command.indices)}]"
    if isinstance(command, commands.GrowMapping):
        return "HIGH", f"put-mapping [{command.index}]"
    if isinstance(command, commands.UpdateIndexSettings):
        return "URGENT", f"update-settings [{_names(command.indices)}]"
    if isinstance(command, commands.AddBlock):
        return "URGENT", f"add-index-block-[{command.block}]-[{_names(command.indices)}]"
    if isinstance(command, commands.UpdateAliases):
        return "URGENT", "index-aliases"
    if isinstance(command, commands.PutTemplate):
        return "URGENT", f"create-{command.template_kind}-template [{command.name}]"
    if isinstance(command, commands.DeleteTemplate):
        return "URGENT", f"remove-{command.template_kind}-template [{command.name}]"
    if isinstance(command, commands.PutClusterSettings):
        return "IMMEDIATE", "cluster_update_settings"
    if isinstance(command, commands.ShardStarted):
        return "URGENT", f"shard-started [{command.index}][{command.shard}]"
    if isinstance(command, commands.ShardFailed):
        return "HIGH", f"shard-failed [{command.index}][{command.shard}]"
    if isinstance(command, commands.Reroute):
        return "URGENT", "cluster_reroute (api)"
    if isinstance(command, commands.NodeLeft):
        return "IMMEDIATE", f"node-left [{command.node_id}]"
    if isinstance(command, commands.NodeHangs):
        return "IMMEDIATE", f"node-hangs [{command.node_id}]"
    if isinstance(command, commands.PutShutdown):
        return "URGENT", f"put-node-shutdown-{command.node}"
    if isinstance(command, commands.DeleteShutdown):
        return "URGENT", f"delete-node-shutdown-{command.node}"
    if isinstance(command, commands.AddVotingExclusions):
        return "URGENT", "add-voting-config-exclusions"
    if isinstance(command, commands.ClearVotingExclusions):
        return "URGENT", "clear-voting-config-exclusions"
    return "NORMAL", type(command).__name__


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(names)
