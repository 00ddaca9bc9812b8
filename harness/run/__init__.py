"""Jobs in isolated processes, their order, and resuming."""
