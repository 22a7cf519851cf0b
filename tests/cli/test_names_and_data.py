"""Names behind the numbers of reports, and reports as data for programs."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import IPv6Address
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from cli.main import main
from enrichment.hosts import hosts
from enrichment.places import places
from enrichment.services import SERVICES, service
from storage.embedded import Node
from tests.cli.over_node import configured
from tests.collector.site import flowkeep

Run = Callable[..., subprocess.CompletedProcess[str]]
Octets = Callable[..., bytes]
SYSTEMS = {
    "192.0.2.0/24": {"autonomous_system_number": 64500, "autonomous_system_organization": "Example Net"},
    "2001:db8::/32": {"asn": "AS64501", "as_name": "Sechs AG"},  # as IPinfo writes it
}
COUNTRIES = {"192.0.2.0/24": {"country": {"iso_code": "DE"}}, "198.51.100.0/24": {"country_code": "FR"}}


def write_database(file: Path, networks: dict[str, dict[str, object]]) -> Path:
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True)
    for network, record in networks.items():
        writer.insert_network(IPSet([network]), record)
    writer.to_db_file(str(file))
    return file


@pytest.fixture
def config(database: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A node with some flows of edge-1, and databases of addresses."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_database(tmp_path / "systems.mmdb", SYSTEMS)
    write_database(tmp_path / "countries.mmdb", COUNTRIES)
    with database.connect("admin") as admin:
        admin.command(
            "INSERT INTO names (exporter, observation_domain, naming, id, name, seen) "
            "VALUES ('198.51.100.1', 7, 'interface', 10, 'uplink', now())"
        )
        admin.command(
            "INSERT INTO flows (time_received, flow_start, flow_end, exporter, observation_domain, in_if, src_addr, "
            "dst_addr, src_port, dst_port, proto, tcp_flags, packets, bytes, sampling_rate, src_as, retention_class) "
            "SELECT now() - 60, now() - 70, now() - 60, toIPv6('198.51.100.1'), 7, 10, "
            "if(number < 3, toIPv6('192.0.2.1'), toIPv6('2001:db8::5')), toIPv6('127.0.0.1'), 50000, "
            "if(number = 0, 443, 53), if(number = 0, 6, 17), if(number = 0, 18, 0), 2, 100 + number, 10, "
            "if(number < 3, 64500, 0), 'basic' FROM numbers(5)"
        )
    return configured(
        database,
        tmp_path,
        "exporters:",
        "  - {prefix: 198.51.100.1/32, name: edge-1}",
        "enrichment: {systems: systems.mmdb, countries: countries.mmdb}",
    )


@pytest.fixture
def run(config: Path) -> Run:
    return lambda *arguments: flowkeep(*arguments, "-c", str(config))


def titled(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[0].split()


def test_a_table_names_addresses_and_data_only_if_told(run: Run) -> None:
    table = run("top", "-s", "srcip/flows")
    assert titled(table)[:3] == ["srcip", "srcip_country", "srcip_as"]
    first, second = table.stdout.splitlines()[1:]
    assert first.split()[:5] == ["192.0.2.1", "DE", "AS64500", "Example", "Net"]
    assert second.split()[:4] == ["2001:db8::5", "AS64501", "Sechs", "AG"]
    assert titled(run("top", "-s", "srcip/flows", "--no-names"))[:2] == ["srcip", "flows"]
    plain, named = (json.loads(run("top", "--json", *more).stdout.splitlines()[0]) for more in ((), ("--names",)))
    assert named == plain | {"srcip_country": "DE", "srcip_as": "AS64500 Example Net"}


def test_protocols_services_exporters_interfaces_and_systems_have_names(run: Run) -> None:
    found = [
        json.loads(line)
        for line in run("flows", "-A", "exporter,inif,proto,dstport,srcas", "--names", "--json").stdout.splitlines()
    ]
    names = ("exporter_name", "inif_name", "proto_name", "dstport_name", "srcas_name")
    assert {tuple(row[name] for name in names) for row in found} == {
        ("edge-1", "uplink", "tcp", "https", "Example Net"),
        ("edge-1", "uplink", "udp", "domain", "Example Net"),
        ("edge-1", "uplink", "udp", "domain", ""),
    }
    assert titled(run("top", "-s", "dstport:p"))[:4] == ["dstport", "dstport_name", "proto", "proto_name"]
    assert titled(run("percentile", "--last", "1h", "--step", "1m"))[:4] == [
        "exporter",
        "exporter_name",
        "inif",
        "inif_name",
    ]
    assert titled(run("compare", "-s", "proto"))[:2] == ["proto", "proto_name"]


def test_names_of_systems_are_kept_until_the_database_changes(run: Run, tmp_path: Path) -> None:
    assert "Example Net" in run("top", "-s", "srcas").stdout
    (kept,) = (tmp_path / "cache" / "flowkeep").iterdir()
    kept.write_text(json.dumps({"64500": "From the cache"}))
    assert "From the cache" in run("top", "-s", "srcas").stdout
    time.sleep(0.01)
    write_database(tmp_path / "systems.mmdb", {"192.0.2.0/24": {"autonomous_system_number": 64500, "name": "Anew"}})
    assert "Anew" in run("top", "-s", "srcas").stdout


def test_without_a_home_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    with places(write_database(tmp_path / "systems.mmdb", SYSTEMS), None) as here:
        assert here.systems([64500, 64501, 0, 7]) == {64500: "Example Net", 64501: "Sechs AG"}
    assert [file.name for file in tmp_path.iterdir()] == ["systems.mmdb"]


def test_the_resolver_is_asked_on_demand_and_not_for_long(run: Run) -> None:
    assert "dstip_name" not in run("top", "-s", "dstip").stdout
    assert "localhost" in run("top", "-s", "dstip", "--dns").stdout
    begun = time.monotonic()
    assert hosts([IPv6Address(f"::ffff:192.0.2.{last}") for last in range(200)], 0) == {}
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize(("text", "why"), [(None, "No such file"), (b"no database", "no database in MaxMind's format")])
def test_a_database_that_cannot_be_read_is_told(run: Run, tmp_path: Path, text: bytes | None, why: str) -> None:
    (tmp_path / "systems.mmdb").unlink()
    if text:
        (tmp_path / "systems.mmdb").write_bytes(text)
    done = run("top")
    assert (done.returncode, done.stdout) == (2, "")
    assert "systems.mmdb" in done.stderr
    assert why in done.stderr


def test_an_address_of_no_database_is_nowhere(tmp_path: Path) -> None:
    four = MMDBWriter(ip_version=4)
    four.insert_network(IPSet(["192.0.2.0/24"]), {"country": "DE"})
    four.to_db_file(str(tmp_path / "four.mmdb"))
    asked = [IPv6Address("::ffff:192.0.2.9"), IPv6Address("2001:db8::1"), IPv6Address("::")]
    with places(None, tmp_path / "four.mmdb") as here:
        assert [here.of(asked)[address].country for address in asked] == ["DE", "", ""]
        assert here.systems([64500]) == {}


def test_services_are_of_protocols_that_have_ports() -> None:
    assert [service(514, proto) for proto in (6, 17, 1, None)] == ["shell", "syslog", "", "shell"]
    assert service(65000, 6) == ""
    assert len(set(SERVICES)) == len(SERVICES) > 100


@pytest.fixture
def octets(config: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Octets:
    """Run a command in this process, a second less than in one of its own, and return what it prints."""

    def run(*arguments: str) -> bytes:
        monkeypatch.setattr(sys, "argv", ["flowkeep", *arguments, "-c", str(config)])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsysbinary.readouterr()
        assert ended.value.code == 0, told.err
        return told.out

    return run


@pytest.mark.parametrize(
    "asked",
    [
        ("top", "-s", "srcip/flows", "--names"),
        ("top", "-s", "srcip4/24"),
        ("flows", "-A", "exporter,proto"),
        ("series", "-s", "proto"),
        ("matrix", "-s", "srcip,dstport"),
        ("compare", "-s", "proto"),
        ("percentile", "-s", "exporter", "--step", "1m"),
        ("flows",),
    ],
)
def test_data_is_the_same_in_every_form(octets: Octets, asked: tuple[str, ...]) -> None:
    now = datetime.now(UTC)
    span = ("-t", "-".join(f"{moment:%Y/%m/%d.%H:%M:%S}" for moment in (now - timedelta(minutes=30), now)))
    rows = [json.loads(line) for line in octets(*asked, *span, "--json").splitlines()]
    assert rows
    parquet = pq.read_table(io.BytesIO(octets(*asked, *span, "-o", "parquet")))
    arrow = pa.ipc.open_stream(octets(*asked, *span, "-o", "arrow")).read_all()
    assert parquet.equals(arrow)
    assert parquet.column_names == list(rows[0])
    counted = [name for name in rows[0] if name in ("flows", "packets", "bytes", "srcip", "proto", "row", "column")]
    assert [{name: row[name] for name in counted} for row in parquet.to_pylist()] == [
        {name: row[name] for name in counted} for row in rows
    ]
    lines = octets(*asked, *span, "-o", "csv").decode().splitlines()
    assert lines[0].split(",") == list(rows[0])
    assert len(lines) == len(rows) + 1


def test_a_form_that_there_is_not_is_named(run: Run) -> None:
    done = run("top", "-o", "xml")
    assert (done.returncode, "json, csv, parquet, arrow" in done.stderr) == (2, True)


def test_a_series_is_drawn(run: Run) -> None:
    done = run("series", "-s", "proto", "--last", "10m", "--plot")
    assert done.returncode == 0, done.stderr
    assert "bits by second, in steps of 5 s" in done.stdout
    assert {"6", "17"} <= set(done.stdout.replace("│", " ").split())
    assert "\x1b" not in done.stdout


def test_computed_columns_say_in_words_what_is_stored(run: Run) -> None:
    done = run(
        "sql",
        "SELECT src_ip, dst_ip, exporter_ip, proto_name, flags_text, duration_ms, bytes_scaled, packets_scaled "
        "FROM flows WHERE dst_port = 443",
    )
    assert done.stdout == "192.0.2.1\t127.0.0.1\t198.51.100.1\ttcp\t...A..S.\t10000\t1000\t20\n"
    assert run("sql", "SELECT DISTINCT src_ip FROM flows ORDER BY src_ip").stdout.split() == [
        "192.0.2.1",
        "2001:db8::5",
    ]
