"""Why rows that were decoded are not stored: the values of the label `reason`."""

from __future__ import annotations

REFUSED = "refused_by_clickhouse"
NO_CATEGORY = "no_category"
FORGOTTEN = "token_forgotten"
"""ClickHouse may or may not have them, and no longer knows: see `collector.inserts`."""
