"""The shard service: applies cluster state, writes, searches; the only importer of the kernel's shard."""
