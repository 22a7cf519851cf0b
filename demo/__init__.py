"""A small provider to try Flowkeep on: synthetic exporters, real exporters, traffic, allocations."""
