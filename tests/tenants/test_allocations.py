"""Allocation files: what is read, and what each fault says."""

from ipaddress import ip_network
from pathlib import Path

import pytest

from settings.errors import ConfigError
from tenants.allocations import Allocation, load_allocations

HEADER = "prefix,tenant,resource,class,valid_from,valid_to\n"
NOV_1 = 1_793_491_200_000  # 2026-11-01T00:00:00Z


def write(folder: Path, text: str, name: str = "allocations.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def faults(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_allocations(path)
    return str(caught.value).replace(f"{path.parent}/", "").splitlines()


def test_csv_row_becomes_an_allocation(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER + "\n192.0.2.0/24, acme ,vm-7,basic,2026-11-01,2026-11-01T02:00:00.5+01:00\n")
    assert list(load_allocations(path)) == [
        Allocation(ip_network("192.0.2.0/24"), "acme", "vm-7", "basic", NOV_1, NOV_1 + 3_600_500, 3)
    ]


def test_columns_come_in_any_order_and_optional_ones_may_be_absent(tmp_path: Path) -> None:
    path = write(tmp_path, "\ufefftenant,prefix\nacme,2001:db8::/32\nzoë,192.0.2.1\n")
    assert list(load_allocations(path)) == [
        Allocation(ip_network("2001:db8::/32"), "acme", None, None, None, None, 2),
        Allocation(ip_network("192.0.2.1/32"), "zoë", None, None, None, None, 3),
    ]


def test_yaml_says_the_same_as_csv(tmp_path: Path) -> None:
    csv = write(tmp_path, HEADER + "192.0.2.0/24,acme,,basic,2026-11-01,\n2001:db8::/48,umbrella,,,,\n")
    text = """allocations:
- {prefix: 192.0.2.0/24, tenant: acme, class: basic, valid_from: 2026-11-01, valid_to: null}
- prefix: 2001:db8::/48
  tenant: umbrella
"""
    from_csv, from_yaml = load_allocations(csv), load_allocations(write(tmp_path, text, "allocations.yaml"))
    assert list(from_csv) == list(from_yaml)
    assert from_csv.digest() == from_yaml.digest()


def test_service_and_region_are_columns_like_others(tmp_path: Path) -> None:
    head = "region,prefix,tenant,service\n"
    (one,) = load_allocations(write(tmp_path, head + "eu,192.0.2.0/24,acme,vps\n"))
    assert (one.service, one.region, one.resource, one.retention_class) == ("vps", "eu", None, None)
    digests = {
        load_allocations(write(tmp_path, f"{head}{region},192.0.2.0/24,acme,{service}\n")).digest()
        for region, service in (("eu", "vps"), ("vps", "eu"), ("eu", ""), ("", "eu"))
    }
    assert len(digests) == 4
    assert faults(write(tmp_path, head + f"{'x' * 129},192.0.2.0/24,acme,a\x07b\n")) == [
        "allocations.csv:2: 'a\\x07b' has characters that cannot be printed",
        f"allocations.csv:2: '{'x' * 20}...' has 129 characters; the limit is 128",
    ]


def test_digest_tells_contents_apart(tmp_path: Path) -> None:
    one = load_allocations(write(tmp_path, HEADER + "192.0.2.0/24,acme,,,2026-11-01,\n"))
    other = load_allocations(write(tmp_path, HEADER + "192.0.2.0/24,acme,,,2026-11-02,\n"))
    assert one.digest() != other.digest()


def test_every_fault_of_every_row_is_named_with_its_line(tmp_path: Path) -> None:
    text = HEADER + (
        "192.0.2.1/24,acme,,,,\n"
        "nonsense,,,,,\n"
        "192.0.2.0/24,unassigned,,,,\n"
        "198.51.100.0/24,acme,,,2026-11-01T00:00:00,\n"
        "198.51.100.0/24,acme,,,2026-11-02,2026-11-02\n"
        "198.51.100.0/24,acme,,\n"
        "fe80::1%eth0/128,acme,,,,2026-02-30\n"
    )
    assert faults(write(tmp_path, text)) == [
        "allocations.csv:2: '192.0.2.1/24' has bits set beyond its length; did you mean 192.0.2.0/24?",
        "allocations.csv:3: 'nonsense' is not a prefix, such as 192.0.2.0/24 or 2001:db8::/32",
        "allocations.csv:3: the tenant is empty",
        "allocations.csv:4: the tenant 'unassigned' is reserved for addresses that nobody holds",
        "allocations.csv:5: '2026-11-01T00:00:00' has no zone; write 2026-11-01T00:00:00Z if it is UTC",
        "allocations.csv:6: valid_to 2026-11-02 is not after valid_from 2026-11-02; the end is exclusive",
        "allocations.csv:7: 4 cells, but the header has 6",
        "allocations.csv:8: '2026-02-30' is not a time: day is out of range for month",
        "allocations.csv:8: 'fe80::1%eth0/128' has a zone; a prefix is held everywhere",
    ]


def test_only_twenty_faults_are_listed(tmp_path: Path) -> None:
    listed = faults(write(tmp_path, HEADER + "192.0.2.0/24,,,,,\n" * 25))
    assert len(listed) == 21
    assert listed[-1] == "allocations.csv: and 5 more"


def test_tenant_names_are_printable_and_bounded(tmp_path: Path) -> None:
    long = "x" * 129
    assert faults(write(tmp_path, f"prefix,tenant\n192.0.2.0/24,{long}\n192.0.2.0/25,a\x07b\n")) == [
        f"allocations.csv:2: '{'x' * 20}...' has 129 characters; the limit is 128",
        "allocations.csv:3: 'a\\x07b' has characters that cannot be printed",
    ]
    assert len(load_allocations(write(tmp_path, f"prefix,tenant\n192.0.2.0/24,{long[:128]}\n"))) == 1


def test_unknown_column_names_the_nearest(tmp_path: Path) -> None:
    assert faults(write(tmp_path, "prefix,tennant\n")) == [
        "allocations.csv:1: unknown column 'tennant'; did you mean 'tenant'?",
        "allocations.csv:1: the column 'tenant' is missing from the header",
    ]


def test_yaml_faults_carry_lines(tmp_path: Path) -> None:
    text = """allocations:
- prefix: 192.0.2.0/24
  tennant: acme
- tenant: acme
- prefix: 192.0.2.7/24
  tenant: acme
- prefix: [192.0.2.0/24]
  tenant: acme
"""
    assert faults(write(tmp_path, text, "allocations.yaml")) == [
        "allocations.yaml:3: unknown key 'tennant'; did you mean 'tenant'?",
        "allocations.yaml:4: missing: 'prefix'",
        "allocations.yaml:5: '192.0.2.7/24' has bits set beyond its length; did you mean 192.0.2.0/24?",
        "allocations.yaml:7: 'prefix' must be a single value",
    ]


@pytest.mark.parametrize("text", ["", "tenants: []", "allocations: 3", "- a", "allocations: [", "a: \x00"])
def test_yaml_of_another_form_is_refused_with_a_line(tmp_path: Path, text: str) -> None:
    (fault,) = faults(write(tmp_path, text, "allocations.yaml"))
    assert fault.startswith("allocations.yaml:")


def test_other_suffixes_and_missing_files_are_refused(tmp_path: Path) -> None:
    assert faults(tmp_path / "a.json") == ["a.json: the name of an allocation file ends in .csv, .yaml or .yml"]
    assert faults(tmp_path / "a.csv") == ["a.csv: cannot be read: No such file or directory"]


def test_csv_that_is_no_text_or_has_open_quotes_is_refused_with_a_line(tmp_path: Path) -> None:
    (fault,) = faults(write(tmp_path, HEADER + '192.0.2.0/24,"acme,,,,\n'))
    assert fault.startswith("allocations.csv:2: not valid CSV: ")
    (tmp_path / "latin.csv").write_bytes(b"prefix,tenant\n192.0.2.0/24,zo\xeb\n")
    assert faults(tmp_path / "latin.csv") == ["latin.csv: is not UTF-8 text: invalid continuation byte"]


def test_overlap_in_time_of_one_prefix_names_both_lines(tmp_path: Path) -> None:
    text = HEADER + (
        "192.0.2.0/24,acme,,,2026-01-01,2026-06-01\n"
        "192.0.2.0/25,umbrella,,,,\n"
        "192.0.2.0/24,umbrella,,,2026-06-01,\n"
        "192.0.2.0/24,hooli,,,2026-05-31,2026-06-01\n"
    )
    assert faults(write(tmp_path, text)) == [
        "allocations.csv:5: 192.0.2.0/24 of 'hooli' overlaps in time with line 2 ('acme'); "
        "end one where the other begins"
    ]


def test_overlap_is_seen_across_a_short_one_between(tmp_path: Path) -> None:
    text = HEADER + (
        "2001:db8::/32,a,,,2026-01-01,2026-12-01\n"
        "2001:db8::/32,b,,,2026-02-01,2026-03-01\n"
        "2001:db8::/32,c,,,2026-04-01,2026-05-01\n"
    )
    assert [fault.split(":")[1] for fault in faults(write(tmp_path, text))] == ["3", "4"]


def test_one_allocation_may_begin_the_instant_another_ends(tmp_path: Path) -> None:
    text = HEADER + "192.0.2.0/24,a,,,,2026-06-01\n192.0.2.0/24,b,,,2026-06-01,\n"
    assert len(load_allocations(write(tmp_path, text))) == 2
