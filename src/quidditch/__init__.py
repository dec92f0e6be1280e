"""Quidditch: an OpenSearch-compatible search engine."""

__version__ = "0.1.0"
