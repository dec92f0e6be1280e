"""The machine and the process in OpenSearch's members. There is no JVM: what clients read of one is told of this process."""

from __future__ import annotations

import gc
import platform
import sys
from typing import Any

from quidditch.lib import block_io, cgroup, machine
from quidditch.rest.node import Node


def percent(node: Node) -> tuple[int, int]:
    """Percent of the processors in use: by the machine, by this process."""
    load: machine.ProcessorLoad = node.extra.setdefault("processor_load", machine.ProcessorLoad())
    return load.percent()


def uptime_ms(node: Node) -> int:
    return max(1, int(node.clock.now_ms()) - node.started_ms)


def heap_max() -> int:
    """What the process may use: the machine's memory."""
    return machine.memory().total


def jvm_version() -> dict[str, str]:
    return {
        "version": platform.python_version(),
        "vm_name": platform.python_implementation(),
        "vm_version": platform.python_version(),
        "vm_vendor": "Python Software Foundation",
    }


def os_info() -> dict[str, Any]:
    name, pretty, arch, version = machine.system()
    return {
        "refresh_interval_in_millis": 1000,
        "name": name,
        "pretty_name": pretty,
        "arch": arch,
        "version": version,
        "available_processors": machine.processors(),
        "allocated_processors": machine.allowed_processors(),
    }


def os_stats(node: Node) -> dict[str, Any]:
    memory = machine.memory()
    one, five, fifteen = machine.load()
    group = cgroup.own()
    return {
        "timestamp": node.clock.now_ms(),
        "cpu": {
            "percent": percent(node)[0],
            "load_average": {"1m": round(one, 2), "5m": round(five, 2), "15m": round(fifteen, 2)},
        },
        "mem": {
            "total_in_bytes": memory.total,
            "free_in_bytes": memory.available,
            "used_in_bytes": memory.used,
            "free_percent": 100 - memory.used_percent,
            "used_percent": memory.used_percent,
        },
        "swap": {
            "total_in_bytes": memory.swap_total,
            "free_in_bytes": memory.swap_free,
            "used_in_bytes": memory.swap_total - memory.swap_free,
        },
        **({"cgroup": _cgroup(group)} if group is not None else {}),
    }


def _cgroup(group: cgroup.Group) -> dict[str, Any]:
    return {
        "cpuacct": {"control_group": group.groups["cpuacct"], "usage_nanos": group.usage},
        "cpu": {
            "control_group": group.groups["cpu"],
            "cfs_period_micros": group.period,
            "cfs_quota_micros": group.quota,
            "stat": {
                "number_of_elapsed_periods": group.periods,
                "number_of_times_throttled": group.throttled_periods,
                "time_throttled_nanos": group.throttled,
            },
        },
        "memory": {
            "control_group": group.groups["memory"],
            "limit_in_bytes": group.memory_limit,
            "usage_in_bytes": group.memory_used,
        },
    }


def process_stats(node: Node) -> dict[str, Any]:
    return {
        "timestamp": node.clock.now_ms(),
        "open_file_descriptors": machine.open_files(),
        "max_file_descriptors": machine.max_files(),
        "cpu": {"percent": percent(node)[1], "total_in_millis": machine.processor_ms()},
        "mem": {"total_virtual_in_bytes": machine.virtual_bytes()},
    }


def jvm_stats(node: Node) -> dict[str, Any]:
    used, most = machine.resident_bytes(), heap_max()
    pool = {"used_in_bytes": used, "max_in_bytes": most, "peak_used_in_bytes": used, "peak_max_in_bytes": most}
    empty = dict.fromkeys(pool, 0)
    return {
        "timestamp": node.clock.now_ms(),
        "uptime_in_millis": uptime_ms(node),
        "mem": {
            "heap_used_in_bytes": used,
            "heap_used_percent": round(100 * used / most) if most else 0,
            "heap_committed_in_bytes": used,
            "heap_max_in_bytes": most,
            "non_heap_used_in_bytes": 0,
            "non_heap_committed_in_bytes": 0,
            "pools": {"young": empty, "survivor": empty, "old": pool},
        },
        "threads": {"count": machine.threads(), "peak_count": machine.threads()},
        "gc": {"collectors": _collectors()},
        "buffer_pools": {
            "mapped": {"count": 0, "used_in_bytes": 0, "total_capacity_in_bytes": 0},
            "direct": {"count": 0, "used_in_bytes": 0, "total_capacity_in_bytes": 0},
        },
        "classes": {
            "current_loaded_count": len(sys.modules),
            "total_loaded_count": len(sys.modules),
            "total_unloaded_count": 0,
        },
    }


def _collectors() -> dict[str, Any]:
    """Python's last generation is the old one; monitoring tools read both of the JVM's by name."""
    counts = [int(generation["collections"]) for generation in gc.get_stats()]
    found = {"young": sum(counts[:-1]), "old": counts[-1]}
    return {name: {"collection_count": count, "collection_time_in_millis": 0} for name, count in found.items()}


def fs_stats(node: Node) -> dict[str, Any]:
    disk = machine.disk(node.data_path)
    sizes = {
        "total_in_bytes": disk.total,
        "free_in_bytes": disk.free,
        "available_in_bytes": disk.available,
        "cache_reserved_in_bytes": 0,
    }
    mount, kind = machine.mount(node.data_path)
    return {
        "timestamp": node.clock.now_ms(),
        "total": sizes,
        "data": [{"path": str(node.data_path), "mount": mount, "type": kind, **sizes}],
        "io_stats": _io_stats(node),
    }


def _io_stats(node: Node) -> dict[str, Any]:
    """Of the device of the data folder; nothing where the system does not tell."""
    found = block_io.of(node.data_path)
    if found is None:
        return {}
    numbers = {
        "operations": found.reads + found.writes,
        "read_operations": found.reads,
        "write_operations": found.writes,
        "read_kilobytes": found.read_bytes // 1024,
        "write_kilobytes": found.written_bytes // 1024,
        "read_time": found.read_ms,
        "write_time": found.write_ms,
        "queue_size": found.queue_ms,
        "io_time_in_millis": found.busy_ms,
    }
    return {"devices": [{"device_name": found.device, **numbers}], "total": numbers}
