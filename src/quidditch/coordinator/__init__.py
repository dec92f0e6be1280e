"""The way of a request: resolve, route, fan out, reduce, report partial failure."""
