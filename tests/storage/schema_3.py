"""A database as schema 3 made it, written down once, but for its columns' comments: what an upgrade begins with."""

from __future__ import annotations

TABLES = (
    """CREATE TABLE `flows` (`time_received` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)), `flow_start`
        DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)), `flow_end` DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
        `flow_type` Enum8('unknown' = 0, 'netflow5' = 1, 'netflow9' = 2, 'ipfix' = 3, 'sflow' = 4)
        CODEC(ZSTD(1)), `exporter` IPv6 CODEC(ZSTD(1)), `exporter_port` UInt16 CODEC(ZSTD(1)),
        `observation_domain` UInt32 CODEC(ZSTD(1)), `sampling_rate` UInt32 CODEC(ZSTD(1)), `sampling_source`
        Enum8('unknown' = 0, 'override' = 1, 'sampler' = 2, 'record' = 3, 'scope' = 4, 'plain' = 5, 'default' =
        6) CODEC(ZSTD(1)), `sampling_mode` UInt8 CODEC(ZSTD(1)), `effective_sampling_rate` UInt32
        CODEC(ZSTD(1)), `data_source` UInt64 CODEC(ZSTD(1)), `src_addr` IPv6 CODEC(ZSTD(1)), `dst_addr` IPv6
        CODEC(ZSTD(1)), `tunnel_src_addr` IPv6 CODEC(ZSTD(1)), `tunnel_dst_addr` IPv6 CODEC(ZSTD(1)), `tunnel`
        Enum8('none' = 0, 'ipip' = 1, 'gre' = 2, 'vxlan' = 3, 'geneve' = 4, 'srv6' = 5, 'other' = 6)
        CODEC(ZSTD(1)), `tunnel_layer` Enum8('only' = 0, 'outer' = 1, 'inner' = 2) CODEC(ZSTD(1)), `next_hop`
        IPv6 CODEC(ZSTD(1)), `src_port` UInt16 CODEC(ZSTD(1)), `dst_port` UInt16 CODEC(ZSTD(1)), `proto` UInt8
        CODEC(ZSTD(1)), `tcp_flags` UInt16 CODEC(ZSTD(1)), `tos` UInt8 CODEC(ZSTD(1)), `icmp_type` UInt8
        CODEC(ZSTD(1)), `icmp_code` UInt8 CODEC(ZSTD(1)), `bytes` UInt64 CODEC(T64, ZSTD(1)), `packets` UInt64
        CODEC(T64, ZSTD(1)), `bytes_total` UInt64 CODEC(T64, ZSTD(1)), `packets_total` UInt64 CODEC(T64,
        ZSTD(1)), `frame_length` UInt32 CODEC(ZSTD(1)), `in_if` UInt32 CODEC(ZSTD(1)), `out_if` UInt32
        CODEC(ZSTD(1)), `in_if_form` Enum8('index' = 0, 'discarded' = 1, 'several' = 2, 'agent' = 3)
        CODEC(ZSTD(1)), `out_if_form` Enum8('index' = 0, 'discarded' = 1, 'several' = 2, 'agent' = 3)
        CODEC(ZSTD(1)), `out_if_detail` UInt32 CODEC(ZSTD(1)), `egress_queue` UInt32 CODEC(ZSTD(1)), `in_vrf`
        UInt32 CODEC(ZSTD(1)), `out_vrf` UInt32 CODEC(ZSTD(1)), `src_as` UInt32 CODEC(ZSTD(1)), `dst_as` UInt32
        CODEC(ZSTD(1)), `src_peer_as` UInt32 CODEC(ZSTD(1)), `dst_peer_as` UInt32 CODEC(ZSTD(1)), `as_path`
        LowCardinality(String) CODEC(ZSTD(1)), `communities` LowCardinality(String) CODEC(ZSTD(1)), `local_pref`
        UInt32 CODEC(ZSTD(1)), `src_mask` UInt8 CODEC(ZSTD(1)), `dst_mask` UInt8 CODEC(ZSTD(1)), `src_vlan`
        UInt16 CODEC(ZSTD(1)), `dst_vlan` UInt16 CODEC(ZSTD(1)), `inner_vlan` UInt16 CODEC(ZSTD(1)), `src_mac`
        UInt64 CODEC(ZSTD(1)), `dst_mac` UInt64 CODEC(ZSTD(1)), `forwarding_status` UInt8 CODEC(ZSTD(1)),
        `flow_direction` UInt8 CODEC(ZSTD(1)), `mpls_labels` Array(UInt32) CODEC(ZSTD(1)), `mpls_out_labels`
        Array(UInt32) CODEC(ZSTD(1)), `srv6_segments` Array(IPv6) CODEC(ZSTD(1)), `layer2_segment_id` UInt64
        CODEC(ZSTD(1)), `application` UInt64 CODEC(ZSTD(1)), `post_nat_src_addr` IPv6 CODEC(ZSTD(1)),
        `post_nat_dst_addr` IPv6 CODEC(ZSTD(1)), `post_nat_src_port` UInt16 CODEC(ZSTD(1)), `post_nat_dst_port`
        UInt16 CODEC(ZSTD(1)), `firewall_event` UInt8 CODEC(ZSTD(1)), `firewall_event_code` UInt16
        CODEC(ZSTD(1)), `nat_event` UInt8 CODEC(ZSTD(1)), `nat_port_start` UInt16 CODEC(ZSTD(1)), `nat_port_end`
        UInt16 CODEC(ZSTD(1)), `flow_end_reason` UInt8 CODEC(ZSTD(1)), `user_name` LowCardinality(String)
        CODEC(ZSTD(1)), `dst_user_name` LowCardinality(String) CODEC(ZSTD(1)), `src_tenant`
        LowCardinality(String) CODEC(ZSTD(1)), `dst_tenant` LowCardinality(String) CODEC(ZSTD(1)), `direction`
        Enum8('unknown' = 0, 'ingress' = 1, 'egress' = 2, 'internal' = 3, 'transit' = 4) CODEC(ZSTD(1)),
        `retention_class` LowCardinality(String) CODEC(ZSTD(1)), INDEX src_addr_bloom src_addr TYPE
        bloom_filter(0.01) GRANULARITY 1, INDEX dst_addr_bloom dst_addr TYPE bloom_filter(0.01) GRANULARITY 1,
        INDEX post_nat_src_addr_bloom post_nat_src_addr TYPE bloom_filter(0.01) GRANULARITY 1, INDEX
        post_nat_dst_addr_bloom post_nat_dst_addr TYPE bloom_filter(0.01) GRANULARITY 1) ENGINE = MergeTree
        PARTITION BY (retention_class, toDate(time_received)) PRIMARY KEY (toStartOfHour(time_received),
        src_tenant, dst_tenant, src_addr, dst_addr) ORDER BY (toStartOfHour(time_received), src_tenant,
        dst_tenant, src_addr, dst_addr) TTL time_received + toIntervalDay(multiIf(retention_class = 'basic', 16,
        16)) SETTINGS ttl_only_drop_parts = 1, merge_with_ttl_timeout = 3600, materialize_ttl_recalculate_only =
        1, non_replicated_deduplication_window = 100000
        COMMENT 'flowkeep schema 3'""",
    """CREATE TABLE `discards` (`time_received` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)), `exporter` IPv6
        CODEC(ZSTD(1)), `exporter_port` UInt16 CODEC(ZSTD(1)), `observation_domain` UInt32 CODEC(ZSTD(1)),
        `data_source` UInt64 CODEC(ZSTD(1)), `src_addr` IPv6 CODEC(ZSTD(1)), `dst_addr` IPv6 CODEC(ZSTD(1)),
        `tunnel_src_addr` IPv6 CODEC(ZSTD(1)), `tunnel_dst_addr` IPv6 CODEC(ZSTD(1)), `tunnel` Enum8('none' = 0,
        'ipip' = 1, 'gre' = 2, 'vxlan' = 3, 'geneve' = 4, 'srv6' = 5, 'other' = 6) CODEC(ZSTD(1)),
        `tunnel_layer` Enum8('only' = 0, 'outer' = 1, 'inner' = 2) CODEC(ZSTD(1)), `src_port` UInt16
        CODEC(ZSTD(1)), `dst_port` UInt16 CODEC(ZSTD(1)), `proto` UInt8 CODEC(ZSTD(1)), `tcp_flags` UInt16
        CODEC(ZSTD(1)), `tos` UInt8 CODEC(ZSTD(1)), `icmp_type` UInt8 CODEC(ZSTD(1)), `icmp_code` UInt8
        CODEC(ZSTD(1)), `frame_length` UInt32 CODEC(ZSTD(1)), `in_if` UInt32 CODEC(ZSTD(1)), `out_if` UInt32
        CODEC(ZSTD(1)), `egress_queue` UInt32 CODEC(ZSTD(1)), `src_vlan` UInt16 CODEC(ZSTD(1)), `dst_vlan`
        UInt16 CODEC(ZSTD(1)), `inner_vlan` UInt16 CODEC(ZSTD(1)), `src_mac` UInt64 CODEC(ZSTD(1)), `dst_mac`
        UInt64 CODEC(ZSTD(1)), `mpls_labels` Array(UInt32) CODEC(ZSTD(1)), `layer2_segment_id` UInt64
        CODEC(ZSTD(1)), `src_tenant` LowCardinality(String) CODEC(ZSTD(1)), `dst_tenant` LowCardinality(String)
        CODEC(ZSTD(1)), `direction` Enum8('unknown' = 0, 'ingress' = 1, 'egress' = 2, 'internal' = 3, 'transit'
        = 4) CODEC(ZSTD(1)), `retention_class` LowCardinality(String) CODEC(ZSTD(1)), `reason_code` UInt16
        CODEC(ZSTD(1)), `reason` LowCardinality(String) CODEC(ZSTD(1)), `drops` UInt32 CODEC(ZSTD(1)),
        `kernel_reason` LowCardinality(String) CODEC(ZSTD(1)), `function` LowCardinality(String) CODEC(ZSTD(1)),
        `trap_group` LowCardinality(String) CODEC(ZSTD(1)), `trap` LowCardinality(String) CODEC(ZSTD(1)), `acl`
        LowCardinality(String) CODEC(ZSTD(1)), INDEX src_addr_bloom src_addr TYPE bloom_filter(0.01) GRANULARITY
        1, INDEX dst_addr_bloom dst_addr TYPE bloom_filter(0.01) GRANULARITY 1) ENGINE = MergeTree PARTITION BY
        (retention_class, toDate(time_received)) PRIMARY KEY (toStartOfHour(time_received), src_tenant,
        dst_tenant, reason) ORDER BY (toStartOfHour(time_received), src_tenant, dst_tenant, reason) TTL
        time_received + toIntervalDay(16) SETTINGS ttl_only_drop_parts = 1, merge_with_ttl_timeout = 3600,
        materialize_ttl_recalculate_only = 1, non_replicated_deduplication_window = 100000
    COMMENT 'Packets that an agent discarded (sFlow discarded_packet): never traffic, so without bytes and packets'""",
    """CREATE TABLE `counters_interface` (`time_received` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)), `exporter`
        IPv6 CODEC(ZSTD(1)), `observation_domain` UInt32 CODEC(ZSTD(1)), `source_class` UInt32 CODEC(ZSTD(1)),
        `source_index` UInt32 CODEC(ZSTD(1)), `sequence` UInt32 CODEC(ZSTD(1)), `uptime` UInt32 CODEC(ZSTD(1)),
        `name` LowCardinality(String) CODEC(ZSTD(1)), `tenant` LowCardinality(String) CODEC(ZSTD(1)), `resource`
        LowCardinality(String) CODEC(ZSTD(1)), `retention_class` LowCardinality(String) CODEC(ZSTD(1)),
        `if_index` Nullable(UInt32) CODEC(ZSTD(1)), `if_type` Nullable(UInt32) CODEC(ZSTD(1)), `if_speed`
        Nullable(UInt64) CODEC(ZSTD(1)), `if_direction` Nullable(UInt32) CODEC(ZSTD(1)), `if_status`
        Nullable(UInt32) CODEC(ZSTD(1)), `if_in_octets` Nullable(UInt64) CODEC(ZSTD(1)), `if_in_ucast_pkts`
        Nullable(UInt32) CODEC(ZSTD(1)), `if_in_multicast_pkts` Nullable(UInt32) CODEC(ZSTD(1)),
        `if_in_broadcast_pkts` Nullable(UInt32) CODEC(ZSTD(1)), `if_in_discards` Nullable(UInt32)
        CODEC(ZSTD(1)), `if_in_errors` Nullable(UInt32) CODEC(ZSTD(1)), `if_in_unknown_protos` Nullable(UInt32)
        CODEC(ZSTD(1)), `if_out_octets` Nullable(UInt64) CODEC(ZSTD(1)), `if_out_ucast_pkts` Nullable(UInt32)
        CODEC(ZSTD(1)), `if_out_multicast_pkts` Nullable(UInt32) CODEC(ZSTD(1)), `if_out_broadcast_pkts`
        Nullable(UInt32) CODEC(ZSTD(1)), `if_out_discards` Nullable(UInt32) CODEC(ZSTD(1)), `if_out_errors`
        Nullable(UInt32) CODEC(ZSTD(1)), `if_promiscuous_mode` Nullable(UInt32) CODEC(ZSTD(1)),
        `dot3_stats_alignment_errors` Nullable(UInt32) CODEC(ZSTD(1)), `dot3_stats_fcs_errors` Nullable(UInt32)
        CODEC(ZSTD(1)), `dot3_stats_single_collision_frames` Nullable(UInt32) CODEC(ZSTD(1)),
        `dot3_stats_multiple_collision_frames` Nullable(UInt32) CODEC(ZSTD(1)), `dot3_stats_sqe_test_errors`
        Nullable(UInt32) CODEC(ZSTD(1)), `dot3_stats_deferred_transmissions` Nullable(UInt32) CODEC(ZSTD(1)),
        `dot3_stats_late_collisions` Nullable(UInt32) CODEC(ZSTD(1)), `dot3_stats_excessive_collisions`
        Nullable(UInt32) CODEC(ZSTD(1)), `dot3_stats_internal_mac_transmit_errors` Nullable(UInt32)
        CODEC(ZSTD(1)), `dot3_stats_carrier_sense_errors` Nullable(UInt32) CODEC(ZSTD(1)),
        `dot3_stats_frame_too_longs` Nullable(UInt32) CODEC(ZSTD(1)), `dot3_stats_internal_mac_receive_errors`
        Nullable(UInt32) CODEC(ZSTD(1)), `dot3_stats_symbol_errors` Nullable(UInt32) CODEC(ZSTD(1)),
        `lag_actor_system_id` Nullable(UInt64) CODEC(ZSTD(1)), `lag_partner_oper_system_id` Nullable(UInt64)
        CODEC(ZSTD(1)), `lag_attached_agg_id` Nullable(UInt32) CODEC(ZSTD(1)), `lag_actor_admin_port_state`
        Nullable(UInt32) CODEC(ZSTD(1)), `lag_actor_oper_port_state` Nullable(UInt32) CODEC(ZSTD(1)),
        `lag_partner_admin_port_state` Nullable(UInt32) CODEC(ZSTD(1)), `lag_partner_oper_port_state`
        Nullable(UInt32) CODEC(ZSTD(1)), `lag_lacpdus_rx` Nullable(UInt32) CODEC(ZSTD(1)), `lag_marker_pdus_rx`
        Nullable(UInt32) CODEC(ZSTD(1)), `lag_marker_response_pdus_rx` Nullable(UInt32) CODEC(ZSTD(1)),
        `lag_unknown_rx` Nullable(UInt32) CODEC(ZSTD(1)), `lag_illegal_rx` Nullable(UInt32) CODEC(ZSTD(1)),
        `lag_lacpdus_tx` Nullable(UInt32) CODEC(ZSTD(1)), `lag_marker_pdus_tx` Nullable(UInt32) CODEC(ZSTD(1)),
        `lag_marker_response_pdus_tx` Nullable(UInt32) CODEC(ZSTD(1)), `sfp_module_id` Nullable(UInt32)
        CODEC(ZSTD(1)), `sfp_module_num_lanes` Nullable(UInt32) CODEC(ZSTD(1)), `sfp_module_supply_voltage`
        Nullable(UInt32) CODEC(ZSTD(1)), `sfp_module_temperature` Nullable(Float32) CODEC(ZSTD(1)),
        `radio_elapsed_time` Nullable(UInt32) CODEC(ZSTD(1)), `radio_on_channel_time` Nullable(UInt32)
        CODEC(ZSTD(1)), `radio_on_channel_busy_time` Nullable(UInt32) CODEC(ZSTD(1)), `openflow_datapath_id`
        Nullable(UInt64) CODEC(ZSTD(1)), `openflow_port_no` Nullable(UInt32) CODEC(ZSTD(1)), `bst_ingress_uc_pc`
        Nullable(UInt32) CODEC(ZSTD(1)), `bst_ingress_mc_pc` Nullable(UInt32) CODEC(ZSTD(1)), `bst_egress_uc_pc`
        Nullable(UInt32) CODEC(ZSTD(1)), `bst_egress_mc_pc` Nullable(UInt32) CODEC(ZSTD(1)),
        `bst_egress_queue_uc_pc_0` Nullable(UInt32) CODEC(ZSTD(1)), `bst_egress_queue_uc_pc_1` Nullable(UInt32)
        CODEC(ZSTD(1)), `bst_egress_queue_uc_pc_2` Nullable(UInt32) CODEC(ZSTD(1)), `bst_egress_queue_uc_pc_3`
        Nullable(UInt32) CODEC(ZSTD(1)), `bst_egress_queue_uc_pc_4` Nullable(UInt32) CODEC(ZSTD(1)),
        `bst_egress_queue_uc_pc_5` Nullable(UInt32) CODEC(ZSTD(1)), `bst_egress_queue_uc_pc_6` Nullable(UInt32)
        CODEC(ZSTD(1)), `bst_egress_queue_uc_pc_7` Nullable(UInt32) CODEC(ZSTD(1)), `bst_egress_queue_mc_pc_0`
        Nullable(UInt32) CODEC(ZSTD(1)), `bst_egress_queue_mc_pc_1` Nullable(UInt32) CODEC(ZSTD(1)),
        `bst_egress_queue_mc_pc_2` Nullable(UInt32) CODEC(ZSTD(1)), `bst_egress_queue_mc_pc_3` Nullable(UInt32)
        CODEC(ZSTD(1)), `bst_egress_queue_mc_pc_4` Nullable(UInt32) CODEC(ZSTD(1)), `bst_egress_queue_mc_pc_5`
        Nullable(UInt32) CODEC(ZSTD(1)), `bst_egress_queue_mc_pc_6` Nullable(UInt32) CODEC(ZSTD(1)),
        `bst_egress_queue_mc_pc_7` Nullable(UInt32) CODEC(ZSTD(1))) ENGINE = MergeTree PARTITION BY
        (retention_class, toDate(time_received)) PRIMARY KEY (toStartOfHour(time_received), exporter,
        source_class, source_index) ORDER BY (toStartOfHour(time_received), exporter, source_class,
        source_index) TTL time_received + toIntervalDay(16) SETTINGS ttl_only_drop_parts = 1,
        merge_with_ttl_timeout = 3600, materialize_ttl_recalculate_only = 1, non_replicated_deduplication_window
        = 100000
        COMMENT 'Interfaces: what sFlow counter samples tell'""",
    """CREATE TABLE `counters_vlan` (`time_received` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)), `exporter` IPv6
        CODEC(ZSTD(1)), `observation_domain` UInt32 CODEC(ZSTD(1)), `source_class` UInt32 CODEC(ZSTD(1)),
        `source_index` UInt32 CODEC(ZSTD(1)), `sequence` UInt32 CODEC(ZSTD(1)), `uptime` UInt32 CODEC(ZSTD(1)),
        `name` LowCardinality(String) CODEC(ZSTD(1)), `tenant` LowCardinality(String) CODEC(ZSTD(1)), `resource`
        LowCardinality(String) CODEC(ZSTD(1)), `retention_class` LowCardinality(String) CODEC(ZSTD(1)),
        `vlan_id` Nullable(UInt32) CODEC(ZSTD(1)), `octets` Nullable(UInt64) CODEC(ZSTD(1)), `ucast_pkts`
        Nullable(UInt32) CODEC(ZSTD(1)), `multicast_pkts` Nullable(UInt32) CODEC(ZSTD(1)), `broadcast_pkts`
        Nullable(UInt32) CODEC(ZSTD(1)), `discards` Nullable(UInt32) CODEC(ZSTD(1))) ENGINE = MergeTree
        PARTITION BY (retention_class, toDate(time_received)) PRIMARY KEY (toStartOfHour(time_received),
        exporter, source_class, source_index) ORDER BY (toStartOfHour(time_received), exporter, source_class,
        source_index) TTL time_received + toIntervalDay(16) SETTINGS ttl_only_drop_parts = 1,
        merge_with_ttl_timeout = 3600, materialize_ttl_recalculate_only = 1, non_replicated_deduplication_window
        = 100000
        COMMENT 'VLANs: what sFlow counter samples tell'""",
    """CREATE TABLE `counters_host` (`time_received` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)), `exporter` IPv6
        CODEC(ZSTD(1)), `observation_domain` UInt32 CODEC(ZSTD(1)), `source_class` UInt32 CODEC(ZSTD(1)),
        `source_index` UInt32 CODEC(ZSTD(1)), `sequence` UInt32 CODEC(ZSTD(1)), `uptime` UInt32 CODEC(ZSTD(1)),
        `name` LowCardinality(String) CODEC(ZSTD(1)), `tenant` LowCardinality(String) CODEC(ZSTD(1)), `resource`
        LowCardinality(String) CODEC(ZSTD(1)), `retention_class` LowCardinality(String) CODEC(ZSTD(1)), `uuid`
        LowCardinality(String) CODEC(ZSTD(1)), `machine_type` LowCardinality(String) CODEC(ZSTD(1)), `os_name`
        LowCardinality(String) CODEC(ZSTD(1)), `os_release` LowCardinality(String) CODEC(ZSTD(1)), `cpu_5s`
        Nullable(UInt32) CODEC(ZSTD(1)), `cpu_1m` Nullable(UInt32) CODEC(ZSTD(1)), `cpu_5m` Nullable(UInt32)
        CODEC(ZSTD(1)), `total_memory` Nullable(UInt64) CODEC(ZSTD(1)), `free_memory` Nullable(UInt64)
        CODEC(ZSTD(1)), `load_one` Nullable(Float32) CODEC(ZSTD(1)), `load_five` Nullable(Float32)
        CODEC(ZSTD(1)), `load_fifteen` Nullable(Float32) CODEC(ZSTD(1)), `proc_run` Nullable(UInt32)
        CODEC(ZSTD(1)), `proc_total` Nullable(UInt32) CODEC(ZSTD(1)), `cpu_num` Nullable(UInt32) CODEC(ZSTD(1)),
        `cpu_speed` Nullable(UInt32) CODEC(ZSTD(1)), `host_uptime` Nullable(UInt32) CODEC(ZSTD(1)), `cpu_user`
        Nullable(UInt32) CODEC(ZSTD(1)), `cpu_nice` Nullable(UInt32) CODEC(ZSTD(1)), `cpu_system`
        Nullable(UInt32) CODEC(ZSTD(1)), `cpu_idle` Nullable(UInt32) CODEC(ZSTD(1)), `cpu_wio` Nullable(UInt32)
        CODEC(ZSTD(1)), `cpu_intr` Nullable(UInt32) CODEC(ZSTD(1)), `cpu_sintr` Nullable(UInt32) CODEC(ZSTD(1)),
        `interrupts` Nullable(UInt32) CODEC(ZSTD(1)), `contexts` Nullable(UInt32) CODEC(ZSTD(1)), `cpu_steal`
        Nullable(UInt32) CODEC(ZSTD(1)), `cpu_guest` Nullable(UInt32) CODEC(ZSTD(1)), `cpu_guest_nice`
        Nullable(UInt32) CODEC(ZSTD(1)), `mem_total` Nullable(UInt64) CODEC(ZSTD(1)), `mem_free`
        Nullable(UInt64) CODEC(ZSTD(1)), `mem_shared` Nullable(UInt64) CODEC(ZSTD(1)), `mem_buffers`
        Nullable(UInt64) CODEC(ZSTD(1)), `mem_cached` Nullable(UInt64) CODEC(ZSTD(1)), `swap_total`
        Nullable(UInt64) CODEC(ZSTD(1)), `swap_free` Nullable(UInt64) CODEC(ZSTD(1)), `page_in` Nullable(UInt32)
        CODEC(ZSTD(1)), `page_out` Nullable(UInt32) CODEC(ZSTD(1)), `swap_in` Nullable(UInt32) CODEC(ZSTD(1)),
        `swap_out` Nullable(UInt32) CODEC(ZSTD(1)), `disk_total` Nullable(UInt64) CODEC(ZSTD(1)), `disk_free`
        Nullable(UInt64) CODEC(ZSTD(1)), `disk_part_max_used` Nullable(UInt32) CODEC(ZSTD(1)), `disk_reads`
        Nullable(UInt32) CODEC(ZSTD(1)), `disk_bytes_read` Nullable(UInt64) CODEC(ZSTD(1)), `disk_read_time`
        Nullable(UInt32) CODEC(ZSTD(1)), `disk_writes` Nullable(UInt32) CODEC(ZSTD(1)), `disk_bytes_written`
        Nullable(UInt64) CODEC(ZSTD(1)), `disk_write_time` Nullable(UInt32) CODEC(ZSTD(1)), `net_bytes_in`
        Nullable(UInt64) CODEC(ZSTD(1)), `net_pkts_in` Nullable(UInt32) CODEC(ZSTD(1)), `net_errs_in`
        Nullable(UInt32) CODEC(ZSTD(1)), `net_drops_in` Nullable(UInt32) CODEC(ZSTD(1)), `net_bytes_out`
        Nullable(UInt64) CODEC(ZSTD(1)), `net_pkts_out` Nullable(UInt32) CODEC(ZSTD(1)), `net_errs_out`
        Nullable(UInt32) CODEC(ZSTD(1)), `net_drops_out` Nullable(UInt32) CODEC(ZSTD(1)), `ip_forwarding`
        Nullable(UInt32) CODEC(ZSTD(1)), `ip_default_ttl` Nullable(UInt32) CODEC(ZSTD(1)), `ip_in_receives`
        Nullable(UInt32) CODEC(ZSTD(1)), `ip_in_hdr_errors` Nullable(UInt32) CODEC(ZSTD(1)), `ip_in_addr_errors`
        Nullable(UInt32) CODEC(ZSTD(1)), `ip_forw_datagrams` Nullable(UInt32) CODEC(ZSTD(1)),
        `ip_in_unknown_protos` Nullable(UInt32) CODEC(ZSTD(1)), `ip_in_discards` Nullable(UInt32)
        CODEC(ZSTD(1)), `ip_in_delivers` Nullable(UInt32) CODEC(ZSTD(1)), `ip_out_requests` Nullable(UInt32)
        CODEC(ZSTD(1)), `ip_out_discards` Nullable(UInt32) CODEC(ZSTD(1)), `ip_out_no_routes` Nullable(UInt32)
        CODEC(ZSTD(1)), `ip_reasm_timeout` Nullable(UInt32) CODEC(ZSTD(1)), `ip_reasm_reqds` Nullable(UInt32)
        CODEC(ZSTD(1)), `ip_reasm_oks` Nullable(UInt32) CODEC(ZSTD(1)), `ip_reasm_fails` Nullable(UInt32)
        CODEC(ZSTD(1)), `ip_frag_oks` Nullable(UInt32) CODEC(ZSTD(1)), `ip_frag_fails` Nullable(UInt32)
        CODEC(ZSTD(1)), `ip_frag_creates` Nullable(UInt32) CODEC(ZSTD(1)), `icmp_in_msgs` Nullable(UInt32)
        CODEC(ZSTD(1)), `icmp_in_errors` Nullable(UInt32) CODEC(ZSTD(1)), `icmp_in_dest_unreachs`
        Nullable(UInt32) CODEC(ZSTD(1)), `icmp_in_time_excds` Nullable(UInt32) CODEC(ZSTD(1)),
        `icmp_in_param_probs` Nullable(UInt32) CODEC(ZSTD(1)), `icmp_in_src_quenchs` Nullable(UInt32)
        CODEC(ZSTD(1)), `icmp_in_redirects` Nullable(UInt32) CODEC(ZSTD(1)), `icmp_in_echos` Nullable(UInt32)
        CODEC(ZSTD(1)), `icmp_in_echo_reps` Nullable(UInt32) CODEC(ZSTD(1)), `icmp_in_timestamps`
        Nullable(UInt32) CODEC(ZSTD(1)), `icmp_in_addr_masks` Nullable(UInt32) CODEC(ZSTD(1)),
        `icmp_in_addr_mask_reps` Nullable(UInt32) CODEC(ZSTD(1)), `icmp_out_msgs` Nullable(UInt32)
        CODEC(ZSTD(1)), `icmp_out_errors` Nullable(UInt32) CODEC(ZSTD(1)), `icmp_out_dest_unreachs`
        Nullable(UInt32) CODEC(ZSTD(1)), `icmp_out_time_excds` Nullable(UInt32) CODEC(ZSTD(1)),
        `icmp_out_param_probs` Nullable(UInt32) CODEC(ZSTD(1)), `icmp_out_src_quenchs` Nullable(UInt32)
        CODEC(ZSTD(1)), `icmp_out_redirects` Nullable(UInt32) CODEC(ZSTD(1)), `icmp_out_echos` Nullable(UInt32)
        CODEC(ZSTD(1)), `icmp_out_echo_reps` Nullable(UInt32) CODEC(ZSTD(1)), `icmp_out_timestamps`
        Nullable(UInt32) CODEC(ZSTD(1)), `icmp_out_timestamp_reps` Nullable(UInt32) CODEC(ZSTD(1)),
        `icmp_out_addr_masks` Nullable(UInt32) CODEC(ZSTD(1)), `icmp_out_addr_mask_reps` Nullable(UInt32)
        CODEC(ZSTD(1)), `tcp_rto_algorithm` Nullable(UInt32) CODEC(ZSTD(1)), `tcp_rto_min` Nullable(UInt32)
        CODEC(ZSTD(1)), `tcp_rto_max` Nullable(UInt32) CODEC(ZSTD(1)), `tcp_max_conn` Nullable(UInt32)
        CODEC(ZSTD(1)), `tcp_active_opens` Nullable(UInt32) CODEC(ZSTD(1)), `tcp_passive_opens` Nullable(UInt32)
        CODEC(ZSTD(1)), `tcp_attempt_fails` Nullable(UInt32) CODEC(ZSTD(1)), `tcp_estab_resets` Nullable(UInt32)
        CODEC(ZSTD(1)), `tcp_curr_estab` Nullable(UInt32) CODEC(ZSTD(1)), `tcp_in_segs` Nullable(UInt32)
        CODEC(ZSTD(1)), `tcp_out_segs` Nullable(UInt32) CODEC(ZSTD(1)), `tcp_retrans_segs` Nullable(UInt32)
        CODEC(ZSTD(1)), `tcp_in_errs` Nullable(UInt32) CODEC(ZSTD(1)), `tcp_out_rsts` Nullable(UInt32)
        CODEC(ZSTD(1)), `tcp_in_csum_errors` Nullable(UInt32) CODEC(ZSTD(1)), `udp_in_datagrams`
        Nullable(UInt32) CODEC(ZSTD(1)), `udp_no_ports` Nullable(UInt32) CODEC(ZSTD(1)), `udp_in_errors`
        Nullable(UInt32) CODEC(ZSTD(1)), `udp_out_datagrams` Nullable(UInt32) CODEC(ZSTD(1)),
        `udp_rcvbuf_errors` Nullable(UInt32) CODEC(ZSTD(1)), `udp_sndbuf_errors` Nullable(UInt32)
        CODEC(ZSTD(1)), `udp_in_csum_errors` Nullable(UInt32) CODEC(ZSTD(1)), `gpu_device_count`
        Nullable(UInt32) CODEC(ZSTD(1)), `gpu_processes` Nullable(UInt32) CODEC(ZSTD(1)), `gpu_time`
        Nullable(UInt32) CODEC(ZSTD(1)), `gpu_mem_time` Nullable(UInt32) CODEC(ZSTD(1)), `gpu_mem_total`
        Nullable(UInt64) CODEC(ZSTD(1)), `gpu_mem_free` Nullable(UInt64) CODEC(ZSTD(1)), `gpu_ecc_errors`
        Nullable(UInt32) CODEC(ZSTD(1)), `gpu_energy` Nullable(UInt32) CODEC(ZSTD(1)), `gpu_temperature`
        Nullable(UInt32) CODEC(ZSTD(1)), `gpu_fan_speed` Nullable(UInt32) CODEC(ZSTD(1)), `bst_uc_pc`
        Nullable(UInt32) CODEC(ZSTD(1)), `bst_mc_pc` Nullable(UInt32) CODEC(ZSTD(1)), `hw_host_entries`
        Nullable(UInt32) CODEC(ZSTD(1)), `hw_host_entries_max` Nullable(UInt32) CODEC(ZSTD(1)),
        `hw_ipv4_entries` Nullable(UInt32) CODEC(ZSTD(1)), `hw_ipv4_entries_max` Nullable(UInt32)
        CODEC(ZSTD(1)), `hw_ipv6_entries` Nullable(UInt32) CODEC(ZSTD(1)), `hw_ipv6_entries_max`
        Nullable(UInt32) CODEC(ZSTD(1)), `hw_ipv4_ipv6_entries` Nullable(UInt32) CODEC(ZSTD(1)),
        `hw_ipv4_ipv6_entries_max` Nullable(UInt32) CODEC(ZSTD(1)), `hw_long_ipv6_entries` Nullable(UInt32)
        CODEC(ZSTD(1)), `hw_long_ipv6_entries_max` Nullable(UInt32) CODEC(ZSTD(1)), `hw_total_routes`
        Nullable(UInt32) CODEC(ZSTD(1)), `hw_total_routes_max` Nullable(UInt32) CODEC(ZSTD(1)),
        `hw_ecmp_nexthops` Nullable(UInt32) CODEC(ZSTD(1)), `hw_ecmp_nexthops_max` Nullable(UInt32)
        CODEC(ZSTD(1)), `hw_mac_entries` Nullable(UInt32) CODEC(ZSTD(1)), `hw_mac_entries_max` Nullable(UInt32)
        CODEC(ZSTD(1)), `hw_ipv4_neighbors` Nullable(UInt32) CODEC(ZSTD(1)), `hw_ipv6_neighbors`
        Nullable(UInt32) CODEC(ZSTD(1)), `hw_ipv4_routes` Nullable(UInt32) CODEC(ZSTD(1)), `hw_ipv6_routes`
        Nullable(UInt32) CODEC(ZSTD(1)), `hw_acl_ingress_entries` Nullable(UInt32) CODEC(ZSTD(1)),
        `hw_acl_ingress_entries_max` Nullable(UInt32) CODEC(ZSTD(1)), `hw_acl_ingress_counters` Nullable(UInt32)
        CODEC(ZSTD(1)), `hw_acl_ingress_counters_max` Nullable(UInt32) CODEC(ZSTD(1)), `hw_acl_ingress_meters`
        Nullable(UInt32) CODEC(ZSTD(1)), `hw_acl_ingress_meters_max` Nullable(UInt32) CODEC(ZSTD(1)),
        `hw_acl_ingress_slices` Nullable(UInt32) CODEC(ZSTD(1)), `hw_acl_ingress_slices_max` Nullable(UInt32)
        CODEC(ZSTD(1)), `hw_acl_egress_entries` Nullable(UInt32) CODEC(ZSTD(1)), `hw_acl_egress_entries_max`
        Nullable(UInt32) CODEC(ZSTD(1)), `hw_acl_egress_counters` Nullable(UInt32) CODEC(ZSTD(1)),
        `hw_acl_egress_counters_max` Nullable(UInt32) CODEC(ZSTD(1)), `hw_acl_egress_meters` Nullable(UInt32)
        CODEC(ZSTD(1)), `hw_acl_egress_meters_max` Nullable(UInt32) CODEC(ZSTD(1)), `hw_acl_egress_slices`
        Nullable(UInt32) CODEC(ZSTD(1)), `hw_acl_egress_slices_max` Nullable(UInt32) CODEC(ZSTD(1))) ENGINE =
        MergeTree PARTITION BY (retention_class, toDate(time_received)) PRIMARY KEY
        (toStartOfHour(time_received), exporter, source_class, source_index) ORDER BY
        (toStartOfHour(time_received), exporter, source_class, source_index) TTL time_received +
        toIntervalDay(16) SETTINGS ttl_only_drop_parts = 1, merge_with_ttl_timeout = 3600,
        materialize_ttl_recalculate_only = 1, non_replicated_deduplication_window = 100000
        COMMENT 'Hosts and devices: what sFlow counter samples tell'""",
    """CREATE TABLE `counters_virtual` (`time_received` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)), `exporter`
        IPv6 CODEC(ZSTD(1)), `observation_domain` UInt32 CODEC(ZSTD(1)), `source_class` UInt32 CODEC(ZSTD(1)),
        `source_index` UInt32 CODEC(ZSTD(1)), `sequence` UInt32 CODEC(ZSTD(1)), `uptime` UInt32 CODEC(ZSTD(1)),
        `name` LowCardinality(String) CODEC(ZSTD(1)), `tenant` LowCardinality(String) CODEC(ZSTD(1)), `resource`
        LowCardinality(String) CODEC(ZSTD(1)), `retention_class` LowCardinality(String) CODEC(ZSTD(1)), `uuid`
        LowCardinality(String) CODEC(ZSTD(1)), `machine_type` LowCardinality(String) CODEC(ZSTD(1)), `os_name`
        LowCardinality(String) CODEC(ZSTD(1)), `os_release` LowCardinality(String) CODEC(ZSTD(1)),
        `container_type` Nullable(UInt32) CODEC(ZSTD(1)), `container_index` Nullable(UInt32) CODEC(ZSTD(1)),
        `node_mhz` Nullable(UInt32) CODEC(ZSTD(1)), `node_cpus` Nullable(UInt32) CODEC(ZSTD(1)), `node_memory`
        Nullable(UInt64) CODEC(ZSTD(1)), `node_memory_free` Nullable(UInt64) CODEC(ZSTD(1)), `node_num_domains`
        Nullable(UInt32) CODEC(ZSTD(1)), `cpu_state` Nullable(UInt32) CODEC(ZSTD(1)), `cpu_time`
        Nullable(UInt32) CODEC(ZSTD(1)), `cpu_nr_virt_cpu` Nullable(UInt32) CODEC(ZSTD(1)), `memory`
        Nullable(UInt64) CODEC(ZSTD(1)), `max_memory` Nullable(UInt64) CODEC(ZSTD(1)), `disk_capacity`
        Nullable(UInt64) CODEC(ZSTD(1)), `disk_allocation` Nullable(UInt64) CODEC(ZSTD(1)), `disk_available`
        Nullable(UInt64) CODEC(ZSTD(1)), `disk_rd_req` Nullable(UInt32) CODEC(ZSTD(1)), `disk_rd_bytes`
        Nullable(UInt64) CODEC(ZSTD(1)), `disk_wr_req` Nullable(UInt32) CODEC(ZSTD(1)), `disk_wr_bytes`
        Nullable(UInt64) CODEC(ZSTD(1)), `disk_errs` Nullable(UInt32) CODEC(ZSTD(1)), `net_bytes_in`
        Nullable(UInt64) CODEC(ZSTD(1)), `net_pkts_in` Nullable(UInt32) CODEC(ZSTD(1)), `net_errs_in`
        Nullable(UInt32) CODEC(ZSTD(1)), `net_drops_in` Nullable(UInt32) CODEC(ZSTD(1)), `net_bytes_out`
        Nullable(UInt64) CODEC(ZSTD(1)), `net_pkts_out` Nullable(UInt32) CODEC(ZSTD(1)), `net_errs_out`
        Nullable(UInt32) CODEC(ZSTD(1)), `net_drops_out` Nullable(UInt32) CODEC(ZSTD(1))) ENGINE = MergeTree
        PARTITION BY (retention_class, toDate(time_received)) PRIMARY KEY (toStartOfHour(time_received),
        exporter, source_class, source_index) ORDER BY (toStartOfHour(time_received), exporter, source_class,
        source_index) TTL time_received + toIntervalDay(16) SETTINGS ttl_only_drop_parts = 1,
        merge_with_ttl_timeout = 3600, materialize_ttl_recalculate_only = 1, non_replicated_deduplication_window
        = 100000
        COMMENT 'Virtual machines: what sFlow counter samples tell'""",
    """CREATE TABLE `counters_lane` (`time_received` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)), `exporter` IPv6
        CODEC(ZSTD(1)), `observation_domain` UInt32 CODEC(ZSTD(1)), `source_class` UInt32 CODEC(ZSTD(1)),
        `source_index` UInt32 CODEC(ZSTD(1)), `sequence` UInt32 CODEC(ZSTD(1)), `uptime` UInt32 CODEC(ZSTD(1)),
        `name` LowCardinality(String) CODEC(ZSTD(1)), `tenant` LowCardinality(String) CODEC(ZSTD(1)), `resource`
        LowCardinality(String) CODEC(ZSTD(1)), `retention_class` LowCardinality(String) CODEC(ZSTD(1)),
        `lane_index` Nullable(UInt32) CODEC(ZSTD(1)), `tx_bias_current` Nullable(UInt32) CODEC(ZSTD(1)),
        `tx_power` Nullable(UInt32) CODEC(ZSTD(1)), `tx_power_min` Nullable(UInt32) CODEC(ZSTD(1)),
        `tx_power_max` Nullable(UInt32) CODEC(ZSTD(1)), `tx_wavelength` Nullable(UInt32) CODEC(ZSTD(1)),
        `rx_power` Nullable(UInt32) CODEC(ZSTD(1)), `rx_power_min` Nullable(UInt32) CODEC(ZSTD(1)),
        `rx_power_max` Nullable(UInt32) CODEC(ZSTD(1)), `rx_wavelength` Nullable(UInt32) CODEC(ZSTD(1))) ENGINE
        = MergeTree PARTITION BY (retention_class, toDate(time_received)) PRIMARY KEY
        (toStartOfHour(time_received), exporter, source_class, source_index) ORDER BY
        (toStartOfHour(time_received), exporter, source_class, source_index) TTL time_received +
        toIntervalDay(16) SETTINGS ttl_only_drop_parts = 1, merge_with_ttl_timeout = 3600,
        materialize_ttl_recalculate_only = 1, non_replicated_deduplication_window = 100000
        COMMENT 'Lanes of optical modules: a row for each lane in a sample'""",
    """CREATE TABLE `counters_adaptor` (`time_received` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)), `exporter`
        IPv6 CODEC(ZSTD(1)), `observation_domain` UInt32 CODEC(ZSTD(1)), `source_class` UInt32 CODEC(ZSTD(1)),
        `source_index` UInt32 CODEC(ZSTD(1)), `sequence` UInt32 CODEC(ZSTD(1)), `uptime` UInt32 CODEC(ZSTD(1)),
        `name` LowCardinality(String) CODEC(ZSTD(1)), `tenant` LowCardinality(String) CODEC(ZSTD(1)), `resource`
        LowCardinality(String) CODEC(ZSTD(1)), `retention_class` LowCardinality(String) CODEC(ZSTD(1)), `uuid`
        LowCardinality(String) CODEC(ZSTD(1)), `if_index` Nullable(UInt32) CODEC(ZSTD(1)), `mac`
        Nullable(UInt64) CODEC(ZSTD(1))) ENGINE = MergeTree PARTITION BY (retention_class,
        toDate(time_received)) PRIMARY KEY (toStartOfHour(time_received), exporter, source_class, source_index)
        ORDER BY (toStartOfHour(time_received), exporter, source_class, source_index) TTL time_received +
        toIntervalDay(16) SETTINGS ttl_only_drop_parts = 1, merge_with_ttl_timeout = 3600,
        materialize_ttl_recalculate_only = 1, non_replicated_deduplication_window = 100000
        COMMENT 'Network adaptors of hosts and virtual machines: a row for each MAC address of one in a sample'""",
    """CREATE TABLE `names` (`exporter` IPv6, `observation_domain` UInt32, `naming` Enum8('interface' = 0,
        'application' = 1, 'vrf' = 2, 'sampler' = 3), `id` UInt64, `name` String, `description` String, `seen`
        DateTime64(3, 'UTC')) ENGINE = ReplacingMergeTree(seen) ORDER BY (exporter, observation_domain, naming,
        id) TTL seen + toIntervalDay(16) SETTINGS non_replicated_deduplication_window = 100000
        COMMENT 'What exporters call their interfaces, applications, VRFs and samplers; the row seen last counts'""",
    """CREATE TABLE `purges` (`time` DateTime64(3, 'UTC'), `table_name` String, `partition` String, `retention_class`
        String, `day` Date, `rows` UInt64, `bytes` UInt64, `reason` String) ENGINE = MergeTree ORDER BY time
        COMMENT 'Partitions that the scheduled purge has dropped'""",
    """CREATE TABLE `purge_runs` (`time` DateTime64(3, 'UTC'), `partitions` UInt64, `rows` UInt64, `bytes` UInt64,
        `findings` UInt64) ENGINE = MergeTree ORDER BY time
        COMMENT 'Purges that came to their end, whether or not anything was due'""",
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
    """INSERT INTO discards (time_received, retention_class, reason, drops) VALUES
        ('2090-06-01 12:00:00.000', 'discards', 'acl', 7)""",
    """INSERT INTO counters_interface (time_received, retention_class, name, if_in_octets) VALUES
        ('2090-06-01 12:00:00.000', 'counters', 'xe-0/0/0', 8)""",
    """INSERT INTO purges VALUES ('2026-11-20 03:00:00.000', 'flows', 'p', 'basic', '2026-11-01', 5, 500, 'age')""",
)
