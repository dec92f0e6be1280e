"""Aggregations: one module per kind (or family); `registry` knows them by name."""
