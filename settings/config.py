"""The collector's configuration file (configs/flowkeep.yaml is the commented example)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from settings.source import Section, load_yaml
from settings.tenant_source import HttpSource, NetBoxSource

_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)\s*([KMGT]?)i?B?", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_URL = re.compile(r"https?://[^/\s@]+")
_ENDPOINT = re.compile(r"(?:\[([^][]+)\]|([^][:]+)):([0-9]{1,5})")
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def _size(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if not match:
        raise ValueError("expected a size such as 512MiB or 4GiB")
    return int(float(match[1]) * _UNITS[match[2].upper()])


def parse_endpoint(value: str) -> tuple[str, int]:
    """Split `host:port` or `[v6]:port` into address and port; ValueError where it is neither."""
    match = _ENDPOINT.fullmatch(value)
    if not match or int(match[3]) > 65535:
        raise ValueError(f"expected ADDRESS:PORT, such as 0.0.0.0:2055 or [::]:2055, not '{value}'")
    host = match[1] or match[2]
    try:
        ip_address(host)
    except ValueError:
        raise ValueError(f"'{host}' is not an IP address") from None
    return host, int(match[3])


def _endpoint(value: str) -> str:
    parse_endpoint(value)
    return value


def _network(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return ip_network(value)
        except ValueError as error:
            raise ValueError(f"not a prefix: {error}") from None
    return value


def _address(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return ip_address(value)
        except ValueError:
            raise ValueError("expected an IP address") from None
    return value


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError("expected a name of letters, digits, '_', '.' and '-', at most 63, a letter or digit first")
    return value


def _path(value: Any) -> Any:
    if isinstance(value, str) and not (value and value.isprintable()):
        raise ValueError("expected a path")
    return value


def _url(value: str) -> str:
    if not _URL.fullmatch(value):
        raise ValueError("expected http://HOST:PORT or https://HOST:PORT, without path, user or password")
    return value


Size = Annotated[int, BeforeValidator(_size), Field(gt=0, lt=2**63)]
Endpoint = Annotated[str, AfterValidator(_endpoint)]
Prefix = Annotated[IPv4Network | IPv6Network, BeforeValidator(_network)]
Address = Annotated[IPv4Address | IPv6Address, BeforeValidator(_address)]
Name = Annotated[str, AfterValidator(_name)]
File = Annotated[Path, BeforeValidator(_path)]


class Snmp(Section):
    """How to ask an exporter for its interfaces' names: version 2c with a `community`, or version 3 as `user`.

    `address` is needed where the exporter's prefix is more than one. Without `authentication_key` or `privacy_key`
    (AES-128) version 3 does without; keys have 8 characters or more.
    """

    address: Address | None = None
    port: int = Field(default=161, ge=1, le=65535)
    community: str = ""
    user: str = ""
    authentication: Literal["md5", "sha", "sha256", "sha512"] = "sha"
    authentication_key: str = ""
    privacy_key: str = ""

    @model_validator(mode="after")
    def _has_credentials(self) -> Snmp:
        if bool(self.community) == bool(self.user):
            raise ValueError("expected a community (version 2c) or a user (version 3)")
        if self.privacy_key and not self.authentication_key:
            raise ValueError("privacy_key needs an authentication_key")
        if any(0 < len(key) < 8 for key in (self.authentication_key, self.privacy_key)):
            raise ValueError("keys have 8 characters or more (RFC 3414)")
        return self


class Exporter(Section):
    """Who may send: a prefix, the name its metrics carry, and what to make of what it says.

    `sampling_rate` overrides what it says of its sampling; `default_sampling_rate` holds where it says nothing.
    `trust_exporter_address` believes the elements 130 and 131, with which a relay names the exporter. `separate_ports`
    tells exporters behind one address (NAT) apart by their source ports. `snmp` says how to ask for its interfaces.
    """

    prefix: Prefix
    name: Name
    sampling_rate: int | None = Field(default=None, ge=1, le=2**32 - 1)
    default_sampling_rate: int | None = Field(default=None, ge=1, le=2**32 - 1)
    trust_exporter_address: bool = False
    separate_ports: bool = False
    snmp: Snmp | None = None

    @model_validator(mode="after")
    def _has_one_agent(self) -> Exporter:
        if self.snmp and not self.snmp.address and self.prefix.num_addresses > 1:
            raise ValueError("snmp needs an 'address' where the prefix is more than one")
        return self

    @model_validator(mode="after")
    def _says_one_rate(self) -> Exporter:
        if self.sampling_rate is not None and self.default_sampling_rate is not None:
            raise ValueError("sampling_rate always holds, so default_sampling_rate never would; leave one of them out")
        return self


class Journal(Section):
    """Bounds of the journal of raw datagrams in the data directory: octets, age, what it leaves free on its disk."""

    max_size: Size = 4 * 2**30
    max_age_hours: float = Field(default=72, gt=0, le=24 * 365)
    min_free: Size = 2**30
    segment_size: Size = 64 * 2**20

    @model_validator(mode="after")
    def _holds_a_segment(self) -> Journal:
        if self.segment_size < 2**20:
            raise ValueError("segment_size is smaller than 1MiB, and a datagram may have 64KiB")
        if self.segment_size > self.max_size:
            raise ValueError("segment_size is larger than max_size")
        return self


class Blocks(Section):
    """When a block of datagrams is cut: at this age, or at this many octets, whichever comes first.

    While the journal has segments waiting, blocks may be three times as large: they cost ClickHouse less, and a worker
    needs more memory (1.4 instead of 0.6 GB with the default). Their rollups are added up for `rollup_seconds` and
    stored then: an hour's sums are much the same groups from second to second, so ClickHouse has fewer rows to merge.
    """

    max_age_seconds: float = Field(default=1.0, gt=0, le=1.0)
    max_size: Size = 24 * 2**20
    rollup_seconds: float = Field(default=10.0, ge=0, le=60)


class Decoding(Section):
    """What is kept to decode by: templates of UDP exporters, and data that came before its template.

    A template that an exporter has not sent again for `template_lifetime_seconds` is forgotten. Data sets wait for
    their template for `wait_for_template_seconds` (0: not at all), `wait_for_template_size` of them for each exporter.

    `addresses` says which of a sampled packet inside another (a tunnel) are the flow's; the others are stored beside
    them.
    """

    template_lifetime_seconds: int = Field(default=7200, ge=60, le=10**9)
    wait_for_template_seconds: int = Field(default=1800, ge=0, le=86400)
    wait_for_template_size: Size = 2**20
    addresses: Literal["outer", "inner"] = "outer"


class Embedded(Section):
    """The ClickHouse that Flowkeep starts itself, on loopback only; port 0 means any free one."""

    mode: Literal["embedded"]
    http_port: int = Field(default=0, ge=0, le=65535)
    tcp_port: int = Field(default=0, ge=0, le=65535)
    memory_limit: Size = 2 * 2**30
    database: Name = "flowkeep"


class Passwords(Section):
    """One password for each of our four ClickHouse users (flowkeep_admin, _ingest, _query and _retention)."""

    admin: str
    ingest: str
    query: str
    retention: str


class Server(Section):
    """A ClickHouse that somebody else runs."""

    mode: Literal["server"]
    url: Annotated[str, AfterValidator(_url)]
    database: Name = "flowkeep"
    passwords: Passwords


class Enrichment(Section):
    """What names things for display: databases of addresses in MaxMind's format (.mmdb), each optional."""

    systems: File | None = None
    countries: File | None = None


