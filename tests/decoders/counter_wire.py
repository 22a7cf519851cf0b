"""sFlow counter structures built octet by octet, from lists of their own: what `schema` says of them is not trusted."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from decoders import Datagrams, Decoded, Limits
from decoders.block import Octets
from decoders.sflow_agents import agents
from decoders.sflow_counters import find
from decoders.xdr import items
from schema.batch import Flows, Nullable, Symbols
from tests.decoders.wire import EXPORTER, NOW

Key = tuple[int, int]
Values = dict[str, Any]

WIRE: dict[Key, tuple[str, str]] = {
    (0, 1): ("counters_interface", """
        I if_index I if_type Q if_speed I if_direction I if_status Q if_in_octets I if_in_ucast_pkts
        I if_in_multicast_pkts I if_in_broadcast_pkts I if_in_discards I if_in_errors I if_in_unknown_protos
        Q if_out_octets I if_out_ucast_pkts I if_out_multicast_pkts I if_out_broadcast_pkts I if_out_discards
        I if_out_errors I if_promiscuous_mode"""),
    (0, 2): ("counters_interface", """
        I dot3_stats_alignment_errors I dot3_stats_fcs_errors I dot3_stats_single_collision_frames
        I dot3_stats_multiple_collision_frames I dot3_stats_sqe_test_errors I dot3_stats_deferred_transmissions
        I dot3_stats_late_collisions I dot3_stats_excessive_collisions I dot3_stats_internal_mac_transmit_errors
        I dot3_stats_carrier_sense_errors I dot3_stats_frame_too_longs I dot3_stats_internal_mac_receive_errors
        I dot3_stats_symbol_errors"""),
    (0, 5): ("counters_vlan", "I vlan_id Q octets I ucast_pkts I multicast_pkts I broadcast_pkts I discards"),
    (0, 7): ("counters_interface", """
        M lag_actor_system_id M lag_partner_oper_system_id I lag_attached_agg_id B lag_actor_admin_port_state
        B lag_actor_oper_port_state B lag_partner_admin_port_state B lag_partner_oper_port_state I lag_lacpdus_rx
        I lag_marker_pdus_rx I lag_marker_response_pdus_rx I lag_unknown_rx I lag_illegal_rx I lag_lacpdus_tx
        I lag_marker_pdus_tx I lag_marker_response_pdus_tx"""),
    (0, 10): ("counters_interface", """
        I sfp_module_id I sfp_module_num_lanes I sfp_module_supply_voltage i sfp_module_temperature"""),
    (0, 1001): ("counters_host", "I cpu_5s I cpu_1m I cpu_5m Q total_memory Q free_memory"),
    (0, 1002): ("counters_interface", "I radio_elapsed_time I radio_on_channel_time I radio_on_channel_busy_time"),
    (0, 1004): ("counters_interface", "Q openflow_datapath_id I openflow_port_no"),
    (0, 2002): ("counters_virtual", "I container_type I container_index"),
    (0, 2003): ("counters_host", """
        f load_one f load_five f load_fifteen I proc_run I proc_total I cpu_num I cpu_speed I host_uptime I cpu_user
        I cpu_nice I cpu_system I cpu_idle I cpu_wio I cpu_intr I cpu_sintr I interrupts I contexts I cpu_steal
        I cpu_guest I cpu_guest_nice"""),
    (0, 2004): ("counters_host", """
        Q mem_total Q mem_free Q mem_shared Q mem_buffers Q mem_cached Q swap_total Q swap_free I page_in I page_out
        I swap_in I swap_out"""),
    (0, 2005): ("counters_host", """
        Q disk_total Q disk_free I disk_part_max_used I disk_reads Q disk_bytes_read I disk_read_time I disk_writes
        Q disk_bytes_written I disk_write_time"""),
    (0, 2006): ("counters_host", """
        Q net_bytes_in I net_pkts_in I net_errs_in I net_drops_in Q net_bytes_out I net_pkts_out I net_errs_out
        I net_drops_out"""),
    (0, 2007): ("counters_host", """
        I ip_forwarding I ip_default_ttl I ip_in_receives I ip_in_hdr_errors I ip_in_addr_errors I ip_forw_datagrams
        I ip_in_unknown_protos I ip_in_discards I ip_in_delivers I ip_out_requests I ip_out_discards I ip_out_no_routes
        I ip_reasm_timeout I ip_reasm_reqds I ip_reasm_oks I ip_reasm_fails I ip_frag_oks I ip_frag_fails
        I ip_frag_creates"""),
    (0, 2008): ("counters_host", """
        I icmp_in_msgs I icmp_in_errors I icmp_in_dest_unreachs I icmp_in_time_excds I icmp_in_param_probs
        I icmp_in_src_quenchs I icmp_in_redirects I icmp_in_echos I icmp_in_echo_reps I icmp_in_timestamps
        I icmp_in_addr_masks I icmp_in_addr_mask_reps I icmp_out_msgs I icmp_out_errors I icmp_out_dest_unreachs
        I icmp_out_time_excds I icmp_out_param_probs I icmp_out_src_quenchs I icmp_out_redirects I icmp_out_echos
        I icmp_out_echo_reps I icmp_out_timestamps I icmp_out_timestamp_reps I icmp_out_addr_masks
        I icmp_out_addr_mask_reps"""),
    (0, 2009): ("counters_host", """
        I tcp_rto_algorithm I tcp_rto_min I tcp_rto_max I tcp_max_conn I tcp_active_opens I tcp_passive_opens
        I tcp_attempt_fails I tcp_estab_resets I tcp_curr_estab I tcp_in_segs I tcp_out_segs I tcp_retrans_segs
        I tcp_in_errs I tcp_out_rsts I tcp_in_csum_errors"""),
    (0, 2010): ("counters_host", """
        I udp_in_datagrams I udp_no_ports I udp_in_errors I udp_out_datagrams I udp_rcvbuf_errors I udp_sndbuf_errors
        I udp_in_csum_errors"""),
    (0, 2100): ("counters_virtual", "I node_mhz I node_cpus Q node_memory Q node_memory_free I node_num_domains"),
    (0, 2101): ("counters_virtual", "I cpu_state I cpu_time I cpu_nr_virt_cpu"),
    (0, 2102): ("counters_virtual", "Q memory Q max_memory"),
    (0, 2103): ("counters_virtual", """
        Q disk_capacity Q disk_allocation Q disk_available I disk_rd_req Q disk_rd_bytes I disk_wr_req Q disk_wr_bytes
        I disk_errs"""),
    (0, 2104): ("counters_virtual", """
        Q net_bytes_in I net_pkts_in I net_errs_in I net_drops_in Q net_bytes_out I net_pkts_out I net_errs_out
        I net_drops_out"""),
    (4413, 1): ("counters_host", "I bst_uc_pc I bst_mc_pc"),
    (4413, 2): ("counters_interface", "I bst_ingress_uc_pc I bst_ingress_mc_pc I bst_egress_uc_pc I bst_egress_mc_pc"),
    (4413, 3): ("counters_host", """
        I hw_host_entries I hw_host_entries_max I hw_ipv4_entries I hw_ipv4_entries_max I hw_ipv6_entries
        I hw_ipv6_entries_max I hw_ipv4_ipv6_entries I hw_ipv4_ipv6_entries_max I hw_long_ipv6_entries
        I hw_long_ipv6_entries_max I hw_total_routes I hw_total_routes_max I hw_ecmp_nexthops I hw_ecmp_nexthops_max
        I hw_mac_entries I hw_mac_entries_max I hw_ipv4_neighbors I hw_ipv6_neighbors I hw_ipv4_routes I hw_ipv6_routes
        I hw_acl_ingress_entries I hw_acl_ingress_entries_max I hw_acl_ingress_counters I hw_acl_ingress_counters_max
        I hw_acl_ingress_meters I hw_acl_ingress_meters_max I hw_acl_ingress_slices I hw_acl_ingress_slices_max
        I hw_acl_egress_entries I hw_acl_egress_entries_max I hw_acl_egress_counters I hw_acl_egress_counters_max
        I hw_acl_egress_meters I hw_acl_egress_meters_max I hw_acl_egress_slices I hw_acl_egress_slices_max"""),
    (5703, 1): ("counters_host", """
        I gpu_device_count I gpu_processes I gpu_time I gpu_mem_time Q gpu_mem_total Q gpu_mem_free I gpu_ecc_errors
        I gpu_energy I gpu_temperature I gpu_fan_speed"""),
}  # fmt: skip
"""For each structure the table it goes to, and code and column of each of its fixed fields.

