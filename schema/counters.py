"""The tables of counters (sFlow counter samples): each row is what one sample told of one thing at one moment.

Their columns are the fields of `schema.sflow_structures`; what an agent does not have is NULL.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from schema.columns import BY_NAME, Column, Kind
from schema.sflow_structures import Key, Part, counter_structures, element_structures

QUEUES = 8
"""Queues of a port that have a column each (bst_port_buffers)."""


@dataclass(frozen=True, slots=True)
class CounterTable:
    """A table of counters; `parts` says which field of which structure fills a column, by the column's name.

    The fields of one structure stand there in the order of the wire.
    """

    name: str
    columns: tuple[Column, ...]
    order_by: tuple[str, ...]
    doc: str
    parts: dict[str, tuple[Key, Part]]


def _uint(name: str, doc: str, unit: str = "") -> Column:
    return Column(name, Kind.UINT, "u4", "UInt32", "ZSTD(1)", unit, "device", doc)


def _symbol(name: str, doc: str, category: str = "device") -> Column:
    return Column(name, Kind.SYMBOL, "i4", "LowCardinality(String)", "ZSTD(1)", "", category, doc)


COMMON: tuple[Column, ...] = (
    BY_NAME["time_received"],
    BY_NAME["exporter"],
    BY_NAME["observation_domain"],
    _uint("source_class", "Class of the sFlow data source: 0 interface, 1 VLAN, 2 physical entity, 3 logical entity."),
    _uint("source_index", "Index of the data source; of an interface its SNMP index."),
    _uint("sequence", "Number of the sample among those of its source."),
    _uint("uptime", "How long the agent has been running, modulo 2**32.", "ms"),
    _symbol("name", "Name of the interface, host or virtual machine; of a port the last told if the sample has none."),
    _symbol("tenant", "Tenant whose resource it is; empty where no allocation names it.", "attribution"),
    _symbol("resource", "Resource by which the allocations name it.", "attribution"),
    BY_NAME["retention_class"],
)
"""Columns that all tables of counters have."""

_UUID = _symbol("uuid", "UUID of the host or virtual machine (sFlow host_descr); empty where it has none.")
_SYSTEM = (
    _symbol("machine_type", "Architecture of the processor, as sFlow Host Structures call it (host_descr)."),
    _symbol("os_name", "Operating system, as sFlow Host Structures call it (host_descr)."),
    _symbol("os_release", "Release of the operating system (host_descr)."),
)

_TYPES = {
    "": (Kind.UINT, "u4", "UInt32"),
    "octet": (Kind.UINT, "u4", "UInt32"),
    "int": (Kind.FLOAT, "f4", "Float32"),
    "long": (Kind.UINT, "u8", "UInt64"),
    "float": (Kind.FLOAT, "f4", "Float32"),
    "mac": (Kind.MAC, "u8", "UInt64"),
}
"""How a kind of field is stored: signed integers as floating point, of which 24 bits are exact."""

_HOST: Key = (0, 2001)
_SFP: Key = (0, 10)

_Source = tuple[Key, str]
"""A structure, and the prefix of its columns' names, which those that begin with it go without."""

_TABLES: tuple[tuple[str, str, tuple[Column, ...], tuple[_Source, ...]], ...] = (
    ("counters_interface", "Interfaces", (), (
        ((0, 1), ""), ((0, 2), ""), ((0, 7), "lag_"), (_SFP, "sfp_"), ((0, 1002), "radio_"), ((0, 1004), "openflow_"),
        ((4413, 2), "bst_"),
    )),
    ("counters_vlan", "VLANs", (), (((0, 5), ""),)),
    ("counters_host", "Hosts and devices", (_UUID, *_SYSTEM), (
        ((0, 1001), ""), ((0, 2003), ""), ((0, 2004), ""), ((0, 2005), "disk_"), ((0, 2006), "net_"), ((0, 2007), ""),
        ((0, 2008), ""), ((0, 2009), ""), ((0, 2010), ""), ((5703, 1), "gpu_"), ((4413, 1), "bst_"),
        ((4413, 3), "hw_"),
    )),
    ("counters_virtual", "Virtual machines", (_UUID, *_SYSTEM), (
        ((0, 2002), ""), ((0, 2100), "node_"), ((0, 2101), "cpu_"), ((0, 2102), ""), ((0, 2103), "disk_"),
        ((0, 2104), "net_"),
    )),
)  # fmt: skip
"""Name, what its rows are of, columns of strings, and the structures: a row for each sample that has any of them."""

