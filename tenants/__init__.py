"""Whose address it was: allocations, their compilation to ranges, and the attribution of flows."""
