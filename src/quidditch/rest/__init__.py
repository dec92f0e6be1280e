"""The OpenSearch HTTP API: parse, call, render; no decisions."""
