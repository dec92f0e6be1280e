"""One module per query type, each with its parsing and its way into operations; this package registers them by name."""
