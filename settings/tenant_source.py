"""Where allocations come from, beside the file: the section `tenants_source` of the collector's configuration."""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field

from settings.source import Section

_URL = re.compile(r"https?://[^/\s@?#]+(?:/[^\s#]*)?")
_TOKEN = re.compile(r"[!-~]*")

Column: TypeAlias = Literal["prefix", "tenant", "resource", "service", "region", "class", "valid_from", "valid_to"]
Label: TypeAlias = Literal["resource", "service", "region", "class", "valid_from", "valid_to"]


def _url(value: str) -> str:
    if not _URL.fullmatch(value):
        raise ValueError("expected http://HOST/PATH or https://HOST/PATH, without user or password")
    return value


def _token(value: str) -> str:
    if not _TOKEN.fullmatch(value):
        raise ValueError("expected a token: letters, digits and signs of ASCII, without spaces or ends of lines")
    return value


Url = Annotated[str, AfterValidator(_url)]
Token = Annotated[str, AfterValidator(_token)]


class HttpSource(Section):
    """Allocations as JSON from a URL: a list of objects with the keys that the file has columns.

    The `token` is sent as a bearer's. `fields` says under which keys columns are found where they are called otherwise;
    keys that are no columns are errors without it, and passed over with it. `flowkeep run` fetches every
    `every_minutes`. Where more than the share `most_gone` of what is held would end at once, nothing is changed.
    Columns that are not told stay as the file has them, as long as the tenant stays.
    """

    kind: Literal["http"]
    url: Url
    token: Token = ""
    fields: dict[Column, str] = Field(default_factory=dict)
    every_minutes: int = Field(default=15, ge=1, le=1440)
    most_gone: float = Field(default=0.5, gt=0, le=1)


class NetBoxSource(Section):
    """Allocations from NetBox: what has a tenant among prefixes, IP ranges and IP addresses.

    Those of the `statuses` count, and of the tables `vrfs`, each the name or route distinguisher of a VRF, or `global`
    for what is in none. `fields` names the custom fields that hold the other columns of the allocation file.
    `every_minutes` and `most_gone` are as of an `HttpSource`.
    """

    kind: Literal["netbox"]
    url: Url
    token: Token = ""
    statuses: list[str] = Field(default_factory=lambda: ["active"], min_length=1)
    vrfs: list[str] = Field(default_factory=lambda: ["global"], min_length=1)
    fields: dict[Label, str] = Field(default_factory=dict)
    every_minutes: int = Field(default=15, ge=1, le=1440)
    most_gone: float = Field(default=0.5, gt=0, le=1)


TenantSource: TypeAlias = HttpSource | NetBoxSource
