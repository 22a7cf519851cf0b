"""The structures of sFlow version 5: names by enterprise and format, and what fields they have.

`flowkeep decode --explain` reads them to people, and those of counters are stored by them (`schema.counters`). Facts of
sflow.org: "sFlow Version 5" section 5, "sFlow Host Structures", "sFlow LAG Counters", "sFlow Optical Interface
Structures", the lists of structure numbers, and the headers of host-sflow and sflowtool.

A line is `format name fields` or `enterprise:format name fields`. A field is `name`, `name/kind` or `name/kind/unit`;
without a kind it is an unsigned integer of 32 bits. Those behind `|` came later: older agents do not send them. A
structure of which no field is listed is known by its name only.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

Key = tuple[int, int]
"""What a structure goes by: the enterprise that defined it, 0 for sflow.org, and the format."""


class Part(NamedTuple):
    """A field of a structure; `kind` is one of those of `decoders.explain_sflow`, `unit` empty where there is none.

    `optional` says that the structure had been without it at first, so that a record may end before it.
    """

    name: str
    kind: str
    unit: str
    optional: bool = False


class Structure(NamedTuple):
    """A structure's name and fields."""

    name: str
    parts: tuple[Part, ...]


def key_of(tag: int) -> Key:
    """Return what a data format says: 20 bits of enterprise and 12 of format."""
    return tag >> 12, tag & 0xFFF


SAMPLES = {1: "flow_sample", 2: "counters_sample", 3: "flow_sample_expanded", 4: "counters_sample_expanded",
           5: "discarded_packet"}  # fmt: skip

MACHINE_TYPES = ("unknown", "other", "x86", "x86_64", "ia64", "sparc", "alpha", "powerpc", "m68k", "mips", "arm",
                 "hppa", "s390")  # fmt: skip
OS_NAMES = ("unknown", "other", "linux", "windows", "darwin", "hpux", "aix", "dragonfly", "freebsd", "netbsd",
            "openbsd", "osf", "solaris", "java")  # fmt: skip
"""sFlow Host Structures: machine_type and os_name, in the order of their numbers."""

_ETHERNET = "length//octets src_mac/mac dst_mac/mac type"
_IPV4 = "length//octets protocol src_ip/ipv4 dst_ip/ipv4 src_port dst_port tcp_flags tos"
_IPV6 = "length//octets protocol src_ip/ipv6 dst_ip/ipv6 src_port dst_port tcp_flags priority"
_SOCKET_IPV4 = "protocol local_ip/ipv4 remote_ip/ipv4 local_port remote_port"
_SOCKET_IPV6 = "protocol local_ip/ipv6 remote_ip/ipv6 local_port remote_port"
_CONTEXT = "application/string operation/string attributes/string"

