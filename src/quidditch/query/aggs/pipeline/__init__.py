"""Pipeline aggregations: what is computed over the finished tree of the others."""