_RENAMED = {("host_cpu", "uptime"): "host_uptime"}
"""Fields whose names others have: `uptime` is the agent's."""

_MEANINGS = {
    "ifSpeed": "Speed in bit/s.",
    "ifDirection": "0 unknown, 1 full-duplex, 2 half-duplex, 3 in, 4 out.",
    "ifStatus": "Bit 0: administratively up; bit 1: operationally up.",
    "ifPromiscuousMode": "1 true, 2 false.",
    "attachedAggID": "SNMP index of the aggregator.",
    "actorAdminPortState": "IEEE 802.1AX state bits, from the lowest: activity, timeout, aggregation, "
    "synchronization, collecting, distributing, defaulted, expired.",
    "container_type": "Class of the data source that holds the machine.",
    "container_index": "Index of the data source that holds the machine.",
    "load_one": "Load average of 1 minute.",
    "load_five": "Load average of 5 minutes.",
    "load_fifteen": "Load average of 15 minutes.",
    "part_max_used": "Use of the fullest partition.",
    "state": "0 none, 1 running, 2 blocked, 3 paused, 4 shutdown, 5 shutoff, 6 crashed.",
    "available": "Physical size of what holds the disk.",
    "uc_pc": "Greatest use of the unicast buffers since the last sample.",
    "mc_pc": "Greatest use of the multicast buffers since the last sample.",
    "gpu_time": "Time in which a kernel ran, summed over the devices.",
}
"""What values stand for, where the name does not tell."""

_WORDS = re.compile(r"[A-Z]{2,}s(?![a-z])|[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+|[0-9]+")


def snake(name: str) -> str:
    """Return a MIB's name as a column's: ifInOctets is if_in_octets, LACPDUsRx is lacpdus_rx."""
    return "_".join(_WORDS.findall(name)).lower()


def _counter(name: str, part: Part, of: str) -> Column:
    kind, dtype, clickhouse = _TYPES[part.kind]
    meaning = _MEANINGS.get(part.name)
    doc = f"{part.name} of {of}." + (f" {meaning}" if meaning else "")
    category = "link_layer" if kind is Kind.MAC else "device"
    return Column(name, kind, dtype, f"Nullable({clickhouse})", "ZSTD(1)", part.unit, category, doc, nullable=True)


def _fields(key: Key, prefix: str) -> list[tuple[str, Part]]:
    """Return the columns of a structure; strings and what repeats have none, but for the queues of a port."""
    structure = counter_structures()[key]
    found = []
    for part in structure.parts:
        name = _RENAMED.get((structure.name, part.name)) or snake(part.name)
        name = name if name.startswith(prefix) else prefix + name
        if part.kind in _TYPES:
            found.append((name, part))
        elif part.kind == "queues":
            each = (Part(f"{part.name}[{queue}]", "", part.unit) for queue in range(QUEUES))
            found += [(f"{name}_{queue}", one) for queue, one in enumerate(each)]
    return found


def _table(name: str, of: str, strings: tuple[Column, ...], sources: tuple[_Source, ...]) -> CounterTable:
    parts = {column: (key, part) for key, prefix in sources for column, part in _fields(key, prefix)}
    return _complete(name, f"{of}: what sFlow counter samples tell", strings, parts)


def _complete(name: str, doc: str, strings: tuple[Column, ...], parts: dict[str, tuple[Key, Part]]) -> CounterTable:
    columns = []
    for column, (key, part) in parts.items():
        enterprise, format_ = key
        number = f"{enterprise}:{format_}" if enterprise else f"{format_}"
        columns.append(_counter(column, part, f"{counter_structures()[key].name} (sFlow structure {number})"))
    order = ("exporter", "source_class", "source_index")
    return CounterTable(name, (*COMMON, *strings, *columns), order, doc, parts)


def _lanes() -> CounterTable:
    parts = {snake(part.name): (_SFP, part) for part in element_structures()["lanes"].parts}
    parts = {"lane_index" if name == "index" else name: of for name, of in parts.items()}
    return _complete("counters_lane", "Lanes of optical modules: a row for each lane in a sample", (), parts)


def _adaptors() -> CounterTable:
    parts = {"if_index": (_HOST, Part("ifIndex", "", "")), "mac": (_HOST, Part("mac_address", "mac", ""))}
    doc = "Network adaptors of hosts and virtual machines: a row for each MAC address of one in a sample"
    return _complete("counters_adaptor", doc, (_UUID,), parts)


COUNTER_TABLES: tuple[CounterTable, ...] = (*(_table(*one) for one in _TABLES), _lanes(), _adaptors())
