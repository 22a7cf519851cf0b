"""Abuse reports as they come in, octets into values: XARF, ARF, Shadowserver, CSV and free text. Pure."""
