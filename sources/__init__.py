"""Where allocations come from, beside their file: an HTTP service of one's own, or NetBox."""
