"""The collector's configuration file (configs/flowkeep.yaml is the commented example)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from settings.source import Section, load_yaml

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)i?B?", re.IGNORECASE)
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def _size(value: Any) -> Any:
    if isinstance(value, str):
        match = _SIZE.fullmatch(value.strip())
        if not match:
            raise ValueError("expected a size such as 512MiB or 4GiB")
        return int(float(match[1]) * _UNITS[match[2].upper()])
    return value


def parse_endpoint(value: str) -> tuple[str, int]:
    """Split `host:port` or `[v6]:port` into address and port; ValueError where it is neither."""
    host, _, port = value.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdigit() or not 0 <= int(port) <= 65535:
        raise ValueError(f"expected ADDRESS:PORT, such as 0.0.0.0:2055 or [::]:2055, not '{value}'")
    try:
        ip_address(host)
    except ValueError:
        raise ValueError(f"'{host}' is not an IP address") from None
    return host, int(port)


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


Size = Annotated[int, BeforeValidator(_size), Field(gt=0)]
Endpoint = Annotated[str, AfterValidator(_endpoint)]
Prefix = Annotated[IPv4Network | IPv6Network, BeforeValidator(_network)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]


class Exporter(Section):
    """Who may send: a prefix, the name its metrics carry, and a sampling rate that overrides what it says."""

    prefix: Prefix
    name: Name
    sampling_rate: int | None = Field(default=None, ge=1, le=2**32 - 1)


class Journal(Section):
    """Bounds of the journal of raw datagrams in the data directory."""

    max_size: Size = 4 * 2**30
    segment_size: Size = 64 * 2**20


class Blocks(Section):
    """When a block of datagrams is cut: at this age, or at this many octets, whichever comes first."""

    max_age_seconds: float = Field(default=1.0, gt=0, le=1.0)
    max_size: Size = 24 * 2**20


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
    url: str = Field(pattern=r"^https?://[^/]+$")
    database: Name = "flowkeep"
    passwords: Passwords


class Config(Section):
    """Everything `flowkeep run` needs; paths are relative to the configuration file."""

    data_dir: Path
    listen: list[Endpoint] = Field(min_length=1)
    receive_buffer: Size = 32 * 2**20
    exporters: list[Exporter] = Field(default_factory=list)
    allow_unlisted_exporters: bool = False
    tenants: Path
    retention: Path
    storage: Annotated[Embedded | Server, Field(discriminator="mode")]
    journal: Journal = Journal()
    blocks: Blocks = Blocks()
    metrics: Endpoint = "127.0.0.1:9477"

    @model_validator(mode="after")
    def _has_exporters(self) -> Config:
        if not self.exporters and not self.allow_unlisted_exporters:
            raise ValueError("no exporter is allowed: list their prefixes under 'exporters'")
        return self


def load_config(path: Path, environ: Mapping[str, str]) -> Config:
    """Read the configuration file at `path`; relative paths in it become absolute, from the file's own directory."""
    config = load_yaml(path, Config, environ)
    base = path.resolve().parent
    return config.model_copy(
        update={name: base / getattr(config, name) for name in ("data_dir", "tenants", "retention")}
    )
