"""How copies, nodes and numbers are written in sentences."""

from __future__ import annotations

from datetime import UTC, datetime

from quidditch.model.objects import Copy, Node

_RECOVERIES = {
    "EMPTY_STORE": "new shard recovery",
    "EXISTING_STORE": "existing store recovery; bootstrap_history_uuid=false",
    "PEER": "peer recovery",
}


def copy_text(index: str, number: int, copy: Copy) -> str:
    """`[a][0], node[n1], [P], s[STARTED], a[id=x]`."""
    parts = [f"[{index}][{number}]", f"node[{copy.node or 'null'}]"]
    if copy.relocating_node is not None:
        parts.append(f"relocating [{copy.relocating_node}]")
    parts.append("[P]" if copy.primary else "[R]")
    if not copy.active and copy.recovery is not None:
        parts.append(f"recovery_source[{_RECOVERIES[copy.recovery]}]")
    parts.append(f"s[{copy.state}]")
    if copy.allocation_id is not None and copy.assigned:
        moving = f", rId={copy.relocation_id}" if copy.relocation_id is not None else ""
        parts.append(f"a[id={copy.allocation_id}{moving}]")
    if copy.unassigned is not None and not copy.active:
        info = copy.unassigned
        failed = f", failed_attempts[{info.failed_attempts}]" if info.failed_attempts else ""
        details = f", details[{info.details}]" if info.details else ""
        parts.append(
            f"unassigned_info[[reason={info.reason}], at[{at(info.at)}]{failed},"
            f" delayed={str(info.delayed).lower()}{details}, allocation_status[{info.last_allocation_status}]]"
        )
    return ", ".join(parts)


def at(millis: int) -> str:
    moment = datetime.fromtimestamp(millis / 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def node_text(node: Node) -> str:
    """`{name}{id}{ephemeral id}{host}{address}{roles}{attributes}`."""
    spec = node.spec
    letters = {"cluster_manager": "m", "remote_cluster_client": "r"}
    roles = "".join(sorted(letters.get(role, role[:1]) for role in spec.roles))
    attributes = ", ".join(f"{name}={value}" for name, value in spec.attributes.items())
    shown = f"{{{attributes}}}" if attributes else ""
    head = "".join(f"{{{part}}}" for part in (spec.name, spec.id, spec.ephemeral_id, spec.host, spec.transport_address))
    return f"{head}{{{roles}}}{shown}"
