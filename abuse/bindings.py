"""Bindings of a translator's log as rows of flows, as an exporter by RFC 8158 would send them, and as long kept.

Their age counts from their start. They have no bytes and packets, for they are no traffic.
"""

from __future__ import annotations

import numpy as np

from schema.batch import Flows
from tenants.bindings import Bindings
from tenants.cells import FOREVER

PORT_BLOCK = 16
"""natEvent of a port block allocation (RFC 8158 section 5.3)."""


def flows_of(bindings: Bindings) -> Flows:
    """Return a row for each binding; `flow_end` is its end, the start itself where it was not released."""
    rows = len(bindings)
    end = np.where(bindings.end == FOREVER, bindings.start, bindings.end)
    return Flows(
        rows,
        {
            "time_received": bindings.start,
            "flow_start": bindings.start,
            "flow_end": end,
            "src_addr": bindings.inside,
            "post_nat_src_addr": bindings.outside,
            "proto": bindings.protocol,
            "nat_event": np.full(rows, PORT_BLOCK, np.uint8),
            "nat_port_start": bindings.port_first,
            "nat_port_end": bindings.port_last,
        },
    )
