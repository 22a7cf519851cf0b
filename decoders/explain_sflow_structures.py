"""The structures of sFlow version 5, for people: names by format, and what fields they have.

Facts of sflow.org: "sFlow Version 5" section 5, "sFlow Host Structures", and the list of structure numbers. A field is
`name`, `name/kind` or `name/kind/unit`; without a kind it is an unsigned integer of 32 bits. A structure of which no
field is listed is known by its name only.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple


class Part(NamedTuple):
    """A field of a structure; `kind` is one of those of `decoders.explain_sflow`, `unit` empty where there is none."""

    name: str
    kind: str
    unit: str


class Structure(NamedTuple):
    """A structure's name and fields."""

    name: str
    parts: tuple[Part, ...]


SAMPLES = {1: "flow_sample", 2: "counters_sample", 3: "flow_sample_expanded", 4: "counters_sample_expanded",
           5: "discarded_packet"}  # fmt: skip

_FLOW = """
1 sampled_header header_protocol/protocol frame_length//octets stripped//octets header/header
2 sampled_ethernet length//octets src_mac/mac dst_mac/mac type
3 sampled_ipv4 length//octets protocol src_ip/ipv4 dst_ip/ipv4 src_port dst_port tcp_flags tos
4 sampled_ipv6 length//octets protocol src_ip/ipv6 dst_ip/ipv6 src_port dst_port tcp_flags priority
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
1013 extended_80211_payload
1014 extended_80211_rx
1015 extended_80211_tx
1016 extended_80211_aggregation
1020 extended_nat_port src_port dst_port
1021 extended_L2_tunnel_egress
1022 extended_L2_tunnel_ingress
1023 extended_ipv4_tunnel_egress
1024 extended_ipv4_tunnel_ingress
1025 extended_ipv6_tunnel_egress
1026 extended_ipv6_tunnel_ingress
1027 extended_decapsulate_egress inner_header_offset//octets
1028 extended_decapsulate_ingress inner_header_offset//octets
1029 extended_vni_egress vni
1030 extended_vni_ingress vni
1038 extended_function symbol/string
2100 extended_socket_ipv4 protocol local_ip/ipv4 remote_ip/ipv4 local_port remote_port
2101 extended_socket_ipv6 protocol local_ip/ipv6 remote_ip/ipv6 local_port remote_port
2102 extended_proxy_socket_ipv4
2103 extended_proxy_socket_ipv6
2209 extended_TCP_info
"""

_COUNTERS = """
1 if_counters ifIndex ifType ifSpeed/long ifDirection ifStatus ifInOctets/long/octets ifInUcastPkts//packets \
ifInMulticastPkts//packets ifInBroadcastPkts//packets ifInDiscards//packets ifInErrors//packets \
ifInUnknownProtos//packets ifOutOctets/long/octets ifOutUcastPkts//packets ifOutMulticastPkts//packets \
ifOutBroadcastPkts//packets ifOutDiscards//packets ifOutErrors//packets ifPromiscuousMode
2 ethernet_counters dot3StatsAlignmentErrors dot3StatsFCSErrors dot3StatsSingleCollisionFrames \
dot3StatsMultipleCollisionFrames dot3StatsSQETestErrors dot3StatsDeferredTransmissions dot3StatsLateCollisions \
dot3StatsExcessiveCollisions dot3StatsInternalMacTransmitErrors dot3StatsCarrierSenseErrors dot3StatsFrameTooLongs \
dot3StatsInternalMacReceiveErrors dot3StatsSymbolErrors
3 tokenring_counters
4 vg_counters
5 vlan_counters vlan_id octets/long/octets ucastPkts//packets multicastPkts//packets broadcastPkts//packets \
discards//packets
6 ieee80211_counters
7 lag_port_stats actorSystemID/mac partnerSystemID/mac attachedAggID portState LACPDUsRx markerPDUsRx \
markerResponsePDUsRx unknownRx illegalRx LACPDUsTx markerPDUsTx markerResponsePDUsTx
10 sfp
1001 processor cpu_5s cpu_1m cpu_5m total_memory/long/octets free_memory/long/octets
1002 radio_utilization elapsed_time//milliseconds on_channel_time//milliseconds on_channel_busy_time//milliseconds
1004 of_port datapath_id/long port_no
1005 port_name port_name/string
2000 host_descr hostname/string uuid/uuid machine_type os_name os_release/string
2001 host_adapters
2002 host_parent container_type container_index
2003 host_cpu load_one/float load_five/float load_fifteen/float proc_run proc_total cpu_num cpu_speed//MHz \
uptime//seconds cpu_user//milliseconds cpu_nice//milliseconds cpu_system//milliseconds cpu_idle//milliseconds \
cpu_wio//milliseconds cpu_intr//milliseconds cpu_sintr//milliseconds interrupts contexts
2004 host_memory mem_total/long/octets mem_free/long/octets mem_shared/long/octets mem_buffers/long/octets \
mem_cached/long/octets swap_total/long/octets swap_free/long/octets page_in page_out swap_in swap_out
2005 host_disk_io disk_total/long/octets disk_free/long/octets part_max_used reads bytes_read/long/octets \
read_time//milliseconds writes bytes_written/long/octets write_time//milliseconds
2006 host_net_io bytes_in/long/octets pkts_in//packets errs_in drops_in bytes_out/long/octets pkts_out//packets \
errs_out drops_out
2007 mib2_ip_group
2008 mib2_icmp_group
2009 mib2_tcp_group
2010 mib2_udp_group
2100 virt_node mhz//MHz cpus memory/long/octets memory_free/long/octets num_domains
2101 virt_cpu state cpuTime//milliseconds nrVirtCpu
2102 virt_memory memory/long/octets maxMemory/long/octets
2103 virt_disk_io capacity/long/octets allocation/long/octets available/long/octets rd_req rd_bytes/long/octets \
wr_req wr_bytes/long/octets errs
2104 virt_net_io bytes_in/long/octets pkts_in//packets errs_in drops_in bytes_out/long/octets pkts_out//packets \
errs_out drops_out
2105 jmx_runtime vm_name/string vm_vendor/string vm_version/string
2106 jmx_statistics
"""


def _read(table: str) -> dict[int, Structure]:
    found = {}
    for line in table.strip().split("\n"):
        format_, name, *parts = line.split()
        columns = [f"{part}//".split("/")[:3] for part in parts]
        found[int(format_)] = Structure(name, tuple(Part(name, kind, unit) for name, kind, unit in columns))
    return found


@cache
def flow_structures() -> dict[int, Structure]:
    """Return the structures of flow records, by format; all are of enterprise 0."""
    return _read(_FLOW)


@cache
def counter_structures() -> dict[int, Structure]:
    """Return the structures of counter records, by format; all are of enterprise 0."""
    return _read(_COUNTERS)
