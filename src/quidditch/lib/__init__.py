"""Clock, ids, configuration, logging, metrics; knows nothing of search."""
