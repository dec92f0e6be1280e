"""Figures as ratios in one run: Quidditch, its kernel alone, a real OpenSearch, on the same machine and corpus."""
