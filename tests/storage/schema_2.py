"""A database as schema 2 made it, written down once: what an upgrade begins with.

Of its columns' comments these are the ones that have changed since.
"""

from __future__ import annotations

TABLES = (
    """CREATE TABLE flows (
        `time_received` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
        `flow_start` DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
        `flow_end` DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
        `flow_type` Enum8('unknown' = 0, 'netflow5' = 1, 'netflow9' = 2, 'ipfix' = 3, 'sflow' = 4) CODEC(ZSTD(1)),
        `exporter` IPv6 CODEC(ZSTD(1)),
        `exporter_port` UInt16 CODEC(ZSTD(1)),
        `observation_domain` UInt32 CODEC(ZSTD(1)),
        `sampling_rate` UInt32 CODEC(ZSTD(1)),
        `sampling_source` Enum8('unknown' = 0, 'override' = 1, 'sampler' = 2, 'record' = 3,
            'scope' = 4, 'plain' = 5, 'default' = 6) CODEC(ZSTD(1)),
        `sampling_mode` UInt8 CODEC(ZSTD(1)),
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
        `bytes_total` UInt64 CODEC(T64, ZSTD(1)),
        `packets_total` UInt64 CODEC(T64, ZSTD(1)),
        `frame_length` UInt32 CODEC(ZSTD(1)),
        `in_if` UInt32 CODEC(ZSTD(1)),
        `out_if` UInt32 CODEC(ZSTD(1)),
        `in_vrf` UInt32 CODEC(ZSTD(1)),
        `out_vrf` UInt32 CODEC(ZSTD(1)),
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
        `srv6_segments` Array(IPv6) CODEC(ZSTD(1)),
        `layer2_segment_id` UInt64 CODEC(ZSTD(1))
            COMMENT 'layer2SegmentId (IANA 351): top octet 1 = VXLAN, 2 = NVGRE; the network identifier below.',
        `application` UInt64 CODEC(ZSTD(1)),
        `post_nat_src_addr` IPv6 CODEC(ZSTD(1)),
        `post_nat_dst_addr` IPv6 CODEC(ZSTD(1)),
        `post_nat_src_port` UInt16 CODEC(ZSTD(1)),
        `post_nat_dst_port` UInt16 CODEC(ZSTD(1)),
        `firewall_event` UInt8 CODEC(ZSTD(1)),
        `firewall_event_code` UInt16 CODEC(ZSTD(1)),
        `nat_event` UInt8 CODEC(ZSTD(1)),
        `nat_port_start` UInt16 CODEC(ZSTD(1)),
        `nat_port_end` UInt16 CODEC(ZSTD(1)),
        `flow_end_reason` UInt8 CODEC(ZSTD(1)),
        `user_name` LowCardinality(String) CODEC(ZSTD(1))
            COMMENT 'User name that the exporter gives (IANA 371, Cisco ASA 40000, Palo Alto 56702).',
        `src_tenant` LowCardinality(String) CODEC(ZSTD(1)),
        `dst_tenant` LowCardinality(String) CODEC(ZSTD(1)),
        `direction` Enum8('unknown' = 0, 'ingress' = 1, 'egress' = 2, 'internal' = 3, 'transit' = 4) CODEC(ZSTD(1)),
        `retention_class` LowCardinality(String) CODEC(ZSTD(1)),
        INDEX src_addr_bloom src_addr TYPE bloom_filter(0.01) GRANULARITY 1,
        INDEX dst_addr_bloom dst_addr TYPE bloom_filter(0.01) GRANULARITY 1,
        INDEX post_nat_src_addr_bloom post_nat_src_addr TYPE bloom_filter(0.01) GRANULARITY 1,
        INDEX post_nat_dst_addr_bloom post_nat_dst_addr TYPE bloom_filter(0.01) GRANULARITY 1
    ) ENGINE = MergeTree PARTITION BY (retention_class, toDate(time_received))
    PRIMARY KEY (toStartOfHour(time_received), src_tenant, dst_tenant, src_addr, dst_addr)
    ORDER BY (toStartOfHour(time_received), src_tenant, dst_tenant, src_addr, dst_addr)
    TTL time_received + toIntervalDay(multiIf(retention_class = 'basic', 16, 16))
    SETTINGS ttl_only_drop_parts = 1, merge_with_ttl_timeout = 3600, materialize_ttl_recalculate_only = 1,
        non_replicated_deduplication_window = 100000
    COMMENT 'flowkeep schema 2'""",
    """CREATE TABLE names (
        `exporter` IPv6, `observation_domain` UInt32,
        `naming` Enum8('interface' = 0, 'application' = 1, 'vrf' = 2, 'sampler' = 3), `id` UInt64, `name` String,
        `description` String, `seen` DateTime64(3, 'UTC')
    ) ENGINE = ReplacingMergeTree(seen) ORDER BY (exporter, observation_domain, naming, id)
    SETTINGS non_replicated_deduplication_window = 100000
    COMMENT 'What exporters call their interfaces, applications, VRFs and samplers; the row seen last counts'""",
    """CREATE TABLE purges (
        `time` DateTime64(3, 'UTC'), `table_name` String, `partition` String, `retention_class` String, `day` Date,
        `rows` UInt64, `bytes` UInt64, `reason` String
    ) ENGINE = MergeTree ORDER BY time COMMENT 'Partitions that the scheduled purge has dropped'""",
    """CREATE TABLE purge_runs (
        `time` DateTime64(3, 'UTC'), `partitions` UInt64, `rows` UInt64, `bytes` UInt64, `findings` UInt64
    ) ENGINE = MergeTree ORDER BY time COMMENT 'Purges that came to their end, whether or not anything was due'""",
)

ROWS = (
    "CREATE TABLE random AS flows ENGINE = GenerateRandom(7, 10, 3)",
    """INSERT INTO flows SELECT * REPLACE (
        toDateTime64('2090-06-01 12:00:00', 3, 'UTC') + rowNumberInAllBlocks() AS time_received,
        'basic' AS retention_class) FROM random LIMIT 1000""",
    "DROP TABLE random SYNC",
    """INSERT INTO names VALUES ('::ffff:192.0.2.1', 7, 'interface', 1, 'xe-0/0/0', '', '2026-11-20 12:00:00.000'),
        ('::ffff:192.0.2.1', 7, 'interface', 2, 'lo0', 'grüezi', '2026-11-20 12:00:00.000')""",
    """INSERT INTO names VALUES
        ('::ffff:192.0.2.1', 7, 'interface', 1, 'xe-0/0/0', 'uplink', '2026-11-20 12:05:00.000')""",
    """INSERT INTO purges VALUES ('2026-11-20 03:00:00.000', 'flows', 'p', 'basic', '2026-11-01', 5, 500, 'age')""",
)