class Config(Section):
    """Everything `flowkeep run` needs; paths are relative to the configuration file."""

    data_dir: File
    listen: list[Endpoint] = Field(min_length=1)
    listen_tcp: list[Endpoint] = Field(default_factory=list)
    receive_buffer: Size = 32 * 2**20
    sockets_per_port: int = Field(default=1, ge=1, le=16)
    workers: int = Field(default=1, ge=1, le=64)
    exporters: list[Exporter] = Field(default_factory=list)
    allow_unlisted_exporters: bool = False
    tenants: File
    tenants_source: Annotated[HttpSource | NetBoxSource, Field(discriminator="kind")] | None = None
    retention: File
    storage: Annotated[Embedded | Server, Field(discriminator="mode")]
    journal: Journal = Journal()
    blocks: Blocks = Blocks()
    decoding: Decoding = Decoding()
    metrics: Endpoint = "127.0.0.1:9477"
    enrichment: Enrichment = Enrichment()

    @field_validator("listen", "listen_tcp")
    @classmethod
    def _listens_once(cls, listen: list[str]) -> list[str]:
        for endpoint in listen:
            if listen.count(endpoint) > 1:
                raise ValueError(f"{endpoint} is given twice")
        return listen

    @field_validator("exporters")
    @classmethod
    def _names_once(cls, exporters: list[Exporter]) -> list[Exporter]:
        names: dict[object, str] = {}
        for exporter in exporters:
            if exporter.prefix in names:
                raise ValueError(f"{exporter.prefix} is given twice ('{names[exporter.prefix]}', '{exporter.name}')")
            names[exporter.prefix] = exporter.name
        return exporters

    @model_validator(mode="after")
    def _has_exporters(self) -> Config:
        if not self.exporters and not self.allow_unlisted_exporters:
            raise ValueError("no exporter is allowed: list their prefixes under 'exporters'")
        return self


def load_config(path: Path, environ: Mapping[str, str]) -> Config:
    """Read the configuration file at `path`; relative paths in it become absolute, from the file's own directory."""
    config = load_yaml(path, Config, environ)
    base = path.resolve().parent
    databases = config.enrichment.model_dump(include={"systems", "countries"}, exclude_none=True)
    enrichment = config.enrichment.model_copy(update={name: base / file for name, file in databases.items()})
    files = {name: base / getattr(config, name) for name in ("data_dir", "tenants", "retention")}
    return config.model_copy(update={**files, "enrichment": enrichment})