_FLOW = f"""
1 sampled_header header_protocol/protocol frame_length//octets stripped//octets header/header
2 sampled_ethernet {_ETHERNET}
3 sampled_ipv4 {_IPV4}
4 sampled_ipv6 {_IPV6}
1001 extended_switch src_vlan src_priority dst_vlan dst_priority
1002 extended_router nexthop/address src_mask_len//bits dst_mask_len//bits
1003 extended_gateway nexthop/address as src_as src_peer_as dst_as_path/path communities/list localpref
1004 extended_user src_charset src_user/string dst_charset dst_user/string
1005 extended_url direction url/string host/string
1006 extended_mpls nexthop/address in_stack/list out_stack/list
1007 extended_nat src_address/address dst_address/address
1008 extended_mpls_tunnel tunnel_lsp_name/string tunnel_id tunnel_cos
1009 extended_mpls_vc vc_instance_name/string vll_vc_id vc_label_cos
1010 extended_mpls_FTN mplsFTNDescr/string mplsFTNMask
1011 extended_mpls_LDP_FEC mplsFecAddrPrefixLength//bits
1012 extended_vlantunnel stack/list
1013 extended_80211_payload ciphersuite data/opaque
1014 extended_80211_rx ssid/string bssid/mac version channel speed/long/bit/s rsni rcpi packet_duration//microseconds
1015 extended_80211_tx ssid/string bssid/mac version transmissions packet_duration//microseconds \
retrans_duration//microseconds channel speed/long/bit/s power//milliwatts
1016 extended_80211_aggregation
1017 extended_openflow_v1 flow_cookie/long flow_match flow_actions
1018 extended_fc src_mask_len//bits dst_mask_len//bits next_hop metric
1019 extended_queue_length queueIndex queueLength//segments
1020 extended_nat_port src_port dst_port
1021 extended_L2_tunnel_egress {_ETHERNET}
1022 extended_L2_tunnel_ingress {_ETHERNET}
1023 extended_ipv4_tunnel_egress {_IPV4}
1024 extended_ipv4_tunnel_ingress {_IPV4}
1025 extended_ipv6_tunnel_egress {_IPV6}
1026 extended_ipv6_tunnel_ingress {_IPV6}
1027 extended_decapsulate_egress inner_header_offset//octets
1028 extended_decapsulate_ingress inner_header_offset//octets
1029 extended_vni_egress vni
1030 extended_vni_ingress vni
1031 extended_ib_lrh src_vl src_sl src_dlid src_slid src_lnh dst_vl dst_sl dst_dlid dst_slid dst_lnh
1032 extended_ib_grh flow_label tc s_gid/ipv6 d_gid/ipv6 next_header length//octets
1033 extended_ib_bth pkey dst_qp opcode
1034 extended_vlanin stack/list
1035 extended_vlanout stack/list
1036 extended_egress_queue queue
1037 extended_acl number name/string direction
1038 extended_function symbol/string
1039 extended_transit delay//nanoseconds
1040 extended_queue depth//octets
1041 extended_hw_trap group/string trap/string
1042 extended_linux_drop_reason reason/string
1043 extended_timestamp nanoseconds/long
2000 transaction direction wait//microseconds duration//microseconds status bytes_received/long/octets \
bytes_sent/long/octets
2001 extended_nfs_storage_transaction path/opaque operation status
2002 extended_scsi_storage_transaction lun operation status
2003 extended_http_transaction url/string host/string referer/string useragent/string user/string status
2100 extended_socket_ipv4 {_SOCKET_IPV4}
2101 extended_socket_ipv6 {_SOCKET_IPV6}
2102 extended_proxy_socket_ipv4 {_SOCKET_IPV4}
2103 extended_proxy_socket_ipv6 {_SOCKET_IPV6}
2200 memcache_operation protocol cmd key/string nkeys value_bytes//octets duration//microseconds status
2201 http_request_deprecated
2202 app_operation {_CONTEXT} status_descr/string req_bytes/long/octets resp_bytes/long/octets \
duration//microseconds status
2203 app_parent_context {_CONTEXT}
2204 app_initiator actor/string
2205 app_target actor/string
2206 http_request method protocol uri/string host/string referer/string useragent/string xff/string authuser/string \
mime_type/string req_bytes/long/octets resp_bytes/long/octets duration//microseconds status/int
2207 extended_proxy_request uri/string host/string
2209 extended_TCP_info direction snd_mss//octets rcv_mss//octets unacked//packets lost//packets retrans//packets \
pmtu//octets rtt//microseconds rttvar//microseconds snd_cwnd//packets reordering//packets min_rtt//microseconds
2210 extended_entities src_ds_class src_ds_index dst_ds_class dst_ds_index
4413:1 extended_bst_egress_queue queue
"""

_NET_IO = """bytes_in/long/octets pkts_in//packets errs_in//packets drops_in//packets bytes_out/long/octets \
pkts_out//packets errs_out//packets drops_out//packets"""

