"""What numbers are called: services, countries and autonomous systems, hosts; for display, never stored with flows."""
