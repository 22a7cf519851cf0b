"""The table of stored columns and batches of them. Pure."""
