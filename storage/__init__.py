"""Where flows are kept: a ClickHouse, ours or somebody else's, and everything that talks to it."""
