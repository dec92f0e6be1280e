"""The copies of one shard agree: sequence numbers and checkpoints, writes to all of them, promotion, resync."""
