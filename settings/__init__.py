"""Configuration, errors, and how files become typed values."""
