"""`flowkeep tenants fetch`: the file that the collector reads, brought up to date with a source."""

from __future__ import annotations

import fcntl
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli.main import main
from cli.sources import FileSources
from demo.provider import RETENTION
from settings.config import load_config
from settings.errors import ConfigError
from tenants.allocations import load_allocations
from tests.sources.netbox_server import TOKEN, NetBox
from tests.sources.serving import Answer, Asked, serving

Fetch = Callable[..., int]
PREFIXES = ("192.0.2.0/24", "198.51.100.0/24", "2001:db8::/32")


class Service:
    """A service of our own, which tells what it is set to."""

    def __init__(self) -> None:
        self.told: object = [{"prefix": prefix, "tenant": "acme"} for prefix in PREFIXES]
        self.status = 200

    def __call__(self, asked: Asked) -> Answer:
        return Answer(self.told if asked.headers.get("Authorization") == "Bearer s3cret" else {}, self.status)


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def config(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("ALLOCATIONS_TOKEN", "s3cret")
    with serving(service) as url:
        yield configured(
            tmp_path, f"{{kind: http, url: '{url}/v1', token: '${{ALLOCATIONS_TOKEN}}', every_minutes: 5}}"
        )


def configured(directory: Path, source: str) -> Path:
    (directory / "retention.yaml").write_text(RETENTION.read_text())
    path = directory / "flowkeep.yaml"
    path.write_text(
        'data_dir: data\nlisten: ["127.0.0.1:2055"]\nallow_unlisted_exporters: true\ntenants: tenants.csv\n'
        f"retention: retention.yaml\nstorage: {{mode: embedded}}\n{source and f'tenants_source: {source}'}\n"
    )
    return path


@pytest.fixture
def fetch(config: Path, monkeypatch: pytest.MonkeyPatch) -> Fetch:
    """Run the command; return its exit status."""

    def fetch(*options: str, file: Path = config) -> int:
        monkeypatch.setattr(sys, "argv", ["flowkeep", "tenants", "fetch", "-c", str(file), *options])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0)

    return fetch


def held(directory: Path) -> dict[str, str]:
    """Return the tenants that the file has now, by prefix."""
    allocations = load_allocations(directory / "tenants.csv")
    rows = [allocations[index] for index in range(len(allocations))]
    return {str(row.prefix): row.tenant for row in rows if row.valid_to is None}


def test_the_file_is_made_and_then_only_what_changes_is_written(
    fetch: Fetch, service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fetch("--dry-run") == 0
    assert "nothing is written (--dry-run): 3 allocations, 3 of them told" in capsys.readouterr().out
    assert not (tmp_path / "tenants.csv").exists()
    assert fetch() == 0
    assert capsys.readouterr().out.splitlines() == [
        *(f"{prefix} added to 'acme', always" for prefix in PREFIXES),
        f"{tmp_path / 'tenants.csv'}: written: 3 allocations, 3 of them told by the source",
    ]
    stamp = (tmp_path / "tenants.csv").stat().st_mtime_ns
    assert fetch() == 0
    assert "nothing has changed: 3 allocations" in capsys.readouterr().out
    assert (tmp_path / "tenants.csv").stat().st_mtime_ns == stamp
    service.told = [{"prefix": prefix, "tenant": "globex"} for prefix in PREFIXES[:2]]
    assert fetch("--json") == 0
    changes = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["kind"], one["prefix"], one["former"], one["tenant"]) for one in changes] == [
        ("moved", PREFIXES[0], "acme", "globex"),
        ("moved", PREFIXES[1], "acme", "globex"),
        ("ended", PREFIXES[2], "", "acme"),
    ]
    assert changes[0]["words"].endswith(f"at {changes[0]['at'].replace('.000Z', 'Z')}")
    assert held(tmp_path) == dict.fromkeys(PREFIXES[:2], "globex")
    assert len(load_allocations(tmp_path / "tenants.csv")) == 5


def test_a_source_that_ends_most_is_believed_only_by_force(
    fetch: Fetch, service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fetch() == 0
    service.told = [{"prefix": PREFIXES[0], "tenant": "acme"}]
    assert fetch() == 1
    assert "2 of 3 prefixes that are held would end at once" in capsys.readouterr().err
    service.told = []
    assert fetch() == 1
    assert len(held(tmp_path)) == 3
    assert fetch("--force") == 0
    assert held(tmp_path) == {}


def test_what_the_policy_does_not_know_is_refused_with_the_prefix(
    fetch: Fetch, service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    service.told = [{"prefix": PREFIXES[0], "tenant": "acme", "class": "gold"}]
    assert fetch() == 1
    refusal, fault = capsys.readouterr().err.splitlines()
    assert refusal.startswith(f"flowkeep: {tmp_path / 'tenants.csv'} stays as it is")
    assert fault.startswith(f"{PREFIXES[0]} of 'acme': ")
    assert "gold" in fault
    assert not (tmp_path / "tenants.csv").exists()


def test_a_source_that_is_away_leaves_the_file(
    fetch: Fetch, service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    service.status = 503
    assert fetch() == 3
    assert "503 Service Unavailable" in (words := capsys.readouterr().err)
    assert "the allocations stay as they are" in words


def test_two_fetches_do_not_meet(fetch: Fetch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    assert fetch() == 1
    os.close(other)
    assert "another `flowkeep tenants fetch` is at" in capsys.readouterr().err


def test_without_a_source_the_way_to_one_is_said(
    fetch: Fetch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fetch(file=configured(tmp_path, "")) == 2
    assert "there is no 'tenants_source'" in capsys.readouterr().err


def test_a_file_that_is_wrong_is_not_overwritten(fetch: Fetch, tmp_path: Path) -> None:
    (tmp_path / "tenants.csv").write_text("prefix,tennant\n")
    assert fetch() == 2
    assert (tmp_path / "tenants.csv").read_text() == "prefix,tennant\n"


def test_netbox_is_a_source_too(fetch: Fetch, tmp_path: Path) -> None:
    netbox = NetBox()
    netbox.add("ip-addresses", "acme", address="192.0.2.7/24")
    with serving(netbox) as url:
        file = configured(tmp_path, f"{{kind: netbox, url: '{url}', token: '{TOKEN}'}}")
        assert fetch(file=file) == 0
    assert held(tmp_path) == {"192.0.2.7/32": "acme"}


def test_the_daemon_fetches_every_few_minutes(config: Path) -> None:
    (task,) = FileSources(load_config(config, os.environ), config).tasks
    assert list(task.command[-5:]) == ["tenants", "fetch", "-c", str(config), "--json"]
    assert task.every == 300


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("{kind: htp, url: http://a}", "7: tenants_source.kind: expected 'http' or 'netbox', not 'htp'"),
        ("{kind: http, url: a}", "7: tenants_source.url: expected http://HOST/PATH"),
        ("{kind: http, url: http://a, token: 'x y'}", "7: tenants_source.token: expected a token"),
        ("{kind: netbox, url: http://a, fields: {tenant: x}}", "7: tenants_source.fields.tenant: expected 'resource'"),
        ("{kind: netbox, url: http://a, statuses: []}", "7: tenants_source.statuses: expected at least one"),
        ("{kind: netbox, url: http://a, vrf: x}", "7: unknown key 'vrf'; did you mean 'vrfs'?"),
    ],
)
def test_a_mistake_in_the_configuration_is_named(tmp_path: Path, source: str, words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load_config(configured(tmp_path, source), {})
    assert words in str(refused.value)
