"""Bindings of a translator's log as rows of flows, as an exporter by RFC 8158 would send them, and as long kept.

Their age counts from their start. They have no bytes and packets, for they are no traffic; rollups count them, as they
count events that an exporter sends, for a day whose rollups lack rows is read from flows.
"""

from __future__ import annotations

import numpy as np

from rollups.rollups import Rollups
from schema.batch import Flows
from schema.tables import Category
from storage.writer import Writer
from tenants.attribution import Attribution
from tenants.bindings import Bindings
from tenants.cells import FOREVER

PORT_BLOCK = 16
"""natEvent of a port block allocation (RFC 8158 section 5.3)."""
_AT_ONCE = 30 * 86_400_000
"""Milliseconds of a log that are one insert: ClickHouse takes no rows of more than 100 days in one."""


def store(bindings: Bindings, attribution: Attribution, writer: Writer, token: str) -> None:
    """Store the bindings, attributed, once with this `token`; errors as of `Writer`."""
    parts = bindings.start // _AT_ONCE
    for part in np.unique(parts).tolist():
        flows, name = attribution.attribute(flows_of(bindings.only(parts == part))), f"{token} {part}"
        writer.write(flows, name)
        if Category.ROLLUPS in attribution.kept:
            rollups = Rollups()
            rollups.add(flows)
            for table, rows in rollups.rows().items():
                if attribution.disclosure.stores(table):
                    writer.write_rows(table, rows, name)


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
