"""A database as schema 1 made it, written down once: what an upgrade begins with."""

from __future__ import annotations

TABLES = (
    """CREATE TABLE flows (
        `time_received` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
        `flow_start` DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
        `flow_end` DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
        `flow_type` Enum8('unknown' = 0, 'netflow5' = 1, 'netflow9' = 2, 'ipfix' = 3, 'sflow' = 4) CODEC(ZSTD(1)),
        `exporter` IPv6 CODEC(ZSTD(1)),
        `observation_domain` UInt32 CODEC(ZSTD(1)),
        `sampling_rate` UInt32 CODEC(ZSTD(1)),
        `src_addr` IPv6 CODEC(ZSTD(1)),
        `dst_addr` IPv6 CODEC(ZSTD(1)),
        `next_hop` IPv6 CODEC(ZSTD(1)),
        `src_port` UInt16 CODEC(ZSTD(1)),
        `dst_port` UInt16 CODEC(ZSTD(1)),
        `proto` UInt8 CODEC(ZSTD(1)),
        `tcp_flags` UInt16 CODEC(ZSTD(1)),
        `tos` UInt8 CODEC(ZSTD(1)),
        `icmp_type` UInt8 CODEC(ZSTD(1)),
        `icmp_code` UInt8 CODEC(ZSTD(1)),
        `bytes` UInt64 CODEC(T64, ZSTD(1)),
        `packets` UInt64 CODEC(T64, ZSTD(1)),
        `frame_length` UInt32 CODEC(ZSTD(1)),
        `in_if` UInt32 CODEC(ZSTD(1)),
        `out_if` UInt32 CODEC(ZSTD(1)),
        `src_as` UInt32 CODEC(ZSTD(1)),
        `dst_as` UInt32 CODEC(ZSTD(1)),
        `src_mask` UInt8 CODEC(ZSTD(1)),
        `dst_mask` UInt8 CODEC(ZSTD(1)),
        `src_vlan` UInt16 CODEC(ZSTD(1)),
        `dst_vlan` UInt16 CODEC(ZSTD(1)),
        `src_mac` UInt64 CODEC(ZSTD(1)),
        `dst_mac` UInt64 CODEC(ZSTD(1)),
        `forwarding_status` UInt8 CODEC(ZSTD(1)),
        `flow_direction` UInt8 CODEC(ZSTD(1)),
        `mpls_labels` Array(UInt32) CODEC(ZSTD(1)),
        `post_nat_src_addr` IPv6 CODEC(ZSTD(1)),
        `post_nat_dst_addr` IPv6 CODEC(ZSTD(1)),
        `post_nat_src_port` UInt16 CODEC(ZSTD(1)),
        `post_nat_dst_port` UInt16 CODEC(ZSTD(1)),
        `firewall_event` UInt8 CODEC(ZSTD(1)),
        `src_tenant` LowCardinality(String) CODEC(ZSTD(1)),
        `dst_tenant` LowCardinality(String) CODEC(ZSTD(1)),
        `direction` Enum8('unknown' = 0, 'ingress' = 1, 'egress' = 2, 'internal' = 3, 'transit' = 4) CODEC(ZSTD(1)),
        `retention_class` LowCardinality(String) CODEC(ZSTD(1)),
        INDEX src_addr_bloom src_addr TYPE bloom_filter(0.01) GRANULARITY 1,
        INDEX dst_addr_bloom dst_addr TYPE bloom_filter(0.01) GRANULARITY 1
    ) ENGINE = MergeTree PARTITION BY (retention_class, toDate(time_received))
    PRIMARY KEY (toStartOfHour(time_received), src_tenant, dst_tenant, src_addr, dst_addr)
    ORDER BY (toStartOfHour(time_received), src_tenant, dst_tenant, src_addr, dst_addr)
    TTL time_received + toIntervalDay(multiIf(retention_class = 'basic', 16, 16))
    SETTINGS ttl_only_drop_parts = 1, merge_with_ttl_timeout = 3600, materialize_ttl_recalculate_only = 1,
        non_replicated_deduplication_window = 100000
    COMMENT 'flowkeep schema 1'""",
    """CREATE TABLE interface_names (
        `exporter` IPv6, `observation_domain` UInt32, `if_index` UInt32, `name` String, `description` String,
        `seen` DateTime64(3, 'UTC')
    ) ENGINE = ReplacingMergeTree(seen) ORDER BY (exporter, observation_domain, if_index)
    SETTINGS non_replicated_deduplication_window = 100000
    COMMENT 'Names of interfaces as the exporters give them; the row seen last counts'""",
    """CREATE TABLE purges (
        `time` DateTime64(3, 'UTC'), `table_name` String, `partition` String, `retention_class` String, `day` Date,
        `rows` UInt64, `bytes` UInt64, `reason` String
    ) ENGINE = MergeTree ORDER BY time COMMENT 'Partitions that the scheduled purge has dropped'""",
    """CREATE TABLE purge_runs (
        `time` DateTime64(3, 'UTC'), `partitions` UInt64, `rows` UInt64, `bytes` UInt64, `findings` UInt64
    ) ENGINE = MergeTree ORDER BY time COMMENT 'Purges that came to their end, whether or not anything was due'""",
)

ROWS = (
    """INSERT INTO flows (time_received, exporter, src_addr, dst_addr, bytes, mpls_labels, post_nat_src_addr,
        retention_class) SELECT toDateTime64('2090-06-01 12:00:00', 3, 'UTC') + number, '::ffff:192.0.2.1',
        toIPv6(concat('::ffff:10.0.', toString(intDiv(number, 250)), '.', toString(number % 250))),
        '2001:db8::1', number, [16, 17], '::ffff:198.51.100.7', 'basic' FROM numbers(1000)""",
    """INSERT INTO interface_names VALUES ('::ffff:192.0.2.1', 7, 1, 'xe-0/0/0', '', '2026-11-20 12:00:00.000'),
        ('::ffff:192.0.2.1', 7, 2, 'lo0', 'grüezi', '2026-11-20 12:00:00.000')""",
    """INSERT INTO interface_names VALUES
        ('::ffff:192.0.2.1', 7, 1, 'xe-0/0/0', 'uplink', '2026-11-20 12:05:00.000')""",
    """INSERT INTO purges VALUES ('2026-11-20 03:00:00.000', 'flows', 'p', 'basic', '2026-11-01', 5, 500, 'age')""",
)
