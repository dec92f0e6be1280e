"""The leader loop and the drivers that carry out instructions."""
