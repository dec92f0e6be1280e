"""Node-to-node calls: deadlines, retries, back-pressure; and the in-memory twin."""
