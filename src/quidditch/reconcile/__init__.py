"""Level-triggered machinery: source, de-duplicating queue, reconciler, manager."""
