"""Pure: query DSL and aggregations, compiled to plans; one file per query or aggregation."""
