"""The state-store contract and one module per backend."""
