"""A block's flows as sums by minute and hour."""
