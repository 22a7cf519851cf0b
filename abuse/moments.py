"""When a flow began and ended, as SQL: by its exporter, and where that does not say, by when it was received."""

from __future__ import annotations

BEGAN = "if(toUnixTimestamp64Milli(flow_start) = 0, time_received, flow_start)"
ENDED = f"greatest(if(toUnixTimestamp64Milli(flow_end) = 0, time_received, flow_end), {BEGAN})"
BEGAN_MS, ENDED_MS = (f"toUnixTimestamp64Milli({moment})" for moment in (BEGAN, ENDED))
"""The same in milliseconds since 1970."""
