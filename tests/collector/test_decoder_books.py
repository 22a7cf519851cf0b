"""What decoding tells becomes metrics by the exporters' configured names; what is configured reaches the decoders."""

from __future__ import annotations

import struct
from ipaddress import ip_address
from pathlib import Path

import pytest

from collector.decoder_books import DecoderBooks
from collector.decoding import limits_of, senders_of
from collector.metrics import Metrics
from decoders import Datagrams, SequenceNews, State, decode
from schema.addresses import packed
from settings.config import Config, load_config
from settings.errors import ConfigError
from tests.collector.site import Site
from tests.decoders.wire import NOW, a_set, template, v9

EXPORTERS = """exporters:
  - {prefix: 10.0.0.0/8, name: campus, default_sampling_rate: 512}
  - {prefix: 10.1.0.0/16, name: relay, trust_exporter_address: true}
  - {prefix: 10.1.1.1/32, name: branches, separate_ports: true, sampling_rate: 1}
"""


def configured(directory: Path, more: str = "") -> Config:
    site = Site(directory)
    site.config.write_text(site.config.read_text().replace("exporters: [{prefix: 127.0.0.0/8, name: lab}]", EXPORTERS))
    site.config.write_text(site.config.read_text() + more)
    return load_config(site.config, {})


def octets(address: str) -> bytes:
    return packed(ip_address(address))


def news(sender: str, version: int, domain: int = 0, **counts: int) -> SequenceNews:
    zeros = dict.fromkeys(("lost", "gaps", "reordered", "duplicates", "resets"), 0)
    return SequenceNews(octets(sender), version, domain, **(zeros | counts), shared=False)  # type: ignore[arg-type]


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"flowkeep_{name}", labels)


def test_senders_and_limits_are_as_configured(tmp_path: Path) -> None:
    config = configured(tmp_path, "decoding: {template_lifetime_seconds: 600, wait_for_template_size: 2MiB}\n")
    senders = senders_of(config)
    assert senders.override.tolist() == [0, 0, 1, 0]
    assert senders.default.tolist() == [512, 0, 0, 0]
    assert senders.trusted.tolist() == [False, True, False, False]
    assert senders.by_port.tolist() == [False, False, True, False]
    limits = limits_of(config)
    assert (limits.template_lifetime, limits.waiting_time, limits.waiting_octets) == (600_000, 1_800_000, 2 * 2**20)


@pytest.mark.parametrize(("more", "inner"), [("", False), ("outer", False), ("inner", True)])
def test_of_tunnels_the_addresses_are_as_configured(tmp_path: Path, more: str, inner: bool) -> None:
    config = configured(tmp_path, f"decoding: {{addresses: {more}}}\n" if more else "")
    assert limits_of(config).inner is inner


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("sampling_rate: 1}", "sampling_rate: 1, default_sampling_rate: 9}", "sampling_rate always holds"),
        ("trust_exporter_address: true", "trust_exporter_address: some", "trust_exporter_address"),
        ("metrics:", "decoding: {template_lifetime_seconds: 5}\nmetrics:", "at least 60"),
        ("metrics:", "decoding: {addresses: both}\nmetrics:", "'outer' or 'inner'"),
        ("listen_tcp: [", "listen_tcp: ['127.0.0.1:4739', '127.0.0.1:4739', ", "127.0.0.1:4739 is given twice"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    configured(tmp_path)
    path = tmp_path / "flowkeep.yaml"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ConfigError, match=complaint):
        load_config(path, {})


def test_an_exporter_goes_by_its_longest_prefix(tmp_path: Path) -> None:
    books = DecoderBooks(configured(tmp_path), Metrics())
    senders = ("10.2.0.1", "10.1.0.1", "10.1.1.1", "192.0.2.1", "2001:db8::1")
    assert [books.exporter(octets(sender)) for sender in senders] == [
        "campus", "relay", "branches", "unlisted", "unlisted"
    ]  # fmt: skip


def test_what_numbering_tells_is_counted_by_exporter_protocol_and_unit(tmp_path: Path) -> None:
    metrics = Metrics()
    books = DecoderBooks(configured(tmp_path), metrics)
    books.book_sequence([news("10.2.0.1", 5, lost=30, gaps=2), news("10.2.0.1", 9, lost=1, gaps=1, reordered=4)])
    books.book_sequence([news("10.2.0.2", 5, lost=12, gaps=1), news("192.0.2.1", 10, duplicates=2)])
    books.book_sequence([news("10.1.0.1", 105, lost=3, gaps=1, resets=1)])
    lost = {
        ("campus", "netflow5", "flows"): 42, ("campus", "netflow9", "packets"): 1,
        ("unlisted", "ipfix", "records"): 0, ("relay", "sflow", "datagrams"): 3,
    }  # fmt: skip
    for (exporter, protocol, unit), count in lost.items():
        labels = {"exporter": exporter, "protocol": protocol, "unit": unit}
        assert value(metrics, "sequence_lost_units_total", **labels) == count
    assert value(metrics, "sequence_gaps_total", exporter="campus", protocol="netflow5") == 3
    assert value(metrics, "sequence_reordered_total", exporter="campus", protocol="netflow9") == 4
    assert value(metrics, "sequence_duplicates_total", exporter="unlisted", protocol="ipfix") == 2
    assert value(metrics, "sequence_resets_total", exporter="relay", protocol="sflow") == 1
    assert metrics.books()["sequence"]["campus"] == {
        "lost": {"flows": 42, "packets": 1}, "gaps": 4, "reordered": 4, "duplicates": 0, "resets": 0, "shared": False
    }  # fmt: skip


def test_an_exporter_is_shared_as_long_as_one_of_its_streams_is(tmp_path: Path) -> None:
    metrics = Metrics()
    books = DecoderBooks(configured(tmp_path), metrics)
    one, two = news("10.1.1.1", 9, domain=1), news("10.1.1.1", 9, domain=2)
    shared = []
    for told in (one, one._replace(shared=True), two._replace(shared=True), one, two, one):
        books.book_sequence([told, told])
        shared.append(value(metrics, "sequence_shared", exporter="branches"))
    assert shared == [None, 1, 1, 1, 0, 0]
    assert metrics.books()["sequence"]["branches"]["shared"] is False


def test_what_the_decoders_keep_is_told_by_exporter(tmp_path: Path) -> None:
    config, metrics, state = configured(tmp_path), Metrics(), State()
    books, limits = DecoderBooks(config, metrics), limits_of(config)
    known = v9(a_set(0, template(256, [(1, 4)])))
    unknown = v9(a_set(300, struct.pack(">I", 1)), sequence=1)

    def receive(sender: str, payload: bytes, time: int) -> None:
        decode(Datagrams.of([payload], octets(sender), time), state, limits)

    receive("10.2.0.1", known, NOW)
    receive("10.2.0.2", known, NOW + 40_000)
    receive("10.1.0.1", known, NOW + 50_000)
    receive("10.1.0.1", unknown, NOW + 60_000)
    books.book_state(state, NOW + 60_000)
    ages = [value(metrics, "template_age_seconds", exporter=name) for name in ("campus", "relay", "branches")]
    assert ages == [60, 10, None]
    assert value(metrics, "templates") == 3
    assert value(metrics, "waiting_sets") == 1
    assert 8 <= (value(metrics, "waiting_octets") or 0) < 1000
    receive("10.1.0.1", known, NOW + 7_245_000)
    books.book_state(state, NOW + 7_245_000)
    ages = [value(metrics, "template_age_seconds", exporter=name) for name in ("campus", "relay")]
    assert ages == [None, 0]
    assert value(metrics, "waiting_sets") == 0
