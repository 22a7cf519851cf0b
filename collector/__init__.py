"""The collector: receiver, journal, pipeline and daemon."""