_COUNTERS = f"""
1 if_counters ifIndex ifType ifSpeed/long ifDirection ifStatus ifInOctets/long/octets ifInUcastPkts//packets \
ifInMulticastPkts//packets ifInBroadcastPkts//packets ifInDiscards//packets ifInErrors//packets \
ifInUnknownProtos//packets ifOutOctets/long/octets ifOutUcastPkts//packets ifOutMulticastPkts//packets \
ifOutBroadcastPkts//packets ifOutDiscards//packets ifOutErrors//packets ifPromiscuousMode
2 ethernet_counters dot3StatsAlignmentErrors//frames dot3StatsFCSErrors//frames dot3StatsSingleCollisionFrames//frames \
dot3StatsMultipleCollisionFrames//frames dot3StatsSQETestErrors dot3StatsDeferredTransmissions//frames \
dot3StatsLateCollisions dot3StatsExcessiveCollisions//frames dot3StatsInternalMacTransmitErrors//frames \
dot3StatsCarrierSenseErrors dot3StatsFrameTooLongs//frames dot3StatsInternalMacReceiveErrors//frames \
dot3StatsSymbolErrors
3 tokenring_counters dot5StatsLineErrors dot5StatsBurstErrors dot5StatsACErrors dot5StatsAbortTransErrors \
dot5StatsInternalErrors dot5StatsLostFrameErrors dot5StatsReceiveCongestions dot5StatsFrameCopiedErrors \
dot5StatsTokenErrors dot5StatsSoftErrors dot5StatsHardErrors dot5StatsSignalLoss dot5StatsTransmitBeacons \
dot5StatsRecoverys dot5StatsLobeWires dot5StatsRemoves dot5StatsSingles dot5StatsFreqErrors
4 vg_counters dot12InHighPriorityFrames//frames dot12InHighPriorityOctets/long/octets \
dot12InNormPriorityFrames//frames dot12InNormPriorityOctets/long/octets dot12InIPMErrors \
dot12InOversizeFrameErrors dot12InDataErrors dot12InNullAddressedFrames//frames dot12OutHighPriorityFrames//frames \
dot12OutHighPriorityOctets/long/octets dot12TransitionIntoTrainings dot12HCInHighPriorityOctets/long/octets \
dot12HCInNormPriorityOctets/long/octets dot12HCOutHighPriorityOctets/long/octets
5 vlan_counters vlan_id octets/long/octets ucastPkts//packets multicastPkts//packets broadcastPkts//packets \
discards//packets
6 ieee80211_counters dot11TransmittedFragmentCount dot11MulticastTransmittedFrameCount dot11FailedCount \
dot11RetryCount dot11MultipleRetryCount dot11FrameDuplicateCount dot11RTSSuccessCount dot11RTSFailureCount \
dot11ACKFailureCount dot11ReceivedFragmentCount dot11MulticastReceivedFrameCount dot11FCSErrorCount \
dot11TransmittedFrameCount dot11WEPUndecryptableCount dot11QoSDiscardedFragmentCount dot11AssociatedStationCount \
dot11QoSCFPollsReceivedCount dot11QoSCFPollsUnusedCount dot11QoSCFPollsUnusableCount dot11QoSCFPollsLostCount
7 lag_port_stats actorSystemID/mac partnerOperSystemID/mac attachedAggID actorAdminPortState/octet \
actorOperPortState/octet partnerAdminPortState/octet partnerOperPortState/octet LACPDUsRx//frames \
markerPDUsRx//frames markerResponsePDUsRx//frames unknownRx//frames illegalRx//frames LACPDUsTx//frames \
markerPDUsTx//frames markerResponsePDUsTx//frames
8 slow_path_counts unknown other cam_miss cam_full no_hw_support cntrl
9 ib_counters
10 sfp module_id module_num_lanes module_supply_voltage//millivolts \
module_temperature/int/thousandths_of_a_degree_Celsius lanes/lanes
1001 processor cpu_5s//hundredths_of_a_percent cpu_1m//hundredths_of_a_percent cpu_5m//hundredths_of_a_percent \
total_memory/long/octets free_memory/long/octets
1002 radio_utilization elapsed_time//milliseconds on_channel_time//milliseconds on_channel_busy_time//milliseconds
1003 queue_length queueIndex segmentSize//octets queueSegments queueLength0 queueLength1 queueLength2 queueLength4 \
queueLength8 queueLength32 queueLength128 queueLength1024 queueLengthMore dropped
1004 of_port datapath_id/long port_no
1005 port_name port_name/string
2000 host_descr hostname/string uuid/uuid machine_type/machine os_name/os os_release/string
2001 host_adapters adapters/adapters
2002 host_parent container_type container_index
2003 host_cpu load_one/float load_five/float load_fifteen/float proc_run proc_total cpu_num cpu_speed//MHz \
uptime//seconds cpu_user//milliseconds cpu_nice//milliseconds cpu_system//milliseconds cpu_idle//milliseconds \
cpu_wio//milliseconds cpu_intr//milliseconds cpu_sintr//milliseconds interrupts contexts | cpu_steal//milliseconds \
cpu_guest//milliseconds cpu_guest_nice//milliseconds
2004 host_memory mem_total/long/octets mem_free/long/octets mem_shared/long/octets mem_buffers/long/octets \
mem_cached/long/octets swap_total/long/octets swap_free/long/octets page_in//pages page_out//pages swap_in//pages \
swap_out//pages
2005 host_disk_io disk_total/long/octets disk_free/long/octets part_max_used//hundredths_of_a_percent reads \
bytes_read/long/octets read_time//milliseconds writes bytes_written/long/octets write_time//milliseconds
2006 host_net_io {_NET_IO}
2007 mib2_ip_group ipForwarding ipDefaultTTL ipInReceives//packets ipInHdrErrors//packets ipInAddrErrors//packets \
ipForwDatagrams//packets ipInUnknownProtos//packets ipInDiscards//packets ipInDelivers//packets \
ipOutRequests//packets ipOutDiscards//packets ipOutNoRoutes//packets ipReasmTimeout//seconds ipReasmReqds//packets \
ipReasmOKs//packets ipReasmFails//packets ipFragOKs//packets ipFragFails//packets ipFragCreates//packets
2008 mib2_icmp_group icmpInMsgs//packets icmpInErrors//packets icmpInDestUnreachs//packets icmpInTimeExcds//packets \
icmpInParamProbs//packets icmpInSrcQuenchs//packets icmpInRedirects//packets icmpInEchos//packets \
icmpInEchoReps//packets icmpInTimestamps//packets icmpInAddrMasks//packets icmpInAddrMaskReps//packets \
icmpOutMsgs//packets icmpOutErrors//packets icmpOutDestUnreachs//packets icmpOutTimeExcds//packets \
icmpOutParamProbs//packets icmpOutSrcQuenchs//packets icmpOutRedirects//packets icmpOutEchos//packets \
icmpOutEchoReps//packets icmpOutTimestamps//packets icmpOutTimestampReps//packets icmpOutAddrMasks//packets \
icmpOutAddrMaskReps//packets
2009 mib2_tcp_group tcpRtoAlgorithm tcpRtoMin//milliseconds tcpRtoMax//milliseconds tcpMaxConn tcpActiveOpens \
tcpPassiveOpens tcpAttemptFails tcpEstabResets tcpCurrEstab tcpInSegs//segments tcpOutSegs//segments \
tcpRetransSegs//segments tcpInErrs//segments tcpOutRsts//segments tcpInCsumErrors//segments
2010 mib2_udp_group udpInDatagrams//datagrams udpNoPorts//datagrams udpInErrors//datagrams \
udpOutDatagrams//datagrams udpRcvbufErrors//datagrams udpSndbufErrors//datagrams udpInCsumErrors//datagrams
2100 virt_node mhz//MHz cpus memory/long/octets memory_free/long/octets num_domains
2101 virt_cpu state cpuTime//milliseconds nrVirtCpu
2102 virt_memory memory/long/octets maxMemory/long/octets
2103 virt_disk_io capacity/long/octets allocation/long/octets available/long/octets rd_req rd_bytes/long/octets \
wr_req wr_bytes/long/octets errs
2104 virt_net_io {_NET_IO}
2105 jmx_runtime vm_name/string vm_vendor/string vm_version/string
2106 jmx_statistics heap_initial/long/octets heap_used/long/octets heap_committed/long/octets heap_max/long/octets \
non_heap_initial/long/octets non_heap_used/long/octets non_heap_committed/long/octets non_heap_max/long/octets \
gc_count gc_time//milliseconds classes_loaded classes_total classes_unloaded compilation_time//milliseconds \
thread_num_live thread_num_daemon thread_num_started | fd_open_count fd_max_count
2200 memcached_counters_deprecated
2201 http_counters method_option_count method_get_count method_head_count method_post_count method_put_count \
method_delete_count method_trace_count method_connect_count method_other_count status_1XX_count status_2XX_count \
status_3XX_count status_4XX_count status_5XX_count status_other_count
2202 app_operations application/string status_OK errors_OTHER errors_TIMEOUT errors_INTERNAL_ERROR \
errors_BAD_REQUEST errors_FORBIDDEN errors_TOO_LARGE errors_NOT_IMPLEMENTED errors_NOT_FOUND errors_UNAVAILABLE \
errors_UNAUTHORIZED
2203 app_resources user_time//milliseconds system_time//milliseconds mem_used/long/octets mem_max/long/octets fd_open \
fd_max conn_open conn_max
2204 memcache_counters cmd_set cmd_touch cmd_flush get_hits get_misses delete_hits delete_misses incr_hits \
incr_misses decr_hits decr_misses cas_hits cas_misses cas_badval auth_cmds auth_errors threads conn_yields \
listen_disabled_num curr_connections rejected_connections total_connections connection_structures evictions \
reclaimed curr_items total_items bytes_read/long/octets bytes_written/long/octets bytes/long/octets \
limit_maxbytes/long/octets
2206 app_workers workers_active workers_idle workers_max req_delayed req_dropped
2207 ovs_dp_stats hits misses lost mask_hits flows masks
3000 energy voltage//millivolts current//milliamperes real_power//milliwatts power_factor/int/hundredths_of_a_percent \
energy//millijoules errors
3001 temperature minimum/int/degrees_Celsius maximum/int/degrees_Celsius errors
3002 humidity relative/int/percent
3003 fans total failed speed//percent
4413:1 bst_device_buffers uc_pc//hundredths_of_a_percent mc_pc//hundredths_of_a_percent
4413:2 bst_port_buffers ingress_uc_pc//hundredths_of_a_percent ingress_mc_pc//hundredths_of_a_percent \
egress_uc_pc//hundredths_of_a_percent egress_mc_pc//hundredths_of_a_percent \
egress_queue_uc_pc/queues/hundredths_of_a_percent egress_queue_mc_pc/queues/hundredths_of_a_percent
4413:3 hw_tables host_entries host_entries_max ipv4_entries ipv4_entries_max ipv6_entries ipv6_entries_max \
ipv4_ipv6_entries ipv4_ipv6_entries_max long_ipv6_entries long_ipv6_entries_max total_routes total_routes_max \
ecmp_nexthops ecmp_nexthops_max mac_entries mac_entries_max ipv4_neighbors ipv6_neighbors ipv4_routes ipv6_routes \
acl_ingress_entries acl_ingress_entries_max acl_ingress_counters acl_ingress_counters_max acl_ingress_meters \
acl_ingress_meters_max acl_ingress_slices acl_ingress_slices_max acl_egress_entries acl_egress_entries_max \
acl_egress_counters acl_egress_counters_max acl_egress_meters acl_egress_meters_max acl_egress_slices \
acl_egress_slices_max
5703:1 nvidia_gpu device_count processes gpu_time//milliseconds mem_time//milliseconds mem_total/long/octets \
mem_free/long/octets ecc_errors energy//millijoules temperature//degrees_Celsius fan_speed//percent
"""

