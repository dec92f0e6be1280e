"""The cluster in one thread: production code under simulated time, network and disks. See CONTRIBUTING.md."""
