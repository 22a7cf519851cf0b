"""Allocation files as they are written: read back as the same, and replaced whole or not at all."""

from __future__ import annotations

import os
from dataclasses import replace as with_
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from settings.errors import ConfigError, RefusalError
from tenants.allocations import Allocation, Allocations, load_allocations
from tenants.cells import parse_time
from tenants.spans import time_text
from tenants.writing import render, replace

EARLIEST, LATEST = parse_time("0001-01-01T00:00:00+23:59"), parse_time("9999-12-31T23:59:59.999-23:59")
NAMES = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=6)
ODD = st.sampled_from(
    ["null", "~", "yes", "1e3", "0x10", "2026-11-01", "a: b", "#", "'", '"', ",", "[", "-", "é", "=", "<<"]
)
TIMES = st.integers(EARLIEST, LATEST)
PREFIXES = st.one_of(
    st.integers(0, 32).flatmap(lambda n: st.integers(0, 2**n - 1).map(lambda v: IPv4Network((v << 32 - n, n)))),
    st.integers(0, 128).flatmap(lambda n: st.integers(0, 2**n - 1).map(lambda v: IPv6Network((v << 128 - n, n)))),
).filter(lambda network: not (network.version == 6 and network.network_address.ipv4_mapped and network.prefixlen >= 96))
LABELS = st.none() | NAMES | ODD


@st.composite
def allocations(draw: st.DrawFn) -> Allocation:
    start, end = sorted(draw(st.lists(TIMES, min_size=2, max_size=2, unique=True)))
    return Allocation(
        prefix=draw(PREFIXES),
        tenant=draw(NAMES | ODD),
        resource=draw(LABELS),
        retention_class=draw(LABELS),
        valid_from=draw(st.none() | st.just(start)),
        valid_to=draw(st.none() | st.just(end)),
        line=0,
        service=draw(LABELS),
        region=draw(LABELS),
    )


def loaded(path: Path) -> list[Allocation]:
    found = load_allocations(path)
    return [with_(found[index], line=0) for index in range(len(found))]


def accept(_: Allocations) -> None:
    return


@settings(max_examples=40)
@given(
    rows=st.lists(allocations(), max_size=6, unique_by=lambda row: row.prefix),
    suffix=st.sampled_from([".csv", ".yaml"]),
)
def test_what_is_written_is_read_as_the_same(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Allocation], suffix: str
) -> None:
    path = tmp_path_factory.getbasetemp() / f"written{suffix}"
    path.write_text(render(rows, suffix), encoding="utf-8")
    assert loaded(path) == rows
    assert render(loaded(path), suffix) == path.read_text(encoding="utf-8")


@given(TIMES)
def test_times_are_read_as_the_same(time: int) -> None:
    assert parse_time(time_text(time)) == time


def test_the_form_is_for_people_too(tmp_path: Path) -> None:
    rows = [
        Allocation(
            ip_network("192.0.2.0/24"), "acme, inc", None, "basic", None, parse_time("2026-11-01T12:00:00.5Z"), 0
        ),
        Allocation(ip_network("2001:db8::/32"), "null", "vm-7", None, parse_time("2026-11-01"), None, 0, "vps", "eu"),
    ]
    assert render(rows, ".csv").splitlines() == [
        "prefix,tenant,resource,service,region,class,valid_from,valid_to",
        '192.0.2.0/24,"acme, inc",,,,basic,,2026-11-01T12:00:00.500Z',
        "2001:db8::/32,null,vm-7,vps,eu,,2026-11-01T00:00:00Z,",
    ]
    assert render(rows, ".yml").splitlines() == [
        "allocations:",
        "- {prefix: 192.0.2.0/24, tenant: 'acme, inc', class: basic, valid_to: '2026-11-01T12:00:00.500Z'}",
        "- {prefix: '2001:db8::/32', tenant: 'null', resource: vm-7, service: vps, region: eu, "
        "valid_from: '2026-11-01T00:00:00Z'}",
    ]
    with pytest.raises(ConfigError, match=r"'\.txt' cannot be written"):
        render(rows, ".txt")


def row(prefix: str, tenant: str, retention_class: str | None = None) -> Allocation:
    return Allocation(ip_network(prefix), tenant, None, retention_class, None, None, 0)


def test_the_file_is_replaced_with_its_mode_and_through_links(tmp_path: Path) -> None:
    real = tmp_path / "real.csv"
    real.write_text("prefix,tenant\n")
    real.chmod(0o640)
    link = tmp_path / "tenants.csv"
    link.symlink_to(real)
    replace(link, [row("192.0.2.0/24", "acme")], accept)
    assert link.is_symlink()
    assert loaded(real) == [row("192.0.2.0/24", "acme")]
    assert real.stat().st_mode & 0o777 == 0o640
    replace(tmp_path / "new.yaml", [], accept)
    assert loaded(tmp_path / "new.yaml") == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.yaml", "real.csv", "tenants.csv"]


def test_the_owner_stays_where_we_may_give_files_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "tenants.csv"
    path.write_text("prefix,tenant\n")
    given_to: list[tuple[int, int]] = []

    def give(_: int, owner: int, group: int) -> None:
        given_to.append((owner, group))
        raise PermissionError

    monkeypatch.setattr(os, "fchown", give)
    replace(path, [row("192.0.2.0/24", "acme")], accept)
    assert given_to == [(path.stat().st_uid, path.stat().st_gid)]
    assert loaded(path) == [row("192.0.2.0/24", "acme")]


def test_what_is_refused_leaves_the_file_and_names_the_rows(tmp_path: Path) -> None:
    path = tmp_path / "tenants.yaml"
    path.write_text("allocations: []\n")

    def refuse(allocations: Allocations) -> None:
        raise ConfigError(f"{allocations.path}:3: unknown class 'gold'\n{allocations.path}: and 7 more")

    rows = [row("192.0.2.0/24", "acme"), row("192.0.2.0/25", "globex", "gold")]
    with pytest.raises(RefusalError) as refused:
        replace(path, rows, refuse)
    assert str(refused.value).splitlines() == [
        f"{path} stays as it is, for what the source tells cannot be used:",
        "192.0.2.0/25 of 'globex': unknown class 'gold'",
        "and 7 more",
    ]
    with pytest.raises(RefusalError, match=r"192\.0\.2\.0/24 of 'globex': .* overlaps in time with line 2"):
        replace(path, [row("192.0.2.0/24", "acme"), row("192.0.2.0/24", "globex")], accept)
    assert [file.name for file in tmp_path.iterdir()] == ["tenants.yaml"]
    assert path.read_text() == "allocations: []\n"


def test_a_directory_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(RefusalError, match="cannot be written beside it: No such file"):
        replace(tmp_path / "missing" / "tenants.csv", [], accept)
