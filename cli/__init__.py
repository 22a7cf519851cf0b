"""The command line: composes everything, and contains no logic."""
