"""Real clusters under load while nodes are killed, paused, cut off and filled up, and what may be true afterwards."""
