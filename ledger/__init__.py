"""The record of what staff and system did: chained, signed, kept under its own retention, verified by anybody."""
