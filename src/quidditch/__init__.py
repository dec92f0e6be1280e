"""Quidditch: an OpenSearch-compatible search engine."""