I and i are 32 bits without and with sign, Q 64 bits, f a float, M a MAC address and two octets of padding, B an octet.
"""

LANE = """
    I lane_index I tx_bias_current I tx_power I tx_power_min I tx_power_max I tx_wavelength I rx_power I rx_power_min
    I rx_power_max I rx_wavelength"""

KEYS = sorted(WIRE)

WIDTHS = {"I": 4, "i": 4, "f": 4, "Q": 8, "M": 8, "B": 1}


def fields(text: str) -> list[tuple[str, str]]:
    words = text.split()
    return list(zip(words[::2], words[1::2], strict=True))


def field(code: str, value: Any) -> bytes:
    """One field; None is the value of all ones by which sFlow says that there is none."""
    width = WIDTHS[code]
    if value is None:
        return b"\xff" * (6 if code == "M" else width) + bytes(2 if code == "M" else 0)
    if code == "f":
        return struct.pack(">f", value)
    if code == "M":
        return int(value).to_bytes(6, "big") + bytes(2)
    return int(value).to_bytes(width, "big", signed=code == "i")


def body(text: str, values: Values) -> bytes:
    return b"".join(field(code, values[column]) for code, column in fields(text))


def lane(number: int) -> Values:
    """Values of a lane that are all different, also from those of lanes of other numbers."""
    return {column: 100 * number + at for at, (_, column) in enumerate(fields(LANE))}


def string(text: bytes) -> bytes:
    return len(text).to_bytes(4, "big") + text + bytes(-len(text) % 4)


def structure(key: Key, values: Values) -> bytes:
    """A structure of fixed fields, without its header; what may follow them in it is left empty."""
    behind = {(0, 10): bytes(4), (4413, 2): bytes(8)}
    return body(WIRE[key][1], values) + behind.get(key, b"")


def sfp(values: Values, lanes: list[Values], count: int | None = None) -> bytes:
    head = body(WIRE[0, 10][1], values) + (len(lanes) if count is None else count).to_bytes(4, "big")
    return head + b"".join(body(LANE, lane) for lane in lanes)


def port_buffers(values: Values, unicast: list[int | None], multicast: list[int | None]) -> bytes:
    lists = (len(each).to_bytes(4, "big") + b"".join(field("I", one) for one in each) for each in (unicast, multicast))
    return body(WIRE[4413, 2][1], values) + b"".join(lists)


def host_descr(hostname: bytes, uuid: bytes, machine: int, system: int, release: bytes) -> bytes:
    return string(hostname) + uuid + machine.to_bytes(4, "big") + system.to_bytes(4, "big") + string(release)


def host_adapters(*adapters: tuple[int, list[int | None]], count: int | None = None) -> bytes:
    found = (len(adapters) if count is None else count).to_bytes(4, "big")
    for index, macs in adapters:
        found += index.to_bytes(4, "big") + len(macs).to_bytes(4, "big") + b"".join(field("M", mac) for mac in macs)
    return found


def record(key: Key, octets: bytes) -> bytes:
    tag = (key[0] << 12 | key[1]).to_bytes(4, "big")
    return tag + len(octets).to_bytes(4, "big") + octets + bytes(-len(octets) % 4)


def sample(
    *records: bytes,
    source: tuple[int, int] = (0, 3),
    sequence: int = 1,
    expanded: bool = False,
    count: int | None = None,
) -> bytes:
    class_, index = source
    said = (
        class_.to_bytes(4, "big") + index.to_bytes(4, "big") if expanded else (class_ << 24 | index).to_bytes(4, "big")
    )
    head = sequence.to_bytes(4, "big") + said + (len(records) if count is None else count).to_bytes(4, "big")
    return record((0, 4 if expanded else 2), head + b"".join(records))


def datagram(
    *samples: bytes, agent: int = 1, sub_agent: int = 0, uptime: int = 1000, count: int | None = None
) -> bytes:
    head = struct.pack(">II4sIII", 5, 1, bytes((198, 51, 100, agent)), sub_agent, 1, uptime)
    return head + (len(samples) if count is None else count).to_bytes(4, "big") + b"".join(samples)


def decoded(*payloads: bytes, limits: Limits | None = None) -> Decoded:
    """What the decoder finds in a block of datagrams of counter samples; each octet of these must be counted."""
    out, block = Decoded(Flows(0)), Datagrams.of(payloads, EXPORTER, NOW)
    who = agents(block, np.arange(len(payloads)), out)
    ends = block.offsets[who.datagram] + block.lengths[who.datagram]
    samples = items(block.data, who.start, ends, who.samples).items
    counters = samples.where(np.isin(samples.tag, (2, 4)))
    out.octets.clear()
    find(block, who, counters, limits or Limits(), out)
    assert sum(out.octets.values()) == int((counters.end - counters.start).sum())
    assert set(out.octets) <= {Octets.COUNTERS, Octets.HEADERS, Octets.PADDING, Octets.FAULTY}
    assert min(out.octets.values(), default=0) >= 0
    assert out.counter_samples == len(counters.start)
    return out


def rows(result: Decoded, table: str) -> list[Values]:
    """The rows of a table as a reader sees them: NULL is None."""
    found = result.counters.get(table)
    if found is None:
        return []
    columns: dict[str, list[Any]] = {}
    for name, column in found.columns.items():
        if isinstance(column, Symbols):
            columns[name] = [column.names[code] for code in column.codes.tolist()]
        elif isinstance(column, Nullable):
            told = zip(column.values.tolist(), column.absent.tolist(), strict=True)
            columns[name] = [None if absent else value for value, absent in told]
        else:
            columns[name] = [bytes(one) if np.ndim(one) else int(one) for one in column]
        assert len(columns[name]) == found.rows, name
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def distinct(key: Key, seed: int = 0) -> Values:
    """Values that are all different, and that use the width of their fields."""
    values: Values = {}
    for number, (code, column) in enumerate(fields(WIRE[key][1])):
        at = number + 31 * seed + 1
        values[column] = {
            "I": 0xF0000000 + at, "i": -at - 1, "Q": 0xF000000000000000 + at, "M": 0xF00000000000 + at, "f": at + 0.5,
            "B": at % 251,
        }[code]  # fmt: skip
    return values


def told(row: Values, values: Values) -> Values:
    """What a row says of the columns of `values`; a column that the block does not have is NULL."""
    return {column: row.get(column) for column in values}


def only(result: Decoded, table: str) -> Values:
    """The row of a block that has only one."""
    assert list(result.counters) == [table]
    [row] = rows(result, table)
    return row
