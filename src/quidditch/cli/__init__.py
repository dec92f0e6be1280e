"""The composition root: argv, configuration, wiring."""