_ELEMENTS = """
lanes lane index tx_bias_current//microamperes tx_power//microwatts tx_power_min//microwatts \
tx_power_max//microwatts tx_wavelength//nanometres rx_power//microwatts rx_power_min//microwatts \
rx_power_max//microwatts rx_wavelength//nanometres
adapters adapter ifIndex mac_address/macs
macs mac_address mac_address/mac
"""


def _parts(fields: list[str]) -> tuple[Part, ...]:
    late = fields.index("|") if "|" in fields else len(fields)
    parts = []
    for number, field in enumerate(field for field in fields if field != "|"):
        name, kind, unit = (*field.split("/", 2), "", "")[:3]
        parts.append(Part(name, kind, unit.replace("_", " "), number >= late))
    return tuple(parts)


def _read(table: str) -> dict[Key, Structure]:
    found = {}
    for line in table.strip().split("\n"):
        key, name, *fields = line.split()
        enterprise, _, format_ = key.rpartition(":")
        found[int(enterprise or 0), int(format_)] = Structure(name, _parts(fields))
    return found


@cache
def flow_structures() -> dict[Key, Structure]:
    """Return the structures of flow records."""
    return _read(_FLOW)


@cache
def counter_structures() -> dict[Key, Structure]:
    """Return the structures of counter records."""
    return _read(_COUNTERS)


@cache
def element_structures() -> dict[str, Structure]:
    """Return what kinds of fields that repeat consist of: each is a count, and as many of the structure."""
    lines = (line.split() for line in _ELEMENTS.strip().split("\n"))
    return {kind: Structure(name, _parts(fields)) for kind, name, *fields in lines}
